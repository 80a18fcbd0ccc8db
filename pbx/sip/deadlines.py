"""When to look at what again: a heap that forgives what has changed meanwhile.

Most transactions end in the turn that began them, so a deadline is only put on the heap when
somebody asks for the next one; what is already over by then never costs a push.
"""

from heapq import heapify, heappop, heappush
from typing import Protocol


class Alarm(Protocol):
    """Anything that wants to be looked at again."""

    @property
    def deadline(self) -> float | None:
        """None: not at present."""

    def ring(self, now: float) -> None:
        """The deadline has come."""


class Deadlines:
    """The deadlines of many; each costs O(log n) once, however often it is asked for."""

    __slots__ = ("_changed", "_entries", "_serial", "_wanted")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Alarm]] = []
        self._wanted: dict[int, float] = {}  # id -> the deadline of its valid entry, which holds it
        self._changed: dict[int, Alarm] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._entries)

    def changed(self, alarm: Alarm) -> None:
        """Its deadline may have moved."""
        self._changed[id(alarm)] = alarm

    def next(self) -> float | None:
        """The earliest deadline."""
        if self._changed:
            self._settle()
        entries, wanted = self._entries, self._wanted
        while entries:
            when, _, alarm = entries[0]
            if wanted.get(id(alarm)) == when:
                return when
            heappop(entries)
        return None

    def expire(self, now: float) -> None:
        """Ring every alarm whose deadline has come, earliest first."""
        while (when := self.next()) is not None and when <= now:
            _, _, alarm = heappop(self._entries)
            del self._wanted[id(alarm)]
            alarm.ring(now)
            self.changed(alarm)

    def _settle(self) -> None:
        for alarm in self._changed.values():
            self._schedule(alarm)
        self._changed.clear()
        if len(self._entries) > 64 + 4 * len(self._wanted):
            self._entries = [e for e in self._entries if self._wanted.get(id(e[2])) == e[0]]
            heapify(self._entries)

    def _schedule(self, alarm: Alarm) -> None:
        when, wanted = alarm.deadline, self._wanted
        if when is None:
            wanted.pop(id(alarm), None)
        elif wanted.get(id(alarm)) != when:
            wanted[id(alarm)] = when
            self._serial += 1
            heappush(self._entries, (when, self._serial, alarm))
