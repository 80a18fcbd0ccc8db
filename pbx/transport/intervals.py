"""Deadlines that all have the same interval: a queue, so that thousands cost nothing."""

from typing import Generic, TypeVar

K = TypeVar("K")


class Interval(Generic[K]):
    """Who has to be done with something within so many seconds."""

    __slots__ = ("_seconds", "_until")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[K, float] = {}  # in the order of their deadlines

    def __len__(self) -> int:
        return len(self._until)

    def begin(self, key: K, now: float) -> None:
        """The interval starts now, unless it is running already."""
        if key not in self._until:
            self._until[key] = now + self._seconds

    def end(self, key: K) -> None:
        self._until.pop(key, None)

    def overdue(self, now: float, most: int) -> list[K]:
        """Whose interval is over, the first of them; they are forgotten here."""
        found: list[K] = []
        for key, until in self._until.items():
            if until > now or len(found) >= most:
                break
            found.append(key)
        for key in found:
            del self._until[key]
        return found
