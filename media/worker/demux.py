"""What shares a port with media: DTLS and STUN, told apart by the first octet (RFC 7983)."""

from collections.abc import Callable

from media.worker.endpoint import Address
from media.worker.path import OtherSink

STUN_OCTETS = range(4)
DTLS_OCTETS = range(20, 64)

Taker = Callable[[bytes, Address], bool]
"""Says whether it had a use for the datagram."""


class Demux:
    """One socket's; costs nothing until somebody takes something."""

    __slots__ = ("_divert", "_dtls", "_is_used", "_refuse", "_stun")

    def __init__(self, divert: Callable[[OtherSink], None], refuse: Callable[[], None]) -> None:
        self._divert, self._refuse = divert, refuse
        self._dtls: Taker | None = None
        self._stun: Taker | None = None
        self._is_used = False

    def take_dtls(self, taker: Taker | None) -> None:
        """Handshakes are agreed to, or no longer."""
        self._dtls = taker
        self._use()

    def take_stun(self, taker: Taker | None) -> None:
        """Connectivity checks are agreed to, or no longer."""
        self._stun = taker
        self._use()

    def close(self) -> None:
        """Let go of everybody: a worker collects no cycles."""
        self._dtls = self._stun = None

    def _use(self) -> None:
        if not self._is_used:
            self._is_used = True
            self._divert(self._receive)

    def _receive(self, datagram: bytes, address: Address) -> None:
        taker = None
        if datagram[0] in DTLS_OCTETS:
            taker = self._dtls
        elif datagram[0] in STUN_OCTETS:
            taker = self._stun
        if taker is None or not taker(datagram, address):
            self._refuse()
