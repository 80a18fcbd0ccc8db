"""RTCP ends at each leg: our own reports to the phone, and what its reports say (RFC 3550 §6.4)."""

import random
import secrets
import time
from collections.abc import Callable

from media.values import Place
from media.worker import rtcp
from media.worker.path import Path
from media.worker.rtcp import ReportBlock, Sent
from media.worker.stream import HEADER, Stream

INTERVAL = 5.0
"""RFC 3550 §6.2: the minimum, varied by half either way."""


class Reports:
    """One leg's RTCP: what it was told, what it tells."""

    def __init__(
        self, place: Place, path: Path, stream: Stream, wall: Callable[[], float] = time.time
    ) -> None:
        self._path, self._stream, self._wall = path, stream, wall
        self._cname = place.cname or f"{secrets.token_hex(8)}@anonymous.invalid"  # RFC 7022 §4.2
        self._heard: tuple[int, int] | None = None
        self._heard_at = 0.0
        self._told = (0, 0)
        self._said_packets = 0
        self._about, self._lost_before = stream.ssrc, 0
        self.received = self.sent = self.refused = 0
        self.lost_there = 0
        self.jitter_there = 0
        self.round_trip: float | None = None

    def interval(self) -> float:
        """Seconds until the next report."""
        return INTERVAL * (0.5 + random.random())  # noqa: S311 - spreads reports in time

    def receive(self, data: bytes) -> None:
        """A compound packet of the phone, authenticated."""
        wall = self._wall()
        self.received += 1
        for report in rtcp.reports(data):
            if report.sent is not None:
                self._heard, self._heard_at = (report.ssrc, report.sent), wall
            for block in report.blocks:
                if block.ssrc == self._stream.ssrc:
                    self._learn(block, wall)

    def write(self) -> bytes:
        """Our next report to the phone."""
        wall, stream = self._wall(), self._stream
        packets = stream.packets
        sent = None
        if packets != self._said_packets:
            timestamp = stream.position()[1]
            sent = Sent(timestamp, packets, stream.octets - packets * HEADER.size)
        self._said_packets = packets
        return rtcp.compound(stream.ssrc, self._cname, wall, sent, self._blocks(wall))

    def goodbye(self) -> bytes:
        """The stream is over."""
        return rtcp.goodbye(self._stream.ssrc, self._cname)

    def _learn(self, block: ReportBlock, wall: float) -> None:
        if block.ssrc != self._about:  # we began anew, and so does its count
            self._about, self._lost_before = block.ssrc, self.lost_there
        self.lost_there = self._lost_before + max(block.lost, 0)
        self.jitter_there = block.jitter
        if block.last_report:
            units = rtcp.middle_of_ntp(wall) - block.last_report - block.delay & 0xFFFFFFFF
            if units < 10 * 65_536:  # more is a clock of the phone's that jumped
                self.round_trip = units / 65_536

    def _blocks(self, wall: float) -> tuple[ReportBlock, ...]:
        path = self._path
        if path.source < 0:
            return ()
        expected, received = path.expected, path.received
        expected_since, received_since = expected - self._told[0], received - self._told[1]
        self._told = (expected, received)
        lost_since = max(expected_since - received_since, 0)
        fraction = min(256 * lost_since // expected_since, 255) if expected_since > 0 else 0
        heard = self._heard if self._heard and self._heard[0] == path.source else None
        return (
            ReportBlock(
                path.source,
                fraction,
                expected - received,
                path.extended,
                int(path.jitter),
                heard[1] if heard else 0,
                int((wall - self._heard_at) * 65_536) if heard else 0,
            ),
        )
