"""A leg's RTCP socket: latched apart from the RTP one, closed when both share a port."""

from media.worker.endpoint import Endpoint
from media.worker.loop import Loop
from media.worker.path import MEDIA_OCTETS, OtherSink, Path
from media.worker.reports import Reports
from media.worker.srtp import Context, Packet

SEARCH_AFTER = 20.0
"""Seconds without a report before the socket listens for a changed source: four intervals."""


class ControlPath:
    """Receives and sends SRTCP for one leg."""

    def __init__(self, loop: Loop, endpoint: Endpoint, packet: Packet, reports: Reports) -> None:
        self._loop, self._packet = loop, packet
        self._reports = reports
        self._context: Context | None = None
        self._outbound: Context | None = None
        self._other: OtherSink | None = None
        self.endpoint: Endpoint = endpoint
        self.heard_at = loop.now()
        self.is_own = True
        """Whether it has a socket of its own (no rtcp-mux)."""
        loop.watch(endpoint.socket.fileno(), self._receive)

    def key(self, inbound: Context, outbound: Context) -> None:
        """Open and seal under these from now on."""
        self._context, self._outbound = inbound, outbound

    def divert(self, other: OtherSink) -> None:
        """Hand on what is not media, if the port is not shared."""
        self._other = other

    def share(self, path: Path) -> None:
        """rtcp-mux: from now on on the RTP socket (RFC 5761)."""
        path.control = self._take
        if self.is_own:
            self.close()
            self.is_own = False
            self.endpoint = path.endpoint

    def send(self, report: bytes) -> bool:
        """Seal a report and send it, if there is somewhere to send it to."""
        context = self._outbound
        if context is None:
            return False
        octets = context.protect_rtcp(self._packet, report)
        if self.is_own and self.endpoint.is_latched:
            self._search()
        return octets is not None and self.endpoint.transmit(octets)

    def close(self) -> None:
        """Give up the socket."""
        self._other = None
        if self.is_own:
            self._loop.forget(self.endpoint.socket.fileno())
            self.endpoint.close()

    def _search(self) -> None:
        if self._loop.now() - self.heard_at > SEARCH_AFTER:
            self.endpoint.unlatch()

    def _receive(self) -> None:
        try:
            size, address = self.endpoint.socket.recvfrom_into(self._packet.space)
        except OSError as refusal:
            self.endpoint.failed(refusal)
            return
        if self._other is not None and size and self._packet.view[0] not in MEDIA_OCTETS:
            self._other(bytes(self._packet.view[:size]), address)
        elif self._take(size) and not self.endpoint.is_latched:
            self.endpoint.latch(address)

    def _take(self, size: int) -> bool:
        report = self._context.unprotect_rtcp(self._packet, size) if self._context else None
        if report is None:
            self._reports.refused += 1
            return False
        self.heard_at = self._loop.now()
        self._reports.receive(report)
        return True
