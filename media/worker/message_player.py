"""Plays an opened message into a leg: the loop takes frames, threads make what follows ready.

Each segment is opened, turned into the leg's codec and overwritten as it is played. The file was
compared with its ledger row before this begins.
"""

from collections import deque
from collections.abc import Callable, Iterator

from media.errors import MessageRefused
from media.recordings import AudioCodec
from media.worker.codecs.conversion import FRAME_MS, Conversion, wipe
from media.worker.crossing import Crossing
from media.worker.vault import SEGMENT_MS, SPACE, Opened

AHEAD = 25
"""Frames left when the next segment is asked for."""
IDLE_MS = 300_000
"""So long a message may stand still; then its key is forgotten."""

Start = Callable[[Callable[[], None]], None]
"""Does something in a thread."""


class MessagePlayer(Iterator[memoryview | bytes]):
    """Frames for a `Playback`: silence while it waits or is paused, the end when it ends."""

    def __init__(
        self,
        opened: Opened,
        target: AudioCodec,
        silence: bytes,
        start: Start,
        crossing: Crossing,
        from_ms: int = 0,
    ) -> None:
        self._opened, self._target, self._silence = opened, target, silence
        self._start, self._crossing = start, crossing
        self._frames: deque[bytearray] = deque()
        self._played: bytearray | None = None
        self._turn = 0
        """Counts the seeks: what was made ready for another place is overwritten."""
        self._is_asked = False
        self._idle_ms = 0
        self.is_paused = False
        self.is_over = False
        self.fault = ""
        self._conversion: Conversion | None = None
        self._next = self._skip = self._position = 0
        self.seek(from_ms, absolute=True)

    @property
    def milliseconds(self) -> int:
        """Where it is."""
        return min(self._position, self._opened.milliseconds)

    def seek(self, milliseconds: int, *, absolute: bool = False) -> None:
        """To a place, or from where it is."""
        at = milliseconds if absolute else self._position + milliseconds
        at = min(max(at, 0), self._opened.milliseconds)
        self._turn += 1
        self._drop_frames()
        self._conversion, self._is_asked = None, False
        self._next, self._skip = at // SEGMENT_MS, at % SEGMENT_MS // FRAME_MS
        self._position = at // FRAME_MS * FRAME_MS
        self._ask()

    def __next__(self) -> memoryview | bytes:
        """20 ms."""
        if self._played is not None:
            wipe(self._played)
            self._played = None
        if self.is_over or (not self._frames and not self._is_asked):
            self.close()
            raise StopIteration
        if self.is_paused or not self._frames:
            self._idle_ms += FRAME_MS
            if self._idle_ms > IDLE_MS:
                self.fault = "idle"
                self.is_over = True
            return self._silence
        self._idle_ms = 0
        self._played = self._frames.popleft()
        self._position += FRAME_MS
        if len(self._frames) < AHEAD:
            self._ask()
        return memoryview(self._played)

    def close(self) -> None:
        """Key and audio are gone."""
        self.is_over = True
        self._turn += 1
        self._drop_frames()
        self._opened.forget()

    # --- the next segment

    def _ask(self) -> None:
        if self._is_asked or self._next >= len(self._opened):
            return
        self._is_asked = True
        turn, number = self._turn, self._next
        conversion = self._conversion
        self._start(lambda: self._prepare(turn, number, conversion))

    def _prepare(self, turn: int, number: int, conversion: Conversion | None) -> None:
        """In a thread."""
        space = bytearray(SPACE)
        frames: list[bytearray] = []
        fault = ""
        try:
            conversion = conversion or Conversion(self._opened.codec, self._target)
            size = self._opened.open(number, space)
            length = min(self._opened.milliseconds - number * SEGMENT_MS, SEGMENT_MS)
            with memoryview(space) as view:
                frames = conversion.frames(view[:size], length)
        except MessageRefused as refusal:
            fault = refusal.fault
        except Exception:  # noqa: BLE001 - whatever a codec meets in it, only this message ends
            fault = "altered"
        finally:
            wipe(space)
        self._crossing.post(lambda: self._take(turn, conversion, frames, fault))

    def _take(
        self, turn: int, conversion: Conversion | None, frames: list[bytearray], fault: str
    ) -> None:
        if turn != self._turn or self.is_over:
            for frame in frames:
                wipe(frame)
            return
        self._conversion, self._is_asked = conversion, False
        self._next += 1
        if fault:
            self.fault, self.is_over = fault, True
            return
        for frame in frames[: self._skip]:
            wipe(frame)
        self._frames.extend(frames[self._skip :])
        self._skip = 0
        if len(self._frames) < AHEAD:
            self._ask()

    def _drop_frames(self) -> None:
        for frame in self._frames:
            wipe(frame)
        self._frames.clear()
