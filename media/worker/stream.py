"""What a leg hears: one RTP stream of ours, whatever feeds it (RFC 3550 §5.1).

Our own SSRC while the phone keeps its key; sequence and timestamp go on where they were when the
feeding changes from a peer to a prompt to another peer. libsrtp refuses a sequence that falls back,
and a phone's jitter buffer would stumble over anything else.
"""

import secrets
import struct
from collections.abc import Callable

from media.worker.endpoint import Endpoint
from media.worker.srtp import OK, Context, Packet, protect

Clock = Callable[[], float]
"""Monotonic seconds."""

HEADER = struct.Struct("!BBHII")
VERSION = 0x80
MARKER = 0x80
FRAME_SECONDS = 0.02

Position = tuple[int, int, float]
"""Sequence, timestamp, and when."""


class Stream:
    """The sending side of a leg."""

    __slots__ = (
        "_feeder",
        "_packet",
        "_position",
        "clock",
        "context",
        "endpoint",
        "failed",
        "handle",
        "octets",
        "packets",
        "ssrc",
    )

    def __init__(self, endpoint: Endpoint, packet: Packet, now: float) -> None:
        self.endpoint = endpoint
        self._packet = packet
        self._feeder: Callable[[], Position | None] | None = None
        self.ssrc, self._position = _beginning(now)
        self.clock = 8000
        self.packets = 0
        self.octets = 0
        """Of whole packets as sent; the hot path adds nothing up twice."""
        self.failed = 0
        self.context: Context | None = None
        self.handle: object = None

    def key(self, context: Context | None, *, may_send: bool = True) -> None:
        """From now on protected by this context; on hold nothing is sent, RTCP excepted."""
        self.context = context
        self.handle = context.handle if context and may_send else None

    def begin_anew(self) -> None:
        """As another source, whoever feeds it: the phone may have forgotten how often the numbers
        of the last one went around (RFC 3711 §3.3.1), and of this one they never did."""
        _, _, sent_at = self.position()
        self._feeder = None
        self.ssrc, self._position = _beginning(sent_at)

    def position(self) -> Position:
        """The numbers last sent, and when: the feeder knows while a path leads here."""
        fed = self._feeder() if self._feeder else None
        if fed is not None:
            self._position = fed
        return self._position

    def fed_by(self, feeder: Callable[[], Position | None] | None) -> None:
        """Something else feeds this stream from now on."""
        self.position()
        self._feeder = feeder

    def is_fed_by(self, feeder: Callable[[], Position | None]) -> bool:
        """Whether that still feeds this stream."""
        return self._feeder == feeder

    def offsets(self, sequence: int, timestamp: int, now: float) -> tuple[int, int]:
        """What to add to a new source's numbers so that they go on from ours."""
        last, written, sent_at = self._position
        passed = max(now - sent_at, FRAME_SECONDS)
        due = written + int(passed * self.clock)
        return (last + 1 - sequence) & 0xFFFF, (due - timestamp) & 0xFFFFFFFF

    def play(self, number: int, payload: bytes | memoryview, now: float, *, ticks: int) -> None:
        """Send one frame of our own; `ticks` since the last one, 0 after a pause."""
        if self.handle is None:
            return
        sequence, timestamp, sent_at = self.position()
        step = ticks or int(max(now - sent_at, FRAME_SECONDS) * self.clock)
        sequence, timestamp = (sequence + 1) & 0xFFFF, (timestamp + step) & 0xFFFFFFFF
        self._position = (sequence, timestamp, now)
        self._put(number if ticks else number | MARKER, sequence, timestamp, payload)

    def press(self, number: int, payload: bytes, now: float, begun: int | None) -> int:
        """Send a packet of a key press; all of one press have the timestamp that the first got."""
        if begun is None:
            self.play(number, payload, now, ticks=0)
            return self._position[1]
        sequence, timestamp, sent_at = self.position()
        sequence = (sequence + 1) & 0xFFFF
        self._position = (sequence, timestamp, sent_at)
        self._put(number, sequence, begun, payload)
        return begun

    def _put(self, second: int, sequence: int, timestamp: int, payload: bytes | memoryview) -> None:
        if self.handle is None:
            return
        packet, size = self._packet, HEADER.size + len(payload)
        HEADER.pack_into(packet.view, 0, VERSION, second, sequence, timestamp, self.ssrc)
        packet.view[HEADER.size : size] = payload
        packet.length[0] = size
        if protect(self.handle, packet.data, packet.length) != OK:
            self.failed += 1
            return
        if self.endpoint.transmit(packet.view[: packet.length[0]]):
            self.packets += 1
            self.octets += size


def _beginning(now: float) -> tuple[int, Position]:
    # RFC 3711 §3.3.1: a first sequence below 2^15 leaves no doubt about the roll-over counter.
    first, timestamp, ssrc = struct.unpack("!HII", secrets.token_bytes(10))
    return ssrc, (first & 0x7FFF, timestamp, now)
