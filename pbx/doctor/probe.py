"""A phone as simple as can be, for checks: blocking, one TLS connection, whole messages.

It shares the messages and the digest with the exchange and nothing else.
"""

from __future__ import annotations

import re
import secrets
import socket
import ssl
from types import TracebackType
from typing import Self

from pbx.doctor.finding import CannotTell
from pbx.doctor.target import Target
from pbx.sip.credentials import Challenge
from pbx.sip.digest import answer, is_answerable
from pbx.sip.errors import SipError
from pbx.sip.headers import Headers
from pbx.sip.message import Request, Response, response_to
from pbx.sip.parser import parse_message

MOST = 1 << 20
_LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d{1,7})[ \t]*\r?$")


def unverified() -> ssl.SSLContext:
    """To look at a server whoever it is; what it says is judged elsewhere."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Probe:
    """`with Probe(target) as probe:`; raises OSError where nobody answers."""

    def __init__(
        self, target: Target, port: int = 0, context: ssl.SSLContext | None = None
    ) -> None:
        self._target = target
        raw = socket.create_connection((target.host, port or target.port), target.patience)
        try:
            wrapper = context or unverified()
            self._socket = wrapper.wrap_socket(raw, server_hostname=target.domain)
        except BaseException:
            raw.close()
            raise
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    @property
    def local(self) -> tuple[str, int]:
        host, port = self._socket.getsockname()[:2]
        return (f"[{host}]" if ":" in host else host), port

    def request(self, method: str, uri: str, username: str) -> Request:
        """A request outside of any dialog; `ask` adds Via."""
        aor = f"sip:{username}@{self._target.domain}"
        return Request(
            method,
            uri,
            Headers(
                ("Max-Forwards", "70"),
                ("From", f"<{aor}>;tag={secrets.token_hex(6)}"),
                ("To", f"<{aor if method == 'REGISTER' else uri}>"),
                ("Call-ID", secrets.token_hex(16)),
                ("CSeq", f"1 {method}"),
                ("User-Agent", "pbx doctor"),
            ),
        )

    def register(self, username: str) -> Request:
        """A REGISTER that asks and changes nothing: it has no Contact (RFC 3261 §10.2.3)."""
        return self.request("REGISTER", f"sip:{self._target.domain}", username)

    def ask(self, request: Request) -> Response:
        """Send in a new transaction; the final response."""
        self.send(request)
        return self.final(request)

    def final(self, request: Request) -> Response:
        while True:
            response = self._message()
            if isinstance(response, Request):
                self.write(response_to(response, 200, to_tag="doctor").encode())
            elif response.via.branch == request.via.branch and response.status >= 200:
                return response

    def send(self, request: Request) -> None:
        if "Via" in request.headers:
            request.headers.remove_first("Via")
        host, port = self.local
        branch = f"z9hG4bK{secrets.token_hex(12)}"
        request.headers.prepend("Via", f"SIP/2.0/TLS {host}:{port};branch={branch}")
        self.write(request.encode())

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def _message(self) -> Request | Response:
        while True:
            self._buffer = self._buffer.lstrip(b"\r\n")
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            length = _LENGTH.search(head + b"\r\n") if end else None
            size = int(length[1]) if length else 0
            if end and len(rest) >= size:
                message = head + end + rest[:size]
                self._buffer = rest[size:]
                try:
                    return parse_message(message)
                except SipError:
                    raise CannotTell("the answer is not SIP") from None
            if len(self._buffer) > MOST:
                raise CannotTell("the answer does not end")
            self._receive()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            raise CannotTell("no answer in time") from None
        if not data:
            raise CannotTell("the connection was closed instead of an answer")
        self._buffer += data


def challenge_of(response: Response) -> Challenge:
    """The one challenge of a 401 or 407 that we can answer."""
    name = "WWW-Authenticate" if response.status == 401 else "Proxy-Authenticate"
    for challenge in response.challenges(name):
        if is_answerable(challenge):
            return challenge
    raise CannotTell(f"no challenge came, but {response.status}")


def authorize(
    request: Request, challenge: Challenge, username: str, secret: str, nc: int = 1
) -> None:
    """Add credentials and take the next CSeq."""
    proof = answer(
        challenge,
        username,
        secret,
        (request.method, request.uri_text),
        cnonce=secrets.token_hex(8),
        nc=nc,
    )
    request.headers.set("Authorization", str(proof))
    request.headers.set("CSeq", f"{request.cseq.number + 1} {request.method}")
