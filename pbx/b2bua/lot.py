"""Where calls are parked: numbered places, each for one call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbx.b2bua.call import Call


class Lot:
    """The places of this exchange. The next call gets the place after the last one that was given:
    whoever walks up to a phone finds the call that was meant, or nobody."""

    def __init__(self) -> None:
        self._held: dict[int, Call] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._held)

    def take(self, call: Call, places: int, wanted: int = 0) -> int:
        """A free place for the call, or the one that is wanted; 0: there is none."""
        for place in self._tried(places, wanted):
            if place not in self._held:
                self._held[place] = call
                self._last = place
                return place
        return 0

    def at(self, place: int) -> Call | None:
        return self._held.get(place)

    def place_of(self, call: Call) -> int:
        """0: it has none."""
        return next((place for place, held in self._held.items() if held is call), 0)

    def hand_over(self, call: Call, to: Call) -> int:
        """Another call has its place from now on."""
        place = self.place_of(call)
        if place:
            self._held[place] = to
        return place

    def leave(self, call: Call) -> None:
        self._held.pop(self.place_of(call), None)

    def _tried(self, places: int, wanted: int) -> Iterator[int]:
        if wanted:
            yield from (wanted,) if wanted <= places else ()
            return
        yield from ((self._last + step) % places + 1 for step in range(places))
