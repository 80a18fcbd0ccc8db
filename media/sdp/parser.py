"""Reads a session description strictly, and bounded before anything is converted (RFC 8866 §9)."""

import ipaddress
from dataclasses import dataclass, field

from media.errors import MediaError
from media.sdp.model import Attribute, Connection, Media, SessionDescription

MAX_BYTES = 16_384
"""A phone offering every codec, ICE candidates and video stays below 6 KiB."""
MAX_LINES = 400
MAX_LINE = 1_024
MAX_MEDIA = 16
MAX_FORMATS = 64

TOKEN = frozenset("!#$%&'*+-.^_`{|}~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
KNOWN = frozenset("vosiuepcbtrzkam")


class Malformed(MediaError):
    """Not a session description; says which line and which rule."""


@dataclass(slots=True)
class _Section:
    """The session's lines, or one stream's, while they are read."""

    head: Media | None = None
    connection: Connection | None = None
    attributes: list[Attribute] = field(default_factory=list)

    def media(self, head: Media) -> Media:
        return Media(
            head.kind,
            head.port,
            head.protocol,
            head.formats,
            self.connection,
            tuple(self.attributes),
        )


def parse(data: bytes) -> SessionDescription:
    """The whole description, or `Malformed`."""
    lines = _lines(data)
    if lines[0] != ("v", "0"):
        raise Malformed("v: the first line is v=0")
    if len(lines) < 2 or lines[1][0] != "o":
        raise Malformed("o: follows v=0")
    session_id, version = _origin(lines[1][1])
    sections = [_Section()]
    seen = set()
    for letter, value in lines[2:]:
        if letter == "m":
            sections.append(_Section(_media(value)))
            if len(sections) > MAX_MEDIA + 1:
                raise Malformed("m: too many streams")
        else:
            seen.add(letter)
            _line(sections[-1], letter, value)
    if not {"s", "t"} <= seen:
        raise Malformed("s, t: both are required")
    return SessionDescription(
        session_id,
        version,
        sections[0].connection,
        tuple(s.media(s.head) for s in sections if s.head),
        tuple(sections[0].attributes),
    )


def _lines(data: bytes) -> list[tuple[str, str]]:
    if len(data) > MAX_BYTES:
        raise Malformed("body: at most 16 KiB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("body: UTF-8") from None
    # RFC 8866 §5: CRLF, and parsers should take a lone LF.
    # Blanks at the end of a line, and blank lines behind the last one, are what some phones write.
    rows = [row.rstrip(" \r") for row in text.rstrip(" \r\n").split("\n")]
    if len(rows) > MAX_LINES:
        raise Malformed("body: too many lines")
    return [_split(row) for row in rows]


def _split(row: str) -> tuple[str, str]:
    if len(row) > MAX_LINE:
        raise Malformed("line: too long")
    if len(row) < 2 or row[1] != "=" or row[0] not in KNOWN:
        raise Malformed("line: a known letter, then =")
    if not row.replace("\t", " ").isprintable():
        raise Malformed("line: no control characters but the tab")
    return row[0], row[2:]


def _line(section: _Section, letter: str, value: str) -> None:
    if letter in "vo":
        raise Malformed("v, o: once each")
    if letter == "c":
        if section.connection and not section.head:
            raise Malformed("c: once for the session")
        section.connection = _connection(value)
    elif letter == "a":
        name, _, rest = value.partition(":")
        if not is_token(name):
            raise Malformed("a: the name is a token")
        section.attributes.append(Attribute(name, rest.strip()))


def _origin(value: str) -> tuple[str, int]:
    parts = value.split(" ")
    if len(parts) != 6 or parts[3] != "IN":
        raise Malformed("o: six fields")
    return str(number(parts[1], 10**20, "o")), number(parts[2], 10**20, "o")


def _connection(value: str) -> Connection:
    parts = value.split(" ")
    if len(parts) != 3 or parts[0] != "IN" or parts[1] not in ("IP4", "IP6"):
        raise Malformed("c: IN, IP4 or IP6, address")
    version = int(parts[1][2])
    try:
        address = ipaddress.ip_address(parts[2])
    except ValueError:
        if not all(c in TOKEN for c in parts[2]):  # a host name; multicast "/ttl" has no place here
            raise Malformed("c: an address or a host name") from None
        return Connection(parts[2], version)
    if address.version != version:
        raise Malformed("c: the address is of the named kind")
    # A zone (RFC 4007 §11) means nothing but on the machine that wrote it, and may be any text: a
    # socket would look it up.
    return Connection(str(address).partition("%")[0], version)


def _media(value: str) -> Media:
    parts = value.split(" ")
    if len(parts) < 4 or len(parts) > MAX_FORMATS + 3:
        raise Malformed("m: kind, port, protocol, formats")
    kind, port, protocol, *formats = parts
    if not is_token(kind) or not all(is_token(p) for p in protocol.split("/")):
        raise Malformed("m: kind and protocol are tokens")
    if not all(is_token(f) for f in formats):
        raise Malformed("m: formats are tokens")
    first, slash, count = port.partition("/")
    if slash and number(count, 255, "m") != 1:
        raise Malformed("m: one port")
    return Media(kind, number(first, 65_535, "m"), protocol, tuple(formats))


def is_token(text: str) -> bool:
    """RFC 8866 §9 token."""
    return bool(text) and TOKEN.issuperset(text)


def number(text: str, most: int, line: str) -> int:
    """A decimal number, bounded before it is converted."""
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise Malformed(f"{line}: a decimal number")
    if int(text) > most:
        raise Malformed(f"{line}: number too large")
    return int(text)
