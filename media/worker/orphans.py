"""Ends the legs of a worker that nobody has asked for anything for too long.

An exchange that is gone comes back within seconds; one that does not leaves nobody who could ever
end a call, and ports that no call would get again.
"""

from __future__ import annotations

from collections.abc import Callable

from media.worker.loop import Loop

LOOK_EVERY = 10.0
"""Seconds."""


class Orphans:
    """Looks now and then whether the exchange has been heard of."""

    def __init__(
        self, loop: Loop, heard_at: Callable[[], float], limit: float, end: Callable[[], None]
    ) -> None:
        self._loop, self._heard_at = loop, heard_at
        self._limit, self._end = limit, end
        self._look()

    def _look(self) -> None:
        now = self._loop.now()
        if now - self._heard_at() >= self._limit:
            self._end()
        self._loop.at(now + LOOK_EVERY, self._look)
