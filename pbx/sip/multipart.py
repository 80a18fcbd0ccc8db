"""multipart/mixed bodies: a session description and what stands beside it (RFC 5621, RFC 2046)."""

from __future__ import annotations

import re

from msgspec import Struct

from pbx.sip.errors import PeerError
from pbx.sip.grammar import unquote, value_and_parameters
from pbx.sip.message import Message

MIXED = "multipart/mixed"
MOST_PARTS = 8
LONGEST_BOUNDARY = 70  # RFC 2046 §5.1.1
LONGEST_HEAD = 2_048
PLAIN = frozenset({"7bit", "8bit", "binary"})  # RFC 3261 §27.5 needs no other; RFC 5621 §3.2

_is_content_id = re.compile(r"<[!-;=?-~]{1,250}>").fullmatch


class Part(Struct, frozen=True, kw_only=True):
    """One body among several."""

    content_type: str
    """Lower case, without parameters."""
    body: bytes
    content_id: str = ""
    """As written, in its angle brackets; a cid: URL names it (RFC 2392)."""
    is_optional: bool = False
    """Whoever does not know it may leave it aside (RFC 5621 §3.1)."""


def parts_of(message: Message) -> tuple[Part, ...]:
    """The parts of a multipart/mixed body; raises `PeerError`."""
    delimiter = b"\r\n--" + _boundary(message)
    pieces = (b"\r\n" + message.body).split(delimiter)
    if not 3 <= len(pieces) <= MOST_PARTS + 2 or not pieces[-1].startswith(b"--"):
        raise PeerError("body", f"is 1 to {MOST_PARTS} parts between its boundaries")
    return tuple(map(_part, pieces[1:-1]))


def write(parts: tuple[Part, ...], boundary: str) -> bytes:
    """Parts as a body; the boundary stands in none of them."""
    written = []
    for part in parts:
        head = f"--{boundary}\r\nContent-Type: {part.content_type}\r\n"
        if part.content_id:
            head += f"Content-ID: {part.content_id}\r\n"
        if part.is_optional:
            head += "Content-Disposition: render;handling=optional\r\n"
        written.append(head.encode() + b"\r\n" + part.body + b"\r\n")
    return b"".join(written) + f"--{boundary}--\r\n".encode()


def _boundary(message: Message) -> bytes:
    text = message.headers.first("Content-Type") or ""
    boundary = unquote(value_and_parameters(text, "Content-Type")[1].get("boundary") or "")
    if not (0 < len(boundary) <= LONGEST_BOUNDARY and boundary.isascii()):
        raise PeerError("Content-Type", "of several parts names their boundary")
    return boundary.encode()


def _part(piece: bytes) -> Part:
    padding, _, rest = piece.partition(b"\r\n")
    head, blank, body = (b"\r\n" + rest).partition(b"\r\n\r\n")
    if padding.strip(b" \t") or not blank or len(head) > LONGEST_HEAD:
        raise PeerError("body", "each part has a head and a blank line")
    fields = {}
    for line in head.decode("ascii", "replace").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        fields[name.strip(" \t").lower()] = value.strip(" \t")
    content_id = fields.get("content-id", "")
    disposition = fields.get("content-disposition", "").replace(" ", "").lower()
    encoding = fields.get("content-transfer-encoding", "binary").lower()
    kind = fields.get("content-type", "text/plain").partition(";")[0].strip(" \t").lower()
    return Part(
        content_type=kind if encoding in PLAIN else f"{kind} in {encoding}",
        body=body,
        content_id=content_id if _is_content_id(content_id) else "",
        is_optional="handling=optional" in disposition,
    )
