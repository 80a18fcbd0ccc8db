"""Lets a phone be heard by one that has none of its codecs; only while that is so."""

from array import array

from media.sdp.formats import Codec, Formats
from media.worker.codecs.coder import FRAME_MS, OCTETS_PER_SAMPLE, Decoder, Encoder
from media.worker.dtmf import END, EVENT
from media.worker.jitter import JitterBuffer
from media.worker.loop import Deadline, Loop
from media.worker.stream import FRAME_SECONDS, Stream

FADES = (0.8, 0.5, 0.25)
"""A frame that is missing is the last one again, softer each time, then silence."""
MOST_PACKETS = 8
"""In a frame: the shortest, of 2.5 ms. A phone that sends less in each costs no more than that."""
PATIENCE = 10
"""Frames without anything to play, then the phone pauses."""
EVENT_LOST_AFTER = 0.2
"""Seconds without a word of a key that is down: its end was lost."""
MOST = 80
"""Directions of one worker: some 150 µs a frame, so six tenths of a core at the worst."""


class Concealer:
    """Makes up what is missing."""

    def __init__(self, octets: int) -> None:
        self._silence = bytes(octets)
        self._last = self._silence
        self._missing = 0

    def heard(self, frame: bytes) -> bytes:
        """This one is not missing."""
        self._last, self._missing = frame, 0
        return frame

    def made_up(self) -> bytes:
        """This one is."""
        self._missing += 1
        if self._missing > len(FADES):
            return self._silence
        share = FADES[self._missing - 1]
        return array("h", (int(sample * share) for sample in array("h", self._last))).tobytes()


class Transcoder:
    """One direction between two legs: jitter buffer, decoder, encoder, key presses."""

    def __init__(
        self, loop: Loop, receive: Formats, stream: Stream, voice: tuple[int, Codec], send: Formats
    ) -> None:
        self._loop, self._receive, self._stream = loop, receive, stream
        self._number, codec = voice
        self._encoder = Encoder(codec.name)
        self._ticks = codec.clock * FRAME_MS // 1000
        self._concealer = Concealer(self._encoder.frame_octets)
        self._source = -1
        self._decoder: Decoder | None = None
        self._decoders: dict[int, Decoder] = {}
        """By payload type: making one takes as long as a thousand packets on their way."""
        self._jitter = JitterBuffer(8_000)
        self._samples = bytearray()
        self._starved = 0
        self._due = 0.0
        self._turn: Deadline | None = None
        self._is_resumed = True
        self._events = _event_of(send, codec.clock)
        self._event: int | None = None
        self._begun: int | None = None
        self._pressed_at = -EVENT_LOST_AFTER
        self.frames = self.concealed = 0
        stream.fed_by(None)

    def receive(self, number: int, timestamp: int, payload: memoryview) -> None:
        """A voice packet of the phone; copied at once."""
        if number != self._source:
            self._begin(number)
        self._jitter.put(timestamp, bytes(payload))
        if self._turn is None:
            self._due = self._loop.now()
            self._is_resumed = True
            self._turn = self._loop.at(self._due, self._play)

    def relay_event(self, timestamp: int, payload: bytes, clock: int) -> None:
        """A key press goes on between our voice frames (RFC 4733): its time is counted anew."""
        if self._events is None or len(payload) < EVENT.size:
            return
        number, out_clock = self._events
        event, flags, duration = EVENT.unpack_from(payload)
        scaled = EVENT.pack(event, flags, min(duration * out_clock // clock, 0xFFFF))
        now = self._loop.now()
        if timestamp != self._event:
            self._event, self._begun = timestamp, None
        self._begun = self._stream.press(number, scaled, now, self._begun)
        self._is_resumed = True
        self._pressed_at = now if not flags & END else -EVENT_LOST_AFTER

    def close(self) -> None:
        """The direction is over, or goes on untouched."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _begin(self, number: int) -> None:
        """Another codec of the phone's."""
        codec = self._receive[number]
        self._source = number
        if number not in self._decoders:
            self._decoders[number] = Decoder(codec.name, self._encoder.rate)
        self._decoder = self._decoders[number]
        self._jitter = JitterBuffer(codec.clock)
        self._samples.clear()

    def _play(self) -> None:
        """Twenty milliseconds, every twenty milliseconds."""
        now = self._loop.now()
        if self._jitter.is_ready():
            self._say(self._frame(), now)
            self._jitter.settle()
        else:
            self._starved += 1  # held back, to begin with
        if self._starved > PATIENCE:
            self._jitter.pause()
            self._turn, self._starved = None, 0
            return
        self._due = max(self._due + FRAME_SECONDS, now - FRAME_SECONDS)
        self._turn = self._loop.at(self._due, self._play)

    def _frame(self) -> bytes:
        """The next samples: as they came, or made up."""
        wanted = self._encoder.frame_octets
        for _ in range(MOST_PACKETS):
            if len(self._samples) >= wanted:
                break
            payload = self._jitter.take()
            decoded = self._decoder.decode(payload) if payload and self._decoder else b""
            if not decoded:
                break
            self._starved = 0
            self._samples += decoded
            self._jitter.passed(len(decoded) / OCTETS_PER_SAMPLE / self._encoder.rate)
        if len(self._samples) < wanted:
            return self._made_up()
        frame = bytes(self._samples[:wanted])
        del self._samples[:wanted]
        return self._concealer.heard(frame)

    def _made_up(self) -> bytes:
        self.concealed += 1
        if self._jitter.is_empty:
            self._starved += 1  # late ones are waited for: the delay grows
        else:
            self._jitter.passed(FRAME_SECONDS)
        return self._concealer.made_up()

    def _say(self, frame: bytes, now: float) -> None:
        payload = self._encoder.encode(frame)
        if not payload or now - self._pressed_at < EVENT_LOST_AFTER:
            return  # a key is down: its packets take the place of voice
        ticks = 0 if self._is_resumed else self._ticks
        self._stream.play(self._number, payload, now, ticks=ticks)
        self._is_resumed = False
        self.frames += 1


class Coding:
    """The transcoders of a worker: so many that the calls which need none never wait for them."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._live = most, 0

    def has_room(self, directions: int = 2) -> bool:
        """Whether a call of two directions may begin, or so many."""
        return self._live + directions <= self._most

    def begin(
        self, loop: Loop, receive: Formats, stream: Stream, voice: tuple[int, Codec], send: Formats
    ) -> Transcoder:
        """One more direction."""
        self._live += 1
        return Transcoder(loop, receive, stream, voice, send)

    def end(self, transcoder: Transcoder) -> None:
        """One less."""
        self._live -= 1
        transcoder.close()


def _event_of(send: Formats, clock: int) -> tuple[int, int] | None:
    """Number and clock of key presses towards the other phone: of its voice's clock, if it can."""
    found = {codec.clock: number for number, codec in send.items() if codec.is_event}
    if not found:
        return None
    best = clock if clock in found else next(iter(found))
    return found[best], best
