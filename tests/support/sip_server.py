"""A transport with a real stack behind it that answers every request, for tests to talk to."""

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from certs.authority import Authority, create_authority
from certs.contexts import client_context
from pbx.sip.events import Event, RequestReceived
from pbx.sip.message import response_to
from pbx.sip.stack import Stack
from pbx.transport.config import SipConfig
from pbx.transport.credentials import Credentials
from pbx.transport.driver import Driver
from pbx.transport.flow import Ending

DOMAIN = "clinic.example"


def new_authority(directory: Path, domain: str = DOMAIN) -> Authority:
    directory.mkdir()
    authority = create_authority(directory, domain, lambda: time.time_ns() // 1000)
    authority.issue_server()
    return authority


def options(
    call: str = "1", *, body: bytes = b"", extra: str = "", method: str = "OPTIONS"
) -> bytes:
    """A request that any stack answers."""
    return (
        f"{method} sip:{DOMAIN} SIP/2.0\r\n"
        f"Via: SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK{call}\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:a@{DOMAIN}>;tag=1\r\n"
        f"To: <sip:{DOMAIN}>\r\n"
        f"Call-ID: {call}\r\n"
        f"CSeq: 1 {method}\r\n"
        f"{extra}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class SipServer:
    """A driver with a listener for each kind of log-in, on ports the kernel chose."""

    def __init__(self, authority: Authority, **limits: int) -> None:
        self.authority = authority
        self.config = msgspec.convert({"listen": ["127.0.0.1"], **limits}, SipConfig)
        self.stack = Stack()
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = self.answer
        self.driver = Driver(self.stack, self.config, self._deliver)
        self.credentials = Credentials(authority, self.driver)
        self.listener = self.credentials.listener("sip")
        self.certificate_listener = self.credentials.certificate_listener("certificate")
        self.listener.open(self.config.listen, 0)
        self.certificate_listener.open(self.config.listen, 0)

    @property
    def port(self) -> int:
        return self.listener.endpoints[0][1]

    @property
    def certificate_port(self) -> int:
        return self.certificate_listener.endpoints[0][1]

    def answer(self, event: Event) -> None:
        """200 to whatever the stack does not answer by itself."""
        if isinstance(event, RequestReceived):
            response = response_to(event.request, 200, to_tag="t")
            self.stack.respond(event.transaction, response, asyncio.get_running_loop().time())

    def log_in_everybody(self) -> None:
        """From now on each request logs its flow in."""

        def answer(event: Event) -> None:
            if isinstance(event, RequestReceived):
                self.driver.authenticated(event.flow)
            self.answer(event)

        self.on_event = answer

    def count(self, ending: Ending) -> int:
        return self.driver.endings.counts[ending]

    async def until(self, claim: Callable[[], bool], seconds: float = 60.0) -> None:
        """Let the loop run until the claim holds."""
        async with asyncio.timeout(seconds):
            while not claim():  # noqa: ASYNC110  # the claim is about anything, not one event
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self.listener.close()
        self.certificate_listener.close()
        await self.driver.stop()

    def _deliver(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)


class Phone:
    """A TLS client with a reader of whole answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(
        cls, server: SipServer, *, port: int = 0, context: ssl.SSLContext | None = None
    ) -> "Phone":
        context = context or client_context(server.authority.stock.root)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port or server.port, ssl=context, server_hostname=DOMAIN
        )
        return cls(reader, writer)

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> bytes:
        """The next message, head only unless it has a body."""
        async with asyncio.timeout(60):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            return head + await self.reader.readexactly(length)

    async def ask(self, data: bytes) -> int:
        """Send, and the status that comes back."""
        self.send(data)
        return int((await self.answer()).split(b" ", 2)[1])

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(60):
            try:
                return await self.reader.read()
            except OSError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()
