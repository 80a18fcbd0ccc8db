"""One whole message from its bytes (RFC 3261 sections 7 and 25, RFC 4475, RFC 5118).

Strict where two readers could disagree: lines end in CRLF, singular fields appear once,
Content-Length is present and right. The fields that routing reads are complete when this
returns; the rest is parsed by whoever reads it.
"""

from __future__ import annotations

import re

from pbx.sip.address import Address
from pbx.sip.cseq import CSeq
from pbx.sip.errors import PeerError
from pbx.sip.grammar import is_token, number, split_list, unfolded
from pbx.sip.headers import Field, Headers
from pbx.sip.message import Request, Response
from pbx.sip.names import KNOWN, SINGULAR, canonical
from pbx.sip.salvage import salvage
from pbx.sip.uri import SipUri
from pbx.sip.via import Via

MOST_FIELDS = 256
"""Lines in a head. The longest sane messages have about 60."""

LONGEST_BODY = 2**31 - 1
LONGEST_CALL_ID = 255

# word [ "@" word ]
_WORD = r"[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]++"
_call_id = re.compile(rf"{_WORD}(?:@{_WORD})?").fullmatch
_quoted_pair = re.compile(r"\\(.)", re.DOTALL)
_version = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE).fullmatch


def parse_message(data: bytes, *, stream: bool = True) -> Request | Response:
    """The message, or PeerError with the status to answer and, if possible, what to answer.

    `stream`: Content-Length must be there and equal what was framed. Where frames are
    messages (RFC 7118) it may be absent, and surplus bytes are discarded (section 18.3).
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        raise PeerError("head", "ends with an empty line")
    text = str(data[:end], "utf-8", "replace")
    try:
        lines = _lines(text)
        head = _fields(lines)
        body = _body(data[end + 4 :], head[1].get("Content-Length"), stream)
        return _message(lines[0], head, body)
    except PeerError as error:
        error.request = salvage(text)
        raise


def _lines(text: str) -> list[str]:
    if "\0" in text:
        text = _without_nul(text)
    lines = text.split("\r\n")
    ends = len(lines) - 1
    if text.count("\n") != ends or text.count("\r") != ends:
        raise PeerError("head", "CR and LF stand together only")
    if ends > MOST_FIELDS:
        raise PeerError("head", f"has at most {MOST_FIELDS} lines")
    return lines


def _without_nul(text: str) -> str:
    # A quoted pair may hold NUL (RFC 4475 section 3.1.1.2). We never write one, so it goes.
    text = _quoted_pair.sub(lambda match: "" if match[1] == "\0" else match[0], text)
    if "\0" in text:
        raise PeerError("head", "NUL stands in a quoted pair only")
    return text


_Head = tuple[list[Field], dict[str, str], frozenset[str]]
"""All lines, the first of each name, and the names that have more."""


def _fields(lines: list[str]) -> _Head:
    fields: list[Field] = []
    first: dict[str, str] = {}
    repeated: set[str] = set()
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = KNOWN.get(name)
        if key is None:
            if line[:1] in (" ", "\t"):
                return _fields(_unfolded(lines))
            name = name.rstrip(" \t")
            key = canonical(name)
            if not colon:
                raise PeerError("header line", "has a colon")
        value = value.strip(" \t")
        if key not in first:
            first[key] = value
        elif key in SINGULAR:
            raise PeerError(key, "appears once")
        else:
            repeated.add(key)
        fields.append((key, name, value))
    return fields, first, frozenset(repeated)


def _unfolded(lines: list[str]) -> list[str]:
    # Folding is rare, so it is noticed only here: a line that begins with a space has no known
    # name. The second line continues the start line, which may not be folded.
    if lines[1][:1] in (" ", "\t"):
        raise PeerError("start line", "is one line")
    return unfolded(lines)


def _body(rest: bytes, length: str | None, stream: bool) -> bytes:
    if length is None:
        if stream:
            raise PeerError("Content-Length", "is present")
        return rest
    size = number(length, "Content-Length", LONGEST_BODY)
    if size != len(rest):
        if stream or size > len(rest):
            raise PeerError("Content-Length", "is the length of the body")
        return rest[:size]
    return rest


def _routing(first: dict[str, str]) -> dict[str, object]:
    """The values of the fields that every element reads (RFC 3261 section 8.1.1)."""
    try:
        via, call_id = first["Via"], first["Call-ID"]
        cseq, from_, to = first["CSeq"], first["From"], first["To"]
    except KeyError as missing:
        raise PeerError(missing.args[0], "is present") from None
    if len(call_id) > LONGEST_CALL_ID or _call_id(call_id) is None:
        raise PeerError("Call-ID", "is a word, or two around an at sign")
    return {
        "Via": Via.parse(split_list(via, "Via")[0] if "," in via else via),
        "From": Address.parse(from_, "From"),
        "To": Address.parse(to, "To"),
        "CSeq": CSeq.parse(cseq),
    }


def _message(start_line: str, head: _Head, body: bytes) -> Request | Response:
    parts = start_line.split(" ", 2)
    if parts[0][:4].upper() == "SIP/":
        status, reason = _status(parts)
        return Response(status, reason, Headers.parsed(*head, _routing(head[1])), body)
    method, uri = _request_line(parts)
    request = Request(method, uri, Headers.parsed(*head, _routing(head[1])), body)
    target = request.uri
    if isinstance(target, SipUri) and target.headers:
        raise PeerError("Request-URI", "has no headers")
    if request.cseq.method != method:
        raise PeerError("CSeq", "names the method of the request")
    return request


def _request_line(parts: list[str]) -> tuple[str, str]:
    if len(parts) != 3:
        raise PeerError("Request-Line", "is method, URI and version")
    method, uri, version = parts
    if version != "SIP/2.0":
        _check_version(version)
    if not is_token(method):
        raise PeerError("method", "is a token")
    return method, uri


def _status(parts: list[str]) -> tuple[int, str]:
    if len(parts) < 2:
        raise PeerError("Status-Line", "is version, status and reason")
    if parts[0] != "SIP/2.0":
        _check_version(parts[0])
    status = number(parts[1], "Status-Line", 699)
    if status < 100 or len(parts[1]) != 3:
        raise PeerError("Status-Line", "the status is 100 to 699")
    return status, parts[2] if len(parts) == 3 else ""


def _check_version(version: str) -> None:
    if version.upper() == "SIP/2.0":
        return
    if _version(version) is None:
        raise PeerError("SIP-Version", "is SIP/2.0")
    raise PeerError("SIP-Version", "is SIP/2.0", 505)
