"""A SIP phone of our own for tests and load: TLS, digest or certificate, one line, calls.

It parses with `pbx.sip` but keeps its transactions and dialogs by itself, in the simplest way
that works over TLS, so that a mistake in our stack is not mirrored here.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import ssl
from dataclasses import dataclass

from pbx.sip.credentials import Challenge
from pbx.sip.digest import answer
from pbx.sip.headers import Headers
from pbx.sip.message import Message, Request, Response, response_to
from pbx.sip.parser import parse_message
from tests.support.phone_call import Incoming, Outgoing
from tests.support.tls_client import TlsClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a phone is configured with."""

    username: str
    domain: str
    password: str = ""
    """Empty: the phone has a client certificate, in its TLS context."""

    @property
    def aor(self) -> str:
        return f"sip:{self.username}@{self.domain}"


class Phone:
    """Connect, register, call and be called."""

    def __init__(self, account: Account, *, instance: str = "", reuses_nonces: bool = True) -> None:
        self.account = account
        self.incoming: asyncio.Queue[Incoming] = asyncio.Queue()
        self.notified: asyncio.Queue[Request] = asyncio.Queue()
        self.notify_status = 200
        """How a NOTIFY is answered."""
        self.stray: list[Message] = []
        """Messages that belong to nothing; a test may look at them."""
        self.closed = asyncio.Event()
        self.challenges = 0
        self._instance = instance
        self._reuses_nonces = reuses_nonces
        self._client = TlsClient(self._received, self.closed.set)
        self._cseq = itertools.count(1)
        self._registration = secrets.token_hex(8)
        self._waiting: dict[str, asyncio.Queue[Response]] = {}
        self._calls: dict[str, Incoming | Outgoing] = {}
        self._challenge: Challenge | None = None
        self._nc = itertools.count(1)

    async def connect(
        self, address: tuple[str, int], context: ssl.SSLContext, source: str | None = None
    ) -> None:
        """Open the flow; the server's certificate is checked as the context says."""
        self.closed.clear()
        await self._client.connect(address, context, self.account.domain, source)
        self._challenge = None

    @property
    def is_connected(self) -> bool:
        return self._client.is_open

    @property
    def tls_version(self) -> str:
        return self._client.version

    @property
    def contact(self) -> str:
        """Where we say we are; the server should not believe it."""
        host, port = self._client.local
        instance = f';+sip.instance="<urn:uuid:{self._instance}>"' if self._instance else ""
        reg_id = ";reg-id=1" if self._instance else ""
        return f"<sip:{self.account.username}@{host}:{port};transport=tls>{instance}{reg_id}"

    async def register(self, expires: int = 600) -> Response:
        """REGISTER, answering a challenge; the final response."""
        request = self.request("REGISTER", f"sip:{self.account.domain}")
        request.headers.set("Call-ID", self._registration)
        request.headers.add("Contact", self.contact)
        request.headers.add("Expires", str(expires))
        return await self.ask(request)

    async def unregister(self) -> Response:
        """Take our binding away."""
        return await self.register(0)

    def invite(
        self,
        target: str,
        body: bytes = b"",
        *headers: tuple[str, str],
        kind: str = "application/sdp",
    ) -> Outgoing:
        """Begin a call; `await call.answered()` goes on. A bare number is one of our domain's."""
        uri = target if ":" in target else f"sip:{target}@{self.account.domain}"
        request = self.request("INVITE", uri)
        request.headers.add("Contact", self.contact)
        for name, value in headers:
            request.headers.add(name, value)
        if body:
            request.headers.add("Content-Type", kind)
            request.body = body
        call = Outgoing(self, request)
        self._calls[request.call_id] = call
        return call

    async def ping(self, seconds: float = 60.0) -> None:
        """Keep-alive; raises TimeoutError if there is no pong."""
        await self._client.ping(seconds)

    def close(self) -> None:
        """Vanish: no BYE, no unregistration."""
        self._client.close()

    # ---- for calls -------------------------------------------------------------------------

    def request(self, method: str, uri: str) -> Request:
        """A request outside any dialog, still without Via."""
        return Request(
            method,
            uri,
            Headers(
                ("Max-Forwards", "70"),
                ("From", f"<{self.account.aor}>;tag={secrets.token_hex(4)}"),
                ("To", f"<{self.account.aor if method == 'REGISTER' else uri}>"),
                ("Call-ID", secrets.token_hex(12)),
                ("CSeq", f"{next(self._cseq)} {method}"),
                ("User-Agent", "test phone"),
            ),
        )

    async def ask(self, request: Request, seconds: float = 60.0) -> Response:
        """Send and wait for the final response, answering a challenge as often as it is stale."""
        async with asyncio.timeout(seconds):
            self.authorize(request)
            while True:
                responses = self.start(request)
                response = await responses.get()
                while response.status < 200:
                    response = await responses.get()
                self.finish(request)
                if not self.answers(request, response):
                    return response

    def answers(self, request: Request, response: Response) -> bool:
        """Whether it was a challenge that the request can now be sent again with an answer to."""
        if response.status not in (401, 407) or not self.account.password:
            return False
        name = "WWW-Authenticate" if response.status == 401 else "Proxy-Authenticate"
        challenges = response.challenges(name)
        if not challenges or (self._credentials_of(request) and not challenges[0].is_stale):
            return False
        self.challenges += 1
        self._challenge, self._nc = challenges[0], itertools.count(1)
        request.headers.set("CSeq", f"{next(self._cseq)} {request.method}")
        self.authorize(request, response.status == 407)
        return True

    def authorize(self, request: Request, proxy: bool = False) -> None:
        """Add credentials for the challenge we know, if we know one."""
        if self._challenge is None:
            return
        proof = answer(
            self._challenge,
            self.account.username,
            self.account.password,
            (request.method, request.uri_text),
            cnonce=secrets.token_hex(4),
            nc=next(self._nc),
        )
        name = "Proxy-Authorization" if proxy else "Authorization"
        request.headers.set(name, str(proof))
        if not self._reuses_nonces:
            self._challenge = None

    def start(self, request: Request) -> asyncio.Queue[Response]:
        """Send a request in a new transaction; responses come through the queue."""
        if "Via" in request.headers:
            request.headers.remove_first("Via")
        host, port = self._client.local
        branch = "z9hG4bK" + secrets.token_hex(8)
        request.headers.prepend("Via", f"SIP/2.0/TLS {host}:{port};branch={branch};rport")
        queue: asyncio.Queue[Response] = asyncio.Queue()
        self._waiting[_key(branch, request.method)] = queue
        self.send(request)
        return queue

    def finish(self, request: Request) -> None:
        """The transaction is over."""
        self._waiting.pop(_key(request.via.branch, request.method), None)

    def send(self, message: Message) -> None:
        self._client.send(message.encode())

    def send_bytes(self, data: bytes) -> None:
        """What no message of ours would be."""
        self._client.send(data)

    def hung_up(self, call_id: str) -> None:
        """The call is over; what still comes for it is stray."""
        self._calls.pop(call_id, None)

    def _credentials_of(self, request: Request) -> bool:
        return "Authorization" in request.headers or "Proxy-Authorization" in request.headers

    def _received(self, data: bytes) -> None:
        message = parse_message(data)
        call = self._calls.get(message.call_id)
        if isinstance(message, Response):
            queue = self._waiting.get(_key(message.via.branch, message.cseq.method))
            if queue is not None:
                queue.put_nowait(message)
            elif isinstance(call, Outgoing) and message.cseq.method == "INVITE":
                call.repeated(message)
            else:
                self.stray.append(message)
        elif call is not None:
            call.requested(message)
        elif message.method == "INVITE" and message.to.tag is None:
            call = self._calls[message.call_id] = Incoming(self, message)
            self.incoming.put_nowait(call)
        elif message.method == "NOTIFY":
            self.notified.put_nowait(message)
            self.send(response_to(message, self.notify_status, to_tag="n"))
        elif message.method == "OPTIONS":
            self.send(response_to(message, 200, to_tag="o"))
        else:
            self.stray.append(message)
            if message.method != "ACK":
                self.send(response_to(message, 481, to_tag="s"))


def _key(branch: str | None, method: str) -> str:
    return f"{method} {branch}"
