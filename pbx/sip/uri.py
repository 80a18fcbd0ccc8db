"""SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966).

Values are kept unescaped and escaped again when written. Comparison follows RFC 3261
section 19.1.4; it is not `==`, which compares spellings.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

from pbx.sip.errors import PeerError
from pbx.sip.grammar import Parameters, checked
from pbx.sip.hosts import HOST, host, port

LONGEST = 2048
"""A longer URI is 414; browsers and proxies stop there too."""

_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
_ESCAPED = r"%[0-9A-Fa-f]{2}"
# "#" is not in the grammar, but phones dial it unescaped; we write it escaped
_USER = rf"(?:[{_UNRESERVED}&=+$,;?/#]++|{_ESCAPED})+"
_PASSWORD = rf"(?:[{_UNRESERVED}&=+$,]++|{_ESCAPED})*"
_PART = rf"(?:[{_UNRESERVED}\[\]/:&+$]++|{_ESCAPED})+"
_HEADER = rf"(?:[{_UNRESERVED}\[\]/?:+$]++|{_ESCAPED})"

_sip = re.compile(
    rf"(sips?+):(?:({_USER})(?::({_PASSWORD}))?@)?({HOST})(?::([0-9]++))?"
    rf"((?:;{_PART}(?:={_PART})?)*)(?:\?({_HEADER}+={_HEADER}*(?:&{_HEADER}+={_HEADER}*)*))?",
    re.IGNORECASE,
).fullmatch
_tel = re.compile(
    rf"tel:(\+[0-9\-.()]++|[0-9A-F*#\-.()]++)((?:;{_PART}(?:={_PART})?)*)", re.IGNORECASE
).fullmatch
_absolute = re.compile(
    rf"([A-Za-z][A-Za-z0-9+\-.]*+):((?:[{_UNRESERVED};/?:@&=+$,#\[\]]++|{_ESCAPED})+)"
).fullmatch

_SAFE_USER = "-_.!~*'()&=+$,;?/"
_SAFE_PASSWORD = "-_.!~*'()&=+$,"  # noqa: S105  # an alphabet
_SAFE_PART = "-_.!~*'()[]/:&+$"
_SAFE_HEADER = "-_.!~*'()[]/?:+$"
_MUST_MATCH = ("transport", "user", "ttl", "method", "maddr")


class SipUri(Struct, frozen=True, kw_only=True):
    """sip:user:password@host:port;parameters?headers"""

    host: str
    """Lower case; IPv6 in brackets."""
    user: str | None = None
    password: str | None = None
    port: int | None = None
    parameters: Parameters = {}
    headers: tuple[tuple[str, str], ...] = ()
    scheme: str = "sip"

    @property
    def transport(self) -> str | None:
        """The transport parameter, lower case."""
        value = self.parameters.get("transport")
        return value and value.lower()

    @property
    def aor(self) -> str:
        """The address of record: scheme, user and host, nothing else (RFC 3261 section 10.3)."""
        return str(SipUri(scheme=self.scheme, user=self.user, host=self.host))

    def matches(self, other: Uri) -> bool:
        """Equal by RFC 3261 section 19.1.4."""
        if not isinstance(other, SipUri):
            return False
        mine, theirs = self.parameters, other.parameters
        return (
            (self.scheme, self.user, self.password, self.host, self.port)
            == (other.scheme, other.user, other.password, other.host, other.port)
            and all(_same(mine.get(name), theirs.get(name)) for name in _MUST_MATCH)
            and all(_same(mine[name], theirs[name]) for name in mine.keys() & theirs.keys())
            and sorted((n.lower(), v) for n, v in self.headers)
            == sorted((n.lower(), v) for n, v in other.headers)
        )

    def __str__(self) -> str:
        text = self.scheme + ":"
        if self.user is not None:
            text += quote(self.user, safe=_SAFE_USER)
            if self.password is not None:
                text += ":" + quote(self.password, safe=_SAFE_PASSWORD)
            text += "@"
        text += checked(self.host, "URI")
        if self.port is not None:
            text += f":{self.port}"
        text += _write(self.parameters)
        if self.headers:
            pairs = [
                f"{quote(n, safe=_SAFE_HEADER)}={quote(v, safe=_SAFE_HEADER)}"
                for n, v in self.headers
            ]
            text += "?" + "&".join(pairs)
        return text


class TelUri(Struct, frozen=True, kw_only=True):
    """tel:number;parameters (RFC 3966)."""

    number: str
    """As written, visual separators included."""
    parameters: Parameters = {}

    @property
    def digits(self) -> str:
        """The number without visual separators."""
        return self.number.translate(_SEPARATORS).upper()

    def matches(self, other: Uri) -> bool:
        """Equal by RFC 3966 section 4."""
        if not isinstance(other, TelUri) or self.digits != other.digits:
            return False
        mine, theirs = self.parameters, other.parameters
        return mine.keys() == theirs.keys() and all(_same(mine[n], theirs[n]) for n in mine)

    def __str__(self) -> str:
        return "tel:" + checked(self.number, "URI") + _write(self.parameters)


class OtherUri(Struct, frozen=True, kw_only=True):
    """Any other absolute URI; opaque."""

    scheme: str
    rest: str

    def matches(self, other: Uri) -> bool:
        """Equal as spelled."""
        return self == other

    def __str__(self) -> str:
        return checked(f"{self.scheme}:{self.rest}", "URI")


Uri = SipUri | TelUri | OtherUri
_SEPARATORS = str.maketrans("", "", "-.()")


def parse_uri(text: str) -> Uri:
    """SIP-URI / SIPS-URI / telephone-uri / absoluteURI; the text has no angle brackets."""
    if len(text) > LONGEST:
        raise PeerError("URI", f"is at most {LONGEST} characters", 414)
    match = _sip(text)
    if match is not None:
        return _sip_uri(match)
    scheme = text.partition(":")[0].lower()
    if scheme in ("sip", "sips"):
        raise PeerError("URI", "follows the SIP-URI grammar")
    if scheme == "tel":
        return _tel_uri(text)
    other = _absolute(text)
    if other is None:
        raise PeerError("URI", "is an absolute URI")
    return OtherUri(scheme=scheme, rest=other[2])


def _sip_uri(match: re.Match[str]) -> SipUri:
    scheme, user, password, host_text, port_text, parameters, headers = match.groups()
    if user is not None and "%" in user:
        user = unescape(user)
    return SipUri(
        scheme=scheme.lower(),
        user=user,
        password=password and unescape(password),
        host=host(host_text, "URI"),
        port=None if port_text is None else port(port_text, "URI"),
        parameters=_read(parameters) if parameters else {},
        headers=_pairs(headers) if headers else (),
    )


def _tel_uri(text: str) -> TelUri:
    match = _tel(text)
    if match is None or match[1].translate(_SEPARATORS) in ("", "+"):
        raise PeerError("URI", "follows the tel-URI grammar")
    # RFC 3966 §5.1.4 wants a phone-context for a local number. Phones dial tel:911 without one,
    # and there is no context here but our own.
    return TelUri(number=match[1], parameters=_read(match[2]))


def unescape(text: str) -> str:
    """%HH sequences to UTF-8 text."""
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise PeerError("URI", "escapes are UTF-8") from None


def _read(text: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    pieces = text.split(";")
    is_escaped = "%" in text
    for piece in pieces[1:]:
        name, equals, value = piece.partition("=")
        if is_escaped:
            name, value = unescape(name), unescape(value)
        found[name.lower()] = value if equals else None
    if len(found) != len(pieces) - 1:
        raise PeerError("URI", "a parameter appears once")
    return found


def _write(parameters: Parameters) -> str:
    text = ""
    for name, value in parameters.items():
        text += ";" + quote(name, safe=_SAFE_PART)
        if value is not None:
            text += "=" + quote(value, safe=_SAFE_PART)
    return text


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [piece.partition("=") for piece in text.split("&")]
    return tuple((unescape(name), unescape(value)) for name, _, value in pairs)


def _same(a: str | None, b: str | None) -> bool:
    return a == b or (a is not None and b is not None and a.lower() == b.lower())
