"""Which devices and people a call takes, and what it may take more."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from pbx.b2bua.leg import Phase

if TYPE_CHECKING:
    from pbx.b2bua.call import Call
    from pbx.b2bua.caller_leg import CallerLeg
    from pbx.b2bua.leg import Leg
    from pbx.b2bua.surroundings import Board


MOST_LEGS = 200
"""Legs and transfers that one call may have had before its phones are asked to begin another one:
all of them stand in its record, and in what its worker keeps of it."""


class Members:
    """Of one call: its legs, counted on the board that all calls share."""

    def __init__(self, call: Call, board: Board) -> None:
        self._call, self._board = call, board
        self.legs: list[Leg] = []

    def add(self, leg: Leg) -> None:
        """One more phone is part of the call."""
        if leg.device not in self.devices():
            self._board.count(leg.device)
        self.legs.append(leg)

    def ended(self, leg: Leg) -> None:
        """A leg is over: its device has room again."""
        if leg.device not in self.devices():
            self._board.uncount(leg.device)

    def remove(self, leg: Leg) -> None:
        """It goes on in another call."""
        self.legs.remove(leg)
        self.ended(leg)

    def forget(self, comer: CallerLeg) -> None:
        """It came to the call by itself and was not let in: so it never was part of it."""
        if comer in self.legs:
            self.legs.remove(comer)
        self._board.listeners.over(comer.transaction)

    @property
    def is_full(self) -> bool:
        """Whether its phones have put each other through for long enough."""
        return len(self.legs) + len(self._call.transfers) >= MOST_LEGS

    def devices(self) -> set[UUID]:
        """Those that are part of the call now."""
        return {leg.device for leg in self.legs if leg.phase is not Phase.ENDED}

    def people(self) -> set[UUID | None]:
        """Those whose phones are part of the call now."""
        return {leg.person for leg in self.legs if leg.phase is not Phase.ENDED}

    def has_room(self, device: UUID) -> bool:
        """Whether the device may be rung, or has as many calls as it may have."""
        return self._call.is_emergency or self._board.has_room(device)

    def is_at_limit(self, person: UUID, most: int | None) -> bool:
        """Whether a person has as many calls as they take at once."""
        call = self._call
        return most is not None and not call.is_emergency and self._board.is_at(person, most, call)

    @property
    def may_take_ports(self) -> bool:
        """The last ports of a worker are for emergency calls (47 CFR 9.16)."""
        call, total = self._call, self._call.around.legs_per_worker
        if call.is_emergency or not total:
            return True
        kept = min(call.around.config.emergency_legs, total // 4)
        return call.media.legs_beside(str(call.id)) < total - kept
