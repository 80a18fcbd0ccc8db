"""How long a dead child waits before it is started again.

The first restart is all but immediate, so that one crash costs less than two seconds; a child
that keeps dying waits twice as long each time, and one that has lived long enough starts afresh.
"""

from dataclasses import dataclass
from typing import Final

FIRST: Final = 0.1
LONGEST: Final = 30.0
LONG_ENOUGH: Final = 60.0
"""A child that lived this many seconds was not in a crash loop."""


@dataclass(slots=True)
class Backoff:
    """One child's delays; time is seconds on a monotonic clock, passed in."""

    _next: float = FIRST

    def after(self, lived: float) -> float:
        """The delay before the next start of a child that lived this long."""
        if lived >= LONG_ENOUGH:
            self._next = FIRST
        delay = self._next
        self._next = min(LONGEST, 2 * delay)
        return delay
