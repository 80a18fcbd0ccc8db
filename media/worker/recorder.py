"""One recording of one leg: its codec, the file, the beep, and when it is enough.

Runs on the loop; what blocks is the writer's. The codec is the one the phone is speaking; the beep
sounds only when the file is on the disk.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from media.errors import MessageRefused, Misuse
from media.recordings import (
    AudioCodec,
    Deposit,
    Recorded,
    Recording,
    RecordingCause,
    RecordingEvent,
    RecordingStarted,
    Stored,
)
from media.sdp.formats import Codec
from media.values import Player, Tone
from media.worker.codecs import g711
from media.worker.crossing import Crossing
from media.worker.leg import Leg
from media.worker.loop import Deadline, Loop
from media.worker.message_files import MessageFiles
from media.worker.sounds import Sounds
from media.worker.tape import Tape
from media.worker.vault import SEGMENT_MS, Sealed, Vault
from media.worker.writer import Durable, Hears, Writer

RECORDED: dict[str, AudioCodec] = {
    "pcmu": "pcmu",
    "pcma": "pcma",
    "g722": "g722",
    "opus": "opus",
}
"""Voice that is kept as it arrives."""
FIRST_VOICE = 0.3
"""So long a phone that is silent may take to show its codec."""
BEEP = Player(sounds=(Tone("beep"),))


@dataclass(frozen=True, slots=True)
class Studio:
    """What all recordings of a worker share."""

    loop: Loop
    crossing: Crossing
    files: MessageFiles
    vault: Vault
    sounds: Sounds
    tell: Callable[[RecordingEvent], None]
    wall: Callable[[], int] = lambda: time.time_ns() // 1000


class Recorder:
    """From `record` to `Recorded`; `begun` and `refused` answer the one who asked."""

    def __init__(
        self,
        studio: Studio,
        leg: Leg,
        asked: Recording,
        begun: Callable[[RecordingStarted], None],
        refused: Callable[[str], None],
        over: Callable[["Recorder"], None],
    ) -> None:
        self._studio, self._leg, self._asked = studio, leg, asked
        self._begun, self._refused, self._over = begun, refused, over
        self._codecs = leg.voices()
        if not any(codec.name in RECORDED for codec in self._codecs.values()):
            raise Misuse("nothing can be recorded in the codec of this leg")
        self._started = studio.wall()
        self._codec: Codec | None = None
        self._writer: Writer | None = None
        self._tape: Tape | None = None
        self._durable = Durable(0, b"", 0, 0)
        self._cause: RecordingCause | None = None
        self._digit = ""
        self.sealed: Sealed | None = None
        """Kept for a review of what was recorded."""
        self.content = asked.seal.content
        leg.tap(self._hear)
        self._deadline: Deadline = studio.loop.at(studio.loop.now() + FIRST_VOICE, self._settle)

    # --- asked

    def key(self, digit: str) -> bool:
        """Whether a key press was for us."""
        if self._tape is None or digit not in self._asked.stop:
            return False
        self._digit = digit
        self.finish("digit")
        return True

    def finish(self, cause: RecordingCause) -> None:
        """It is enough: what is there is sealed, and the file ends."""
        if self._cause is not None:
            return
        self._cause = cause
        self._deadline.cancel()
        self._leg.tap(None)
        if self._writer is None:
            self._refused("stopped")
            self._leave()
        elif self._tape is not None:
            now = self._studio.loop.now()
            self._tape.end()
            for piece in self._tape.due(now):
                self._writer.put(piece, SEGMENT_MS)
            self._writer.finish(*self._tape.rest(now))
        else:
            self._writer.finish(bytearray(), 0)

    def wait(self, seconds: float) -> None:
        """For the file, when the process ends."""
        if self._writer is not None:
            self._writer.wait(seconds)

    def forget(self) -> None:
        """No review any more."""
        if self.sealed is not None:
            self.sealed.forget()
            self.sealed = None

    # --- the phone's voice

    def _hear(self, number: int, timestamp: int, voice: memoryview) -> None:
        codec = self._codecs.get(number)
        if codec is None:
            return
        if self._codec is None:
            if codec.name in RECORDED:
                self._settle(codec)
        elif self._tape is None:
            return
        elif codec.kind == self._codec.kind:
            self._take(timestamp, voice)
        else:
            self._take_other(codec, timestamp, voice)

    def _take(self, timestamp: int, voice: memoryview) -> None:
        assert isinstance(self._tape, Tape)  # noqa: S101 - as `_hear` found
        now = self._studio.loop.now()
        self._tape.take(timestamp, voice, now)
        if self._tape.is_ripe:
            self._hand_over(now)

    def _take_other(self, codec: Codec, timestamp: int, voice: memoryview) -> None:
        """Phones may change between the two laws of G.711 as they like."""
        assert isinstance(self._codec, Codec)  # noqa: S101 - as `_hear` found
        if {codec.name, self._codec.name} == {"pcmu", "pcma"}:
            table = g711.ULAW_TO_ALAW if codec.name == "pcmu" else g711.ALAW_TO_ULAW
            theirs = bytearray(voice)
            turned = theirs.translate(table)
            self._take(timestamp, memoryview(turned))
            turned[:] = theirs[:] = bytes(len(turned))
        else:
            self.finish("codec")

    # --- file, beep, tape

    def _settle(self, codec: Codec | None = None) -> None:
        """The codec is known: make the file."""
        self._deadline.cancel()
        self._codec = codec or next(c for c in self._codecs.values() if c.name in RECORDED)
        post = self._studio.crossing.post
        hears = Hears(
            started=lambda sealed: post(lambda: self._filed(sealed)),
            stored=lambda *what: post(lambda: self._stored(*what)),
            ended=lambda durable, fault: post(lambda: self._ended(durable, fault)),
            refused=lambda fault: post(lambda: self._denied(fault)),
        )
        self._writer = Writer(
            self._studio.files,
            self._studio.vault,
            self._asked.seal,
            RECORDED[self._codec.name],
            self._started,
            hears,
        )

    def _filed(self, sealed: Sealed) -> None:
        self.sealed = sealed
        self._begun(
            RecordingStarted(
                self._leg.name,
                self.content,
                self._name,
                self._started,
                sealed.slot,
                _key_of(self._asked),
            )
        )
        if self._cause is not None:
            return
        if self._asked.beep:
            self._leg.play(BEEP, self._roll)
        else:
            self._roll()

    def _roll(self) -> None:
        if self._cause is not None or self._codec is None:
            return
        now, name = self._studio.loop.now(), self._codec.name
        silence = self._studio.sounds.silence(name) if name != "opus" else b""
        self._tape = Tape(self._name, self._codec.clock, silence, now)
        self._wait()

    def _wait(self) -> None:
        """For the next piece, or the limit."""
        assert isinstance(self._tape, Tape)  # noqa: S101 - it rolls
        due = min(self._tape.next_due, self._tape.began + self._asked.limit_ms / 1000)
        self._deadline = self._studio.loop.at(due, self._turn)

    def _turn(self) -> None:
        assert isinstance(self._tape, Tape)  # noqa: S101 - it rolls
        now = self._studio.loop.now()
        if not self._hand_over(now):
            return
        if now - self._tape.began >= self._asked.limit_ms / 1000:
            self.finish("limit")
        else:
            self._wait()

    def _hand_over(self, now: float) -> bool:
        """What is over, to the writer; False: the disk is too far behind, and that was all."""
        assert isinstance(self._tape, Tape)  # noqa: S101 - it rolls
        assert isinstance(self._writer, Writer)  # noqa: S101 - it rolls
        for piece in self._tape.due(now):
            if not self._writer.put(piece, SEGMENT_MS):
                self.finish("overrun")
                return False
        return True

    # --- the writer's words, back on the loop

    def _stored(self, durable: Durable, quiet_ms: int, is_low: bool) -> None:
        self._durable = durable
        if self._cause is None and 0 < self._asked.silence_ms <= quiet_ms:
            self.finish("silence")
        self._studio.tell(
            Stored(
                self._leg.name,
                self.content,
                durable.segments,
                durable.digest,
                durable.milliseconds,
                is_low,
            )
        )

    def _ended(self, durable: Durable, fault: str) -> None:
        self._deadline.cancel()
        self._leg.tap(None)
        cause: RecordingCause = self._cause or "disk-error"
        if fault:
            cause = "disk-full" if fault == "disk-full" else "disk-error"
        self._cause = cause
        self._studio.tell(
            Recorded(
                leg=self._leg.name,
                content=self.content,
                cause=cause,
                segments=durable.segments,
                digest=durable.digest,
                milliseconds=durable.milliseconds,
                codec=self._name,
                started=self._started,
                octets=durable.octets,
                slot=self.sealed.slot if self.sealed else b"",
                key=_key_of(self._asked),
                digit=self._digit,
            )
        )
        self._leave()

    def _denied(self, fault: str) -> None:
        self._cause = self._cause or "disk-error"
        self._deadline.cancel()
        self._leg.tap(None)
        self._refused(fault)
        self._leave()

    def _leave(self) -> None:
        """Nothing holds on to anything: there is no collector in a worker."""
        over, self._writer, self._tape = self._over, None, None
        self._begun, self._refused, self._over = _unasked, _unasked, _unasked
        over(self)

    @property
    def _name(self) -> AudioCodec:
        if self._codec is None:
            raise MessageRefused("busy")
        return RECORDED[self._codec.name]


def _key_of(asked: Recording) -> bytes:
    return asked.seal.key if isinstance(asked.seal, Deposit) else b""


def _unasked(_: object) -> None:
    return None
