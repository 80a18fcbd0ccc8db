"""Requests and responses (RFC 3261 section 7).

Fields are parsed when they are first read; `pbx.sip.parser` has already made sure of those
that routing reads. Reading a broken field raises PeerError.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from pbx.sip.address import Address, parse_addresses
from pbx.sip.credentials import Challenge, Credentials, is_digest
from pbx.sip.cseq import CSeq, RAck
from pbx.sip.errors import LocalError, PeerError
from pbx.sip.event import Event
from pbx.sip.grammar import checked, is_token, number, split_list, token
from pbx.sip.headers import Headers
from pbx.sip.reason import Reason
from pbx.sip.reasons import REASONS
from pbx.sip.replaces import Replaces
from pbx.sip.uri import Uri, parse_uri
from pbx.sip.via import Via

T = TypeVar("T")


class Message:
    """What requests and responses share. No ABC: each message is asked often what it is."""

    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers | None = None, body: bytes = b"") -> None:
        self.headers = Headers() if headers is None else headers
        self.body = body

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return self.headers.typed("Via", _top_via)

    @property
    def vias(self) -> tuple[Via, ...]:
        """All Vias, topmost first."""
        return self.headers.typed("Via*", _vias)

    @property
    def call_id(self) -> str:
        """Call-ID, compared case-sensitively."""
        return _required(self.headers, "Call-ID")

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        return self.headers.typed("CSeq", _cseq)

    @property
    def from_(self) -> Address:
        """From."""
        return self.headers.typed("From", _from)

    @property
    def to(self) -> Address:
        """To."""
        return self.headers.typed("To", _to)

    @property
    def contacts(self) -> tuple[Address, ...]:
        """All Contact addresses; empty for `Contact: *`."""
        return self.headers.typed("Contact", _contacts)

    @property
    def routes(self) -> tuple[Address, ...]:
        """Route, topmost first."""
        return self.addresses("Route")

    @property
    def record_routes(self) -> tuple[Address, ...]:
        """Record-Route, topmost first."""
        return self.addresses("Record-Route")

    @property
    def expires(self) -> int | None:
        """Expires in seconds; None if absent or malformed (RFC 3261 section 20.19)."""
        text = self.headers.first("Expires")
        if text is None or not (text.isascii() and text.isdigit()):
            return None
        return min(int(text), 2**32 - 1) if len(text) <= 20 else 2**32 - 1

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, 0 to 255; None if absent (RFC 3261 section 16.3)."""
        return self.number("Max-Forwards", 255)

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters; empty if there is none."""
        text = self.headers.first("Content-Type")
        return "" if text is None else text.partition(";")[0].strip(" \t").lower()

    @property
    def require(self) -> tuple[str, ...]:
        """Option tags, lower case."""
        return self.headers.typed("Require", lambda headers: _tokens(headers, "Require", True))

    @property
    def supported(self) -> tuple[str, ...]:
        """Option tags, lower case."""
        return self.headers.typed("Supported", lambda headers: _tokens(headers, "Supported", True))

    @property
    def allow(self) -> tuple[str, ...]:
        """Methods."""
        return self.headers.typed("Allow", lambda headers: _tokens(headers, "Allow", False))

    @property
    def event(self) -> Event | None:
        """Event (RFC 6665)."""
        return self._value("Event", Event.parse)

    @property
    def replaces(self) -> Replaces | None:
        """Replaces (RFC 3891)."""
        return self._value("Replaces", Replaces.parse)

    @property
    def rack(self) -> RAck | None:
        """RAck (RFC 3262)."""
        return self._value("RAck", RAck.parse)

    @property
    def rseq(self) -> int | None:
        """RSeq (RFC 3262)."""
        return self.number("RSeq")

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Reason (RFC 3326), each protocol once."""
        return self.headers.typed("Reason", _reasons)

    @property
    def authorizations(self) -> tuple[Credentials, ...]:
        """The Digest credentials of all Authorization lines; other schemes are passed over."""
        return self.headers.typed("Authorization", _authorizations)

    def challenges(self, name: str) -> tuple[Challenge, ...]:
        """The readable Digest challenges of WWW-Authenticate or Proxy-Authenticate lines."""
        return self.headers.typed(name, lambda headers: _challenges(headers, name))

    def addresses(self, name: str) -> tuple[Address, ...]:
        """A field that lists addresses: Path, Service-Route, P-Asserted-Identity and so on."""
        return self.headers.typed(name, lambda h: parse_addresses(h.all(name), name))

    def number(self, name: str, highest: int = 2**32 - 1) -> int | None:
        """A field that is one number: RSeq, Min-Expires and so on."""
        text = self.headers.first(name)
        return None if text is None else number(text, name, highest)

    def _value(self, name: str, parse: Callable[[str], T]) -> T | None:
        text = self.headers.first(name)
        return None if text is None else self.headers.typed(name, lambda _: parse(text))

    def encode(self) -> bytes:
        """The message as sent; Content-Length is always written and always right."""
        head = (
            f"{self.start_line}\r\n{self.headers.encode()}Content-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body

    @property
    @abstractmethod
    def start_line(self) -> str:
        """Request-Line or Status-Line."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return (self.start_line, self.headers, self.body) == (
            other.start_line,
            other.headers,
            other.body,
        )

    __hash__ = None  # type: ignore[assignment]  # mutable


class Request(Message):
    """Request = Request-Line *( message-header ) CRLF [ message-body ]"""

    __slots__ = ("_uri", "method", "uri_text")

    def __init__(
        self, method: str, uri: Uri | str, headers: Headers | None = None, body: bytes = b""
    ) -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri_text = str(uri)
        self._uri: Uri | None = None if isinstance(uri, str) else uri

    @property
    def uri(self) -> Uri:
        """The Request-URI."""
        if self._uri is None:
            self._uri = parse_uri(self.uri_text)
        return self._uri

    @uri.setter
    def uri(self, uri: Uri) -> None:
        self.uri_text, self._uri = str(uri), uri

    @property
    def start_line(self) -> str:
        """Method SP Request-URI SP SIP-Version."""
        if not is_token(self.method):
            raise LocalError("method", "is a token")
        if " " in self.uri_text or not self.uri_text:
            raise LocalError("Request-URI", "contains no space")
        return f"{self.method} {checked(self.uri_text, 'Request-URI')} SIP/2.0"

    def __repr__(self) -> str:
        return f"<Request {self.method}>"


class Response(Message):
    """Response = Status-Line *( message-header ) CRLF [ message-body ]"""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str | None = None,
        headers: Headers | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = REASONS.get(status, "") if reason is None else reason

    @property
    def start_line(self) -> str:
        """SIP-Version SP Status-Code SP Reason-Phrase."""
        if not 100 <= self.status <= 699:
            raise LocalError("status", "is 100 to 699")
        return f"SIP/2.0 {self.status} {checked(self.reason, 'reason')}"

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


_COPIED = frozenset({"Via", "From", "To", "Call-ID", "CSeq"})


def response_to(
    request: Request, status: int, reason: str | None = None, *, to_tag: str | None = None
) -> Response:
    """A response with the fields of section 8.2.6.2; `to_tag` is added if To has none."""
    headers = request.headers.pick(_COPIED)
    if to_tag is not None and _has_no_tag(request):
        headers.amend("To", f"{headers.first('To')};tag={token(to_tag, 'To')}")
    return Response(status, reason, headers)


def _has_no_tag(request: Request) -> bool:
    try:
        return request.to.tag is None
    except PeerError:
        return False  # broken: nothing is added to what nobody can read


def _required(headers: Headers, name: str) -> str:
    value = headers.first(name)
    if value is None:
        raise PeerError(name, "is present")
    return value


def _top_via(headers: Headers) -> Via:
    line = _required(headers, "Via")
    return Via.parse(split_list(line, "Via")[0] if "," in line else line)


def _vias(headers: Headers) -> tuple[Via, ...]:
    return tuple(Via.parse(element) for element in headers.elements("Via"))


def _cseq(headers: Headers) -> CSeq:
    return CSeq.parse(_required(headers, "CSeq"))


def _from(headers: Headers) -> Address:
    return Address.parse(_required(headers, "From"), "From")


def _to(headers: Headers) -> Address:
    return Address.parse(_required(headers, "To"), "To")


def _contacts(headers: Headers) -> tuple[Address, ...]:
    lines = headers.all("Contact")
    return () if lines == ["*"] else parse_addresses(lines, "Contact")


def _tokens(headers: Headers, name: str, fold: bool) -> tuple[str, ...]:
    found = [token(element, name) for element in headers.elements(name)]
    return tuple(element.lower() for element in found) if fold else tuple(found)


def _reasons(headers: Headers) -> tuple[Reason, ...]:
    return tuple(Reason.parse(element) for element in headers.elements("Reason"))


def _authorizations(headers: Headers) -> tuple[Credentials, ...]:
    lines = headers.all("Authorization")
    return tuple(Credentials.parse(line) for line in lines if is_digest(line))


def _challenges(headers: Headers, name: str) -> tuple[Challenge, ...]:
    # A challenge we cannot read must not hide one that we can (RFC 8760 section 2.4).
    found = []
    for line in headers.all(name):
        with suppress(PeerError):
            found.append(Challenge.parse(line, name))
    return tuple(found)
