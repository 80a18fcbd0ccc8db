"""A lean SIP phone: TLS to the listener that phones use, digest, one call at a time.

It shares the parser with the exchange and nothing else: transactions and dialog are its own, in
the simplest way that works over a reliable transport (RFC 3261 §17, §12).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import ssl
from dataclasses import dataclass

from pbx.sip.digest import answer, is_answerable
from pbx.sip.errors import SipError
from pbx.sip.headers import Headers
from pbx.sip.message import Message, Request, Response, response_to
from pbx.sip.parser import parse_message
from pbx.testcall.errors import CallTestFailed

HEAD = 65_536
END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Line:
    """What the phone is told: where to connect, and how to prove itself."""

    address: tuple[str, int]
    domain: str
    username: str
    secret: str
    context: ssl.SSLContext


class Phone:
    """Register, call, be called, hang up."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._responses: asyncio.Queue[Response] = asyncio.Queue()
        self._requests: asyncio.Queue[Request] = asyncio.Queue()
        self._cseq = itertools.count(1)
        self._dialog: Headers | None = None
        self._target = ""
        self._reading: asyncio.Task[None] | None = None
        self.tls = ""
        """Version and cipher of the connection."""

    async def connect(self) -> None:
        """TCP and TLS; the server's certificate must be of our authority, for our domain."""
        host, port = self._line.address
        try:
            reader, self._writer = await asyncio.open_connection(
                host, port, ssl=self._line.context, server_hostname=self._line.domain, limit=HEAD
            )
        except ssl.SSLCertVerificationError as error:
            raise CallTestFailed(
                f"the server's certificate was not accepted ({error.verify_message})"
            ) from None
        except OSError as error:
            raise CallTestFailed(
                f"no TLS connection to {host} port {port} ({type(error).__name__})"
            ) from None
        chosen = self._writer.get_extra_info("cipher")
        self.tls = f"{chosen[1]}, {chosen[0]}"
        self._reading = asyncio.create_task(self._read(reader), name="test phone")

    async def register(self) -> None:
        request = self._request("REGISTER", f"sip:{self._line.domain}", self._own)
        request.headers.add("Contact", f"<{self._contact}>")
        request.headers.add("Expires", "120")
        response = await self._answered(request)
        if response.status != 200:
            raise CallTestFailed(f"registration was answered {response.status}")

    async def call(self, number: str, offer: bytes) -> bytes:
        """INVITE to the ACK of its 2xx; the answer."""
        uri = f"sip:{number}@{self._line.domain}"
        request = self._request("INVITE", uri, f"<{uri}>")
        request.headers.add("Contact", f"<{self._contact}>")
        request.headers.add("Content-Type", "application/sdp")
        request.body = offer
        response = await self._answered(request)
        if response.status >= 300:
            raise CallTestFailed(f"the call was answered {response.status}")
        self._enter(request, request.headers.all("From")[0], response.headers.all("To")[0])
        self._target = response.contacts[0].uri_text
        acknowledgement = self._in_dialog("ACK")
        acknowledgement.headers.set("CSeq", f"{request.cseq.number} ACK")
        self._send(acknowledgement)
        return response.body

    async def called(self) -> Request:
        """The next call to us, ringing."""
        invite = await self._next("INVITE")
        self._send(self._to_us(invite, 180))
        return invite

    async def accept(self, invite: Request, answer_: bytes) -> None:
        """200 to its ACK."""
        response = self._to_us(invite, 200)
        response.headers.add("Content-Type", "application/sdp")
        response.body = answer_
        self._enter(invite, response.headers.all("To")[0], invite.headers.all("From")[0])
        self._target = invite.contacts[0].uri_text
        self._send(response)
        await self._next("ACK")

    async def hang_up(self) -> None:
        response = await self._answered(self._in_dialog("BYE"))
        if response.status != 200:
            raise CallTestFailed(f"hanging up was answered {response.status}")

    async def hung_up(self) -> None:
        """The other side ends the call."""
        self._send(response_to(await self._next("BYE"), 200))

    async def close(self) -> None:
        if self._reading is None:
            return
        self._reading.cancel()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        await asyncio.gather(self._reading, return_exceptions=True)

    @property
    def host(self) -> str:
        """Our address as the server sees it; media comes from there too."""
        return str(self._writer.get_extra_info("sockname")[0])

    # -- requests

    @property
    def _own(self) -> str:
        return f"<sip:{self._line.username}@{self._line.domain}>"

    @property
    def _local(self) -> str:
        host, port = self._writer.get_extra_info("sockname")[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def _contact(self) -> str:
        return f"sip:{self._line.username}@{self._local};transport=tls"

    def _request(self, method: str, uri: str, to: str) -> Request:
        return Request(
            method,
            uri,
            Headers(
                ("Max-Forwards", "70"),
                ("From", f"{self._own};tag={secrets.token_hex(4)}"),
                ("To", to),
                ("Call-ID", secrets.token_hex(12)),
                ("CSeq", f"{next(self._cseq)} {method}"),
                ("User-Agent", "hipaa-pbx test call"),
            ),
        )

    def _in_dialog(self, method: str) -> Request:
        if self._dialog is None:
            raise CallTestFailed("there is no call to speak about")
        request = self._request(method, self._target, self._own)
        for name in ("From", "To", "Call-ID"):
            request.headers.set(name, self._dialog.all(name)[0])
        return request

    def _enter(self, invite: Request, local: str, remote: str) -> None:
        self._dialog = Headers(("From", local), ("To", remote), ("Call-ID", invite.call_id))

    def _to_us(self, invite: Request, status: int) -> Response:
        response = response_to(invite, status, to_tag=invite.via.branch or "callee")
        response.headers.add("Contact", f"<{self._contact}>")
        return response

    async def _answered(self, request: Request) -> Response:
        """The final response, after one challenge at most."""
        response = await self._exchange(request)
        if response.status != 401:
            return response
        challenge = next(iter(response.challenges("WWW-Authenticate")), None)
        if challenge is None or not is_answerable(challenge):
            raise CallTestFailed("the challenge is none that a phone can answer")
        if request.method == "INVITE":
            self._acknowledge_refusal(request, response)
        proof = answer(
            challenge,
            self._line.username,
            self._line.secret,
            (request.method, request.uri_text),
            cnonce=secrets.token_hex(8),
        )
        request.headers.set("Authorization", str(proof))
        request.headers.set("CSeq", f"{next(self._cseq)} {request.method}")
        return await self._exchange(request)

    async def _exchange(self, request: Request) -> Response:
        request.headers.remove("Via")
        self._send(request)
        while True:
            response = await self._responses.get()
            if response.status >= 200 and response.cseq == request.cseq:
                return response

    def _acknowledge_refusal(self, invite: Request, response: Response) -> None:
        acknowledgement = Request("ACK", invite.uri_text)
        for name in ("Via", "From", "Call-ID", "Max-Forwards"):
            acknowledgement.headers.add(name, invite.headers.all(name)[0])
        acknowledgement.headers.add("To", response.headers.all("To")[0])
        acknowledgement.headers.add("CSeq", f"{response.cseq.number} ACK")
        self._send(acknowledgement)

    def _send(self, message: Message) -> None:
        if isinstance(message, Request) and "Via" not in message.headers:
            branch = "z9hG4bK" + secrets.token_hex(8)
            via = f"SIP/2.0/TLS {self._local};branch={branch};rport"
            message.headers.prepend("Via", via)
        self._writer.write(message.encode())

    async def _next(self, method: str) -> Request:
        while True:
            request = await self._requests.get()
            if request.method == method:
                return request
            if request.method != "ACK":
                self._send(response_to(request, 200, to_tag="test"))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, SipError):
            while True:
                head = (await reader.readuntil(END)).lstrip(b"\r\n")
                if not head:
                    continue
                message = parse_message(head + await reader.readexactly(_length(head)))
                if isinstance(message, Response):
                    self._responses.put_nowait(message)
                else:
                    self._requests.put_nowait(message)


def _length(head: bytes) -> int:
    """What the exchange itself wrote; it always says how long a body is."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0
