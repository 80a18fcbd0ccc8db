"""When to look at what again: a heap that forgives what has changed meanwhile.

Most transactions end in the turn that began them, so a deadline is only put on the heap when
somebody asks for the next one; what is already over by then never costs a push.
"""

from heapq import heapify, heappop, heappush
from typing import Protocol


class Timed(Protocol):
    """Anything that wants to be looked at again."""

    @property
    def deadline(self) -> float | None:
        """None: not at present."""


class Deadlines:
    """The deadlines of many, cheapest first."""

    __slots__ = ("_changed", "_entries", "_serial", "_wanted")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Timed]] = []
        self._wanted: dict[int, float] = {}  # id -> the deadline its valid entry carries
        self._changed: dict[int, Timed] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._entries)

    def changed(self, timed: Timed) -> None:
        """Its deadline may have moved."""
        self._changed[id(timed)] = timed

    def next(self) -> float | None:
        """The earliest deadline."""
        self._settle()
        entries = self._entries
        while entries:
            when, _, timed = entries[0]
            if self._wanted.get(id(timed)) == when and timed.deadline == when:
                return when
            heappop(entries)
        return None

    def due(self, now: float) -> list[Timed]:
        """Those whose deadline has come; each must be expired and then reported `changed`."""
        found: list[Timed] = []
        while (when := self.next()) is not None and when <= now:
            _, _, timed = heappop(self._entries)
            del self._wanted[id(timed)]
            found.append(timed)
        return found

    def _settle(self) -> None:
        if not self._changed:
            return
        for timed in self._changed.values():
            self._schedule(timed)
        self._changed.clear()
        if len(self._entries) > 64 + 4 * len(self._wanted):
            self._entries = [e for e in self._entries if self._wanted.get(id(e[2])) == e[0]]
            heapify(self._entries)

    def _schedule(self, timed: Timed) -> None:
        when = timed.deadline
        if when is None:
            self._wanted.pop(id(timed), None)
        elif self._wanted.get(id(timed)) != when:
            self._wanted[id(timed)] = when
            self._serial += 1
            heappush(self._entries, (when, self._serial, timed))
