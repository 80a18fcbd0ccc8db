"""The hot path: one direction of a call, from a leg's RTP socket to the stream another leg hears.

`relay` runs 50 times a second per direction per call: no await, no log, no I/O but recv and send,
no allocation but the view that is sent. Nothing changes before a packet has authenticated; libsrtp
keeps that order inside, and here the counters of refusals are the only exception.
"""

from collections.abc import Callable, MutableMapping, Sequence

from media.worker.endpoint import Address, Endpoint
from media.worker.srtp import REPLAYED, Context, Packet, protect, unprotect
from media.worker.stream import HEADER, MARKER, VERSION, Clock, Position, Stream

unpack = HEADER.unpack_from
pack = HEADER.pack_into

# A payload table has a code for each second octet (marker and payload type) of a packet: below 256
# the second octet that it goes on with, else some of these bits above one.
SPECIAL = 0x100
EVENT = 0x200
"""A key press (RFC 4733): looked at on its way."""
DROP = 0x400
"""Goes no further: the other side has no number for it, or there is no other side."""
TAP = 0x800
"""Voice we listen to ourselves: goes no further; the lowest octet is its own payload type."""
NOTHING: Sequence[int] = (SPECIAL | DROP,) * 256

MAX_DROPOUT = 3000
"""RFC 3550 A.1: a greater step forward is a source that began anew."""
MAX_MISORDER = 100
JITTER_SPAN = 1 << 20
"""A larger change of transit time is a new time base, not jitter."""
RTCP_TYPES = range(192, 224)
"""RFC 5761 §4: the second octet of RTCP on a shared port."""
MEDIA_OCTETS = range(128, 192)
"""RFC 7983 §7: the first octet of (S)RTP and (S)RTCP. 0-3 is STUN, 20-63 is DTLS."""

EventSink = Callable[[int, bytes], bool]
"""Takes the timestamp and payload of a telephone-event; says whether it may go on."""

VoiceSink = Callable[[int, int, memoryview], None]
"""Takes payload type, timestamp and payload of a voice packet: a view of the worker's one buffer,
to be copied from at once."""
OtherSink = Callable[[bytes, Address], None]
"""Takes what shares the port with media (DTLS, STUN), and where it came from."""

Handlers = MutableMapping[int, Callable[[], None]]


class Path:
    """The receiving side of a leg, and where it leads."""

    __slots__ = (
        "_data",
        "_descriptor",
        "_handle",
        "_handlers",
        "_length",
        "_now",
        "_other",
        "_receive",
        "_resume",
        "_sequence_offset",
        "_space",
        "_table",
        "_timestamp",
        "_timestamp_offset",
        "_transit",
        "_view",
        "base",
        "clock",
        "context",
        "control",
        "early",
        "endpoint",
        "expected_before",
        "extended",
        "heard_at",
        "jitter",
        "junk",
        "latched",
        "octets",
        "receive_event",
        "receive_voice",
        "received",
        "replayed",
        "resumed",
        "sink",
        "source",
        "unauthenticated",
        "unmapped",
    )

    def __init__(self, endpoint: Endpoint, packet: Packet, now: Clock, handlers: Handlers) -> None:
        self.endpoint = endpoint
        self._descriptor = endpoint.socket.fileno()
        self._handlers = handlers
        self._receive = endpoint.socket.recv_into
        self._view, self._space = packet.view, packet.space
        self._data, self._length = packet.data, packet.length
        self._now = now
        self._handle: object = None
        self._table: Sequence[int] = NOTHING
        self._resume = True
        self._other: OtherSink | None = None
        self._sequence_offset = self._timestamp_offset = self._timestamp = 0
        self._transit = 0.0
        self.context: Context | None = None
        self.sink: Stream | None = None
        self.control: Callable[[int], object] | None = None
        """With rtcp-mux: takes the RTCP packet of this size in the buffer."""
        self.latched: Callable[[], None] = _ignored
        self.resumed: Callable[[], None] = _ignored
        """The first packet on a new way is about to go."""
        self.receive_event: EventSink = _passed_on
        self.receive_voice: VoiceSink = _unheard
        self.clock = 8000
        self.source = -1
        self.base = self.extended = self.expected_before = 0
        self.received = self.octets = 0
        self.jitter = 0.0
        self.heard_at = now()
        self.unauthenticated = self.replayed = self.junk = self.unmapped = self.early = 0

    # --- told by the leg

    def key(self, context: Context | None) -> None:
        """Authenticate under this context from now on; without one nothing gets in."""
        self.context = context
        self._handle = context.handle if context else None
        self.reopen()

    def reopen(self) -> None:
        """Look for the phone again: what authenticates next tells where it is."""
        if self.endpoint.is_latched:
            self.endpoint.unlatch()
        self._handlers[self._descriptor] = self.search if self.context else self.discard

    def divert(self, other: OtherSink) -> None:
        """Hand on what is not media: this leg has an agreed use for it."""
        self._other = other
        self.reopen()

    def count_junk(self) -> None:
        """What was handed on was of no use."""
        self.junk += 1

    def lead(self, sink: Stream | None, table: Sequence[int]) -> None:
        """From now on feed this stream, with payload types translated by the table."""
        if self.sink is not None and self.sink.is_fed_by(self.position):
            self.sink.fed_by(None)
        self.sink = sink
        self._table = table
        self._resume = True
        if sink is not None:
            sink.fed_by(self.position)

    def close(self) -> None:
        """The leg ends. Its callbacks are cycles, which no collector breaks in a worker."""
        self.control, self.receive_event = None, _passed_on
        self.latched = self.resumed = _ignored
        self.receive_voice = _unheard
        self._other = None
        self._handlers = {}
        self.endpoint.close()

    def position(self) -> Position | None:
        """What was sent last on the stream this leads to, if anything was."""
        if self._resume:
            return None
        sequence = (self.extended + self._sequence_offset) & 0xFFFF
        timestamp = (self._timestamp + self._timestamp_offset) & 0xFFFFFFFF
        return sequence, timestamp, self.heard_at

    @property
    def expected(self) -> int:
        """Packets the phone has sent, to judge by its sequence numbers (RFC 3550 A.3)."""
        return self.expected_before + (self.extended - self.base + 1 if self.source >= 0 else 0)

    # --- what a readable socket means

    def relay(self) -> None:
        """The socket is connected: the kernel has already dropped strangers."""
        try:
            size = self._receive(self._space)
        except OSError as refusal:
            self.endpoint.failed(refusal)
            return
        self._accept(size)

    def relay_among_others(self) -> None:
        """The same where DTLS or STUN may come too (RFC 7983): a failed opening would spoil it."""
        try:
            size = self._receive(self._space)
        except OSError as refusal:
            self.endpoint.failed(refusal)
            return
        if self._view[0] in MEDIA_OCTETS or not size:
            self._accept(size)
        else:
            self._hand_on(size, self.endpoint.destination or ())

    def search(self) -> None:
        """The socket is open to everybody: the first packet that authenticates tells where."""
        try:
            size, address = self.endpoint.socket.recvfrom_into(self._space)
        except OSError as refusal:
            self.endpoint.failed(refusal)
            return
        if self._other is not None and size and self._view[0] not in MEDIA_OCTETS:
            self._hand_on(size, address)
        elif self._accept(size) and self.endpoint.latch(address):
            relay = self.relay if self._other is None else self.relay_among_others
            self._handlers[self._descriptor] = relay
            self.latched()

    def discard(self) -> None:
        """There is no key (yet): no media that comes can be anything."""
        try:
            size, address = self.endpoint.socket.recvfrom_into(self._space)
        except OSError as refusal:
            self.endpoint.failed(refusal)
            return
        if size and self._view[0] in MEDIA_OCTETS:
            self.early += 1
        elif self._other is not None and size:
            self._hand_on(size, address)
        else:
            self.junk += 1

    # --- HOT

    def _accept(self, size: int) -> bool:
        """The datagram in the buffer: authenticate, restamp, protect, send."""
        view, length = self._view, self._length
        if self.control is not None and size > 1 and view[1] in RTCP_TYPES:
            self.control(size)
            return False
        length[0] = size
        if status := unprotect(self._handle, self._data, length):
            self._refuse(size, status)
            return False
        first, second, sequence, timestamp, ssrc = unpack(view)
        now = self._now()
        self.heard_at = now
        self.received += 1
        self.octets += size
        if ssrc == self.source and not self._resume and (sequence - self.extended) & 0xFFFF == 1:
            self.extended += 1
        else:
            second = self._step(ssrc, sequence, timestamp, second, now)
            if second < 0:
                return False
        code = self._table[second]
        if code > 0xFF or first != VERSION:
            first = self._special(first, code, timestamp)
            if not first:
                return True
            code &= 0xFF
        else:
            transit = now * self.clock - timestamp
            change = transit - self._transit
            self._transit = transit
            if change < 0:
                change = -change
            if change < JITTER_SPAN:
                self.jitter += (change - self.jitter) * 0.0625
        sink = self.sink
        if sink is None or sink.handle is None:
            return True
        self._timestamp = timestamp
        sequence = (sequence + self._sequence_offset) & 0xFFFF
        timestamp = (timestamp + self._timestamp_offset) & 0xFFFFFFFF
        pack(view, 0, first, code, sequence, timestamp, sink.ssrc)
        if protect(sink.handle, self._data, length):
            sink.failed += 1
            return True
        size = length[0]
        try:
            sink.endpoint.send(view[:size])
        except OSError as refusal:
            sink.endpoint.failed(refusal)
        sink.packets += 1
        sink.octets += size
        return True

    # --- seldom

    def _step(self, ssrc: int, sequence: int, timestamp: int, second: int, now: float) -> int:
        """Not simply the next packet of the same source; the second octet, or -1: not taken."""
        ahead = (sequence - self.extended) & 0xFFFF
        if ssrc != self.source:
            if not self._begin(ssrc, sequence):
                return -1
        elif ahead < MAX_DROPOUT:
            self.extended += ahead
        elif ahead < 0x10000 - MAX_MISORDER:
            self._restart(sequence)
        elif not self._resume:
            return second  # late: passed on as it is, the numbers have moved on already
        if self.sink is not None and self._resume:
            self.resumed()
            self._sequence_offset, self._timestamp_offset = self.sink.offsets(
                sequence, timestamp, now
            )
            self._timestamp = timestamp
            self._resume = False
            return second | MARKER
        return second

    def _begin(self, ssrc: int, sequence: int) -> bool:
        """A new SSRC: the phone itself may change it, and have a few."""
        if self.context is None or not self.context.takes(ssrc):
            self.junk += 1
            self.key(None)
            return False
        self._restart(sequence)
        self.source = ssrc
        return True

    def _restart(self, sequence: int) -> None:
        """The source's numbers begin anew: ours must not."""
        self.expected_before = self.expected
        self._resettle()
        self.base = self.extended = sequence

    def _hand_on(self, size: int, address: Address) -> None:
        if self._other is None:  # divert was undone by close
            self.junk += 1
        else:
            self._other(bytes(self._view[:size]), address)

    def _resettle(self) -> None:
        if self.sink is not None:
            self.sink.position()
        self._resume = True

    def _special(self, first: int, code: int, timestamp: int) -> int:
        """What is not plain voice: the first octet it goes on with, or 0: it does not."""
        if first & 0xC0 != VERSION:
            self.junk += 1
            return 0
        if first & 0x1F:
            first = self._strip(first)
        if code & EVENT:
            payload = bytes(self._view[HEADER.size : self._length[0]])
            if not self.receive_event(timestamp, payload):
                return 0
        if code & TAP:
            self.receive_voice(code & 0x7F, timestamp, self._view[HEADER.size : self._length[0]])
        if code & DROP:
            self.unmapped += self.sink is not None and not code & EVENT
            return 0
        return first

    def _strip(self, first: int) -> int:
        """Without contributing sources and header extension: neither was agreed to.

        libsrtp has checked that they fit; an impossible length would leave an empty payload.
        """
        view, size = self._view, self._length[0]
        start = HEADER.size + 4 * (first & 0x0F)
        if first & 0x10:
            start += 4 + 4 * int.from_bytes(view[start + 2 : start + 4], "big")
        rest = bytes(view[start:size])
        view[HEADER.size : HEADER.size + len(rest)] = rest
        self._length[0] = HEADER.size + len(rest)
        return first & 0xE0

    def _refuse(self, size: int, status: int) -> None:
        """Count why: replayed, a stranger's, or not media at all (RFC 7983)."""
        if size < HEADER.size or self._view[0] not in MEDIA_OCTETS:
            self.junk += 1
        elif status in REPLAYED:
            self.replayed += 1
        else:
            self.unauthenticated += 1


def _ignored() -> None:
    return None


def _passed_on(timestamp: int, payload: bytes) -> bool:
    return True


def _unheard(number: int, timestamp: int, payload: memoryview) -> None:
    return None
