"""A TLS connection that carries SIP, from the phone's side: lean, because thousands are opened.

A non-blocking SSLSocket on the loop's reader costs half the CPU of asyncio's TLS transport and
none of its quarter of a megabyte of buffers per connection.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable

_length = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d+)", re.IGNORECASE).search


class TlsClient:
    """Whole messages in, bytes out."""

    def __init__(
        self,
        received: Callable[[bytes], None],
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        self._received, self._closed = received, closed
        self._loop = asyncio.get_running_loop()
        self._socket: ssl.SSLSocket | None = None
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._pongs: list[asyncio.Future[None]] = []

    async def connect(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext,
        server_name: str,
        source: str | None = None,
    ) -> None:
        """TCP and TLS; raises OSError or ssl.SSLError."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        plain = socket.socket(family, socket.SOCK_STREAM)
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if source is not None:
                plain.bind((source, 0))
            await self._loop.sock_connect(plain, address)
            self._socket = context.wrap_socket(
                plain, do_handshake_on_connect=False, server_hostname=server_name
            )
            await self._handshake(self._socket)
        except BaseException:
            (self._socket or plain).close()
            self._socket = None
            raise
        self._loop.add_reader(self._socket.fileno(), self._readable)

    async def _handshake(self, tls: ssl.SSLSocket) -> None:
        while True:
            ready: asyncio.Future[None] = self._loop.create_future()
            try:
                tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                self._loop.add_reader(tls.fileno(), _settle, ready)
                await ready
                self._loop.remove_reader(tls.fileno())
            except ssl.SSLWantWriteError:
                self._loop.add_writer(tls.fileno(), _settle, ready)
                await ready
                self._loop.remove_writer(tls.fileno())

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    @property
    def local(self) -> tuple[str, int]:
        """Our address, for Via and Contact."""
        assert self._socket is not None
        host, port = self._socket.getsockname()[:2]
        return (f"[{host}]" if ":" in host else host), port

    @property
    def version(self) -> str:
        assert self._socket is not None
        return self._socket.version() or ""

    def send(self, data: bytes) -> None:
        """Send now what fits, the rest when there is room."""
        if self._outgoing:
            self._outgoing += data
            return
        if self._socket is None:
            return
        try:
            sent = self._socket.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent = 0
        except OSError:
            self.close()
            return
        if sent < len(data):
            self._outgoing += data[sent:]
            self._loop.add_writer(self._socket.fileno(), self._writable)

    async def ping(self, seconds: float = 60.0) -> None:
        """CRLF keep-alive (RFC 5626 section 4.4.1); raises TimeoutError without a pong."""
        pong: asyncio.Future[None] = self._loop.create_future()
        self._pongs.append(pong)
        self.send(b"\r\n\r\n")
        async with asyncio.timeout(seconds):
            await pong

    def close(self) -> None:
        """Close without ceremony."""
        if self._socket is None:
            return
        tls, self._socket = self._socket, None
        self._loop.remove_reader(tls.fileno())
        self._loop.remove_writer(tls.fileno())
        tls.close()
        self._outgoing.clear()
        for pong in self._pongs:
            pong.cancel()
        self._closed()

    def _readable(self) -> None:
        while self._socket is not None:
            try:
                data = self._socket.recv(65_536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            self._incoming += data
            self._frame()

    def _frame(self) -> None:
        incoming = self._incoming
        while incoming:
            if incoming[:2] == b"\r\n":
                del incoming[:2]
                if self._pongs:
                    _settle(self._pongs.pop(0))
                continue
            end = incoming.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _length(incoming, 0, end)
            end += 4 + (int(length[1]) if length else 0)
            if len(incoming) < end:
                return
            message = bytes(incoming[:end])
            del incoming[:end]
            self._received(message)

    def _writable(self) -> None:
        if self._socket is None:
            return
        try:
            sent = self._socket.send(self._outgoing)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self.close()
            return
        del self._outgoing[:sent]
        if not self._outgoing:
            self._loop.remove_writer(self._socket.fileno())


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
