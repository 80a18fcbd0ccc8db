"""One UDP socket of a leg, and the address it is latched to.

Until a packet has authenticated the socket is unconnected and sends only where that is allowed.
Then it is `connect`ed: the kernel drops strangers before they cost us anything. After silence it
is disconnected again, so that a phone behind a NAT that changed its port can be found.
"""

import ctypes
import errno
import socket
from collections.abc import Callable
from typing import Any

EXPEDITED_FORWARDING = 0xB8
"""DSCP EF (46) in the traffic class octet, RFC 3246."""

IGNORED = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})

Address = tuple[Any, ...]

_libc = ctypes.CDLL(None, use_errno=True)
_NOWHERE = ctypes.create_string_buffer(16)  # sa_family 0: AF_UNSPEC dissolves the association


class Endpoint:
    """A bound socket; `send` is what the hot path calls."""

    __slots__ = (
        "destination",
        "is_latched",
        "is_settled",
        "nominated",
        "relatches",
        "send",
        "socket",
        "unreachable",
    )

    def __init__(self, bound: socket.socket) -> None:
        bound.setblocking(False)
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED_FORWARDING)
        else:
            bound.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED_FORWARDING)
        self.socket = bound
        self.destination: Address | None = None
        self.is_latched = False
        self.is_settled = True
        """False while ICE may still name another address: the socket then stays open to all."""
        self.nominated: Address | None = None
        """Chosen by ICE: packets of the phone's from elsewhere show nothing."""
        self.unreachable = 0
        self.relatches = 0
        self.send: Callable[[Any], int] = self._send_unlatched

    def aim(self, address: Address) -> None:
        """Where to send before anything has authenticated."""
        if not self.is_latched and self.nominated is None:
            self.destination = address

    def unsettle(self) -> None:
        """ICE looks for the way, for the first time or again."""
        self.is_settled, self.nominated = False, None
        if self.is_latched:
            self.unlatch()

    def nominate(self, address: Address) -> None:
        """ICE has found the way."""
        if self.is_latched:
            self.unlatch()
        self.nominated = self.destination = address

    def latch(self, address: Address) -> bool:
        """This address has authenticated: from now on the kernel lets nobody else in."""
        if not self.is_settled or (self.nominated or address)[:2] != address[:2]:
            return False
        if self.destination is not None and self.destination[:2] != address[:2]:
            self.relatches += 1
        self.destination = address
        try:
            self.socket.connect(address)
        except OSError:  # no route: stay open, the next packet tries again
            self.unreachable += 1
            return False
        self.is_latched = True
        self.send = self.socket.send
        return True

    def unlatch(self) -> None:
        """Listen to everybody again, and keep sending where the phone was."""
        _libc.connect(self.socket.fileno(), _NOWHERE, len(_NOWHERE))
        self.is_latched = False
        self.send = self._send_unlatched

    def transmit(self, octets: memoryview) -> bool:
        """Send outside the hot path."""
        try:
            return self.send(octets) > 0
        except OSError as refusal:
            self.failed(refusal)
            return False

    def answer(self, octets: bytes, address: Address) -> None:
        """Send where something came from, latched or not."""
        try:
            if self.is_latched:
                self.send(octets)
            else:
                self.socket.sendto(octets, address)
        except OSError as refusal:
            self.failed(refusal)

    def failed(self, refusal: OSError) -> None:
        """A phone whose port is closed answers by ICMP: counted, never fatal."""
        if refusal.errno not in IGNORED:
            self.unreachable += 1

    def close(self) -> None:
        """Free the port."""
        self.send = _closed
        self.socket.close()

    def _send_unlatched(self, octets: Any) -> int:
        if self.destination is None:
            return 0
        return self.socket.sendto(octets, self.destination)


def _closed(octets: Any) -> int:
    return 0
