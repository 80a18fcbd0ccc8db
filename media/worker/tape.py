"""Voice packets laid out by their timestamps as whole pieces of audio: the segments of a file.

A gap is silence, a packet that comes out of order finds its place, one that comes too late or from
a clock that jumped does not. Nothing is copied but from the worker's one buffer into the piece
that will be sealed.
"""

import random
from collections.abc import Iterator

from media.recordings import AudioCodec
from media.worker.codecs.conversion import PLACED
from media.worker.vault import SEGMENT_MS

MS = 1000
SLACK = 0.2
"""How much later than its time a packet may come."""
SPREAD = 0.1
"""Recordings that began together do not all go to the disk together. With a piece and the slack it
is what may be spoken and not yet on its way to the disk: the disk has the rest of a second."""
ASTRAY_MS = 1500
"""A packet further from its time than this tells of a clock that began anew."""
FRAME_MS = 20
"""Of Opus it is not looked up: at least so much of a packet's time is voice."""
MAX_OPUS = 60_000
"""Octets of one piece of Opus: more is not voice."""


class Tape:
    """Runs from the moment it is made."""

    def __init__(self, codec: AudioCodec, clock: int, silence: bytes, now: float) -> None:
        self._codec, self._per_ms = codec, clock // MS
        """Ticks of the RTP clock in a millisecond (G.722's runs at 8000)."""
        self._blank = b"" if codec == "opus" else _repeated(silence, codec)
        self.began = now
        self._base: int | None = None
        """The timestamp at the tape's beginning."""
        self._pieces: dict[int, bytearray] = {}
        self._ends: dict[int, int] = {}
        """How far those of Opus are written: one that grew would leave copies behind."""
        self._given = 0
        self._until = 0
        """Where the newest voice ends. It is ahead of our clock when the first packet came late:
        then what follows is not late, and waits no longer than that."""
        self._slack = SLACK + SPREAD * random.random()  # noqa: S311 - no secret

    def take(self, timestamp: int, voice: memoryview, now: float) -> None:
        """A packet."""
        elapsed = int((now - self.began) * MS)
        if self._base is None:
            self._base = timestamp - elapsed * self._per_ms
        at = _signed(timestamp - self._base) // self._per_ms
        if abs(at - elapsed) > ASTRAY_MS:
            self._base, at = timestamp - elapsed * self._per_ms, elapsed
        if self._codec == "opus":
            self._place(at, voice)
            self._until = max(self._until, at + FRAME_MS)
        else:
            self._lay(at * len(self._blank) // SEGMENT_MS, voice)
            length = len(voice) * SEGMENT_MS // len(self._blank)
            self._until = max(self._until, at + length)

    @property
    def next_due(self) -> float:
        """When the next piece is over, whatever comes until then."""
        return self.began + (self._given + 1) * SEGMENT_MS / MS + self._slack

    @property
    def is_ripe(self) -> bool:
        """Whether voice from so long after the next piece is here that the piece is over."""
        return self._until >= (self._given + 1) * SEGMENT_MS + self._slack * MS

    def due(self, now: float) -> Iterator[bytearray]:
        """The pieces that are over."""
        while now >= self.next_due or self.is_ripe:
            yield self._over(self._given)
            self._given += 1

    def end(self) -> None:
        """Nobody waits for what is late any more."""
        self._slack = 0.0

    def rest(self, now: float) -> tuple[bytearray, int]:
        """What is left at the end, and its milliseconds: at most one piece."""
        end = max(round((now - self.began) * MS), self._until)
        milliseconds = end - self._given * SEGMENT_MS
        milliseconds = min(max(milliseconds // 20 * 20, 0), SEGMENT_MS)
        left = self._over(self._given)
        if self._codec != "opus":
            cut = milliseconds * len(self._blank) // SEGMENT_MS
            left[cut:] = bytes(len(left) - cut)
            del left[cut:]
        for later in self._pieces.values():
            later[:] = bytes(len(later))
        self._pieces.clear()
        return left, milliseconds

    def _lay(self, place: int, voice: memoryview) -> None:
        """Octets at their place, over the end of a piece too."""
        while voice:
            number, offset = divmod(place, len(self._blank))
            part = voice[: len(self._blank) - offset]
            if number >= self._given:
                # A bytearray that is assigned to copies first, and nobody wipes the copy.
                memoryview(self._piece(number))[offset : offset + len(part)] = part
            place += len(part)
            voice = voice[len(part) :]

    def _place(self, at: int, voice: memoryview) -> None:
        number, offset = divmod(at, SEGMENT_MS)
        if number < self._given:
            return
        end = self._ends.get(number, 0)
        start = end + PLACED.size
        if start + len(voice) <= MAX_OPUS:
            piece = memoryview(self._piece(number))
            piece[end:start] = PLACED.pack(offset, len(voice))
            piece[start : start + len(voice)] = voice
            self._ends[number] = start + len(voice)

    def _over(self, number: int) -> bytearray:
        """The piece as far as it goes; nothing of it stays here."""
        piece = self._piece(number)
        del self._pieces[number]
        if self._codec != "opus":
            return piece
        end = self._ends.pop(number, 0)
        made = bytearray(memoryview(piece)[:end])
        piece[:end] = bytes(end)
        return made

    def _piece(self, number: int) -> bytearray:
        if number not in self._pieces:
            self._pieces[number] = bytearray(self._blank or MAX_OPUS)
        return self._pieces[number]


def _repeated(silence: bytes, codec: AudioCodec) -> bytes:
    size = (16 if codec == "l16" else 8) * SEGMENT_MS
    return (silence * (size // len(silence) + 1))[:size]


def _signed(difference: int) -> int:
    """RTP timestamps wrap at 32 bits."""
    return (difference + (1 << 31)) % (1 << 32) - (1 << 31)
