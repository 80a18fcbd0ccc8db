"""Plays sounds into a leg's stream, a frame every 20 ms."""

from collections.abc import Callable, Iterator

from media.worker.loop import Deadline, Loop
from media.worker.stream import FRAME_SECONDS, Stream

LATE = 0.2
"""After such a pause the clock starts anew: no burst of frames to catch up."""


class Playback:
    """One player while it plays."""

    def __init__(
        self,
        loop: Loop,
        stream: Stream,
        number: int,
        frames: Iterator[bytes | memoryview],
        ended: Callable[[], None],
        stopped: Callable[[], None] = lambda: None,
    ) -> None:
        self._loop, self._stream, self._number = loop, stream, number
        self._frames, self._ended, self._stopped = frames, ended, stopped
        self._ticks = 0
        self._due = loop.now()
        self._deadline: Deadline | None = loop.at(self._due, self._tick)
        stream.fed_by(None)

    def stop(self) -> None:
        """End it early: `stopped` is called, `ended` is not."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self._stopped()

    def _tick(self) -> None:
        frame = next(self._frames, None)
        if frame is None:
            self._deadline = None
            self._ended()
            return
        now = self._loop.now()
        self._stream.play(self._number, frame, now, ticks=self._ticks)
        self._ticks = round(FRAME_SECONDS * self._stream.clock)
        self._due += FRAME_SECONDS
        if now - self._due > LATE:
            self._due, self._ticks = now, 0
        self._deadline = self._loop.at(self._due, self._tick)
