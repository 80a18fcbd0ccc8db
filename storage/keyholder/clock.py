"""Time that never falls back: a lock-out is not shortened and nothing expired is revived."""

from collections.abc import Callable

Clock = Callable[[], int]
"""Microseconds since 1970, UTC."""

SECOND = 1_000_000
DAY = 86_400 * SECOND
WEEK = 7 * DAY


class SafeClock:
    """The later of the wall clock and what has passed by the monotonic clock.

    `floor` is the latest time the store has seen, so a clock set back while we were stopped is
    caught too. A wall clock that jumps forward is believed: expiries then come early, never late.
    """

    def __init__(self, wall: Clock, monotonic: Clock, floor: int = 0) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._latest = max(wall(), floor)
        self._mark = monotonic()

    def __call__(self) -> int:
        mark = self._monotonic()
        self._latest = max(self._wall(), self._latest + max(0, mark - self._mark))
        self._mark = mark
        return self._latest

    def wall(self) -> int:
        """For time-based codes alone, whose own counter refuses what was used before."""
        return self._wall()
