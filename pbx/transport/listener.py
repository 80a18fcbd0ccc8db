"""Listening sockets: one port on several addresses, whose TLS context can be swapped at any time.

A listener accepts and asks; it knows nothing of SIP. What it sets on the listening socket the
kernel hands down to each connection.
"""

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence

import structlog

from pbx.sip.flows import Endpoint
from pbx.transport.channel import Channel
from pbx.transport.errors import LocalError

_log = structlog.get_logger()

_BACKLOG = 4_096
_BATCH = 8  # so that a storm of connections leaves time for the phones that are here
_CS3 = 24 << 2  # DSCP class selector 3, signalling (RFC 4594 §3.3)
_PAUSE = 0.5  # seconds, when descriptors have run out
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Accepted = Callable[[socket.socket, Endpoint, "Listener"], None]
"""A new connection, from where, and by which listener; nothing of TLS has happened yet."""


class Listener:
    """A named port: phones are told to use it, policies go by its name."""

    def __init__(self, name: str, context: ssl.SSLContext, accepted: Accepted) -> None:
        self.name = name
        self.demands_certificate = context.verify_mode is ssl.CERT_REQUIRED
        self._context = context
        self._accepted = accepted
        self._sockets: list[socket.socket] = []
        self._loop = asyncio.get_running_loop()

    @property
    def endpoints(self) -> list[Endpoint]:
        """Where it listens; empty while closed."""
        return [plain.getsockname()[:2] for plain in self._sockets]

    def open(self, addresses: Sequence[str], port: int) -> None:
        """Listen on all addresses or on none; port 0: the kernel chooses one for all."""
        if self._sockets:
            return
        try:
            for address in addresses:
                self._sockets.append(_bound(address, port))
                port = port or self._sockets[0].getsockname()[1]
        except OSError as error:
            self.close()
            raise LocalError(
                f"The SIP port {port} cannot be opened: {(error.strerror or 'refused').lower()}."
            ) from None
        for plain in self._sockets:
            self._loop.add_reader(plain.fileno(), self._accept, plain)

    def replace_context(self, context: ssl.SSLContext) -> None:
        """For connections from now on; those that are here keep what they were made with."""
        self._context = context
        self.demands_certificate = context.verify_mode is ssl.CERT_REQUIRED

    def wrap(self, plain: socket.socket) -> Channel:
        """TLS around a connection, by today's context; OSError if it is gone already."""
        plain.setblocking(False)
        plain.getpeername()  # raises if it is gone
        return Channel(plain, self._context)

    def close(self) -> None:
        """Accept no more; connections that are here stay."""
        for plain in self._sockets:
            self._loop.remove_reader(plain.fileno())
            plain.close()
        self._sockets.clear()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                plain, peer = listening.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _FULL:
                    self._pause(listening)
                return
            self._accepted(plain, peer[:2], self)

    def _pause(self, listening: socket.socket) -> None:
        """Without descriptors accept() fails at once, for ever: come back a little later."""
        _log.warning("no descriptors are left for connections", listener=self.name)
        self._loop.remove_reader(listening.fileno())
        self._loop.call_later(_PAUSE, self._unpause, listening)

    def _unpause(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening.fileno(), self._accept, listening)


def keep_alive(plain: socket.socket) -> None:
    """A phone that vanished is noticed in a minute (keep-alive after 30 s, RFC 1122 §4.2.3.6)."""
    for option, value in (
        (socket.TCP_NODELAY, 1),
        (socket.TCP_KEEPIDLE, 30),
        (socket.TCP_KEEPINTVL, 10),
        (socket.TCP_KEEPCNT, 3),
        (socket.TCP_USER_TIMEOUT, 60_000),
    ):
        plain.setsockopt(socket.IPPROTO_TCP, option, value)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if plain.family == socket.AF_INET6:
        plain.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _CS3)
    else:
        plain.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _CS3)


def _bound(address: str, port: int) -> socket.socket:
    version = ipaddress.ip_address(address).version
    plain = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET)
    try:
        plain.setblocking(False)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if version == 6:
            plain.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        keep_alive(plain)
        plain.bind((address, port))
        plain.listen(_BACKLOG)
    except OSError:
        plain.close()
        raise
    return plain
