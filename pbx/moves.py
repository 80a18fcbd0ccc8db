"""Phones that register from an address, or as a program, that they never had: a row, for review.

Behind the registrar and never in its way: without a ledger what is new waits, and is told late.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from uuid import UUID

from storage.errors import LedgerUnavailable, StorageError
from storage.identifiers import Clock, new_id
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import Actor, ActorKind, Entry, Subject
from storage.ledger.unit import Unit
from storage.phone_places import Moved, PhonePlaces, Seen

BATCH = 200
HOUR = 3_600_000_000
MOST = 10
"""Rows an hour about one phone: one that is never the same fills no ledger, and is not learnt."""
REMEMBERED = 100_000


class Moves:
    """`seen` with each registration; `write` looks up what this process has not met yet."""

    def __init__(self, committer: Committer, places: PhonePlaces, clock: Clock) -> None:
        self._committer = committer
        self._places = places
        self._clock = clock
        self._met: set[tuple[UUID, str, str]] = set()
        self._new: dict[tuple[UUID, str, str], Seen] = {}
        self._counts: dict[UUID, tuple[int, int]] = {}
        """Of each phone: when its hour began, and its rows since."""

    def seen(self, device: UUID, address: str, program: str, now: int) -> None:
        place = (device, address, program)
        if place not in self._met and len(self._new) < REMEMBERED and self._may_move(device, now):
            self._new[place] = Seen(device=device, at=now, address=address, program=program)

    async def write(self) -> None:
        while batch := dict(islice(self._new.items(), BATCH)):
            try:
                moved = await self._committer.run(partial(self._learn, seen=list(batch.values())))
            except (LedgerUnavailable, StorageError):
                return
            for place in batch:
                del self._new[place]
            self._met = (self._met if len(self._met) < REMEMBERED else set()) | batch.keys()
            for one in moved:
                self._counts[one.device] = self._counted(one.device, one.at, 1)

    async def _learn(self, unit: Unit, *, seen: list[Seen]) -> list[Moved]:
        moved = await self._places.learn(unit.connection, seen)
        for one in moved:
            unit.record(self._entry(one))
        return moved

    def _may_move(self, device: UUID, now: int) -> bool:
        return self._counted(device, now, 0)[1] < MOST

    def _counted(self, device: UUID, now: int, more: int) -> tuple[int, int]:
        began, count = self._counts.get(device, (now, 0))
        return (began, count + more) if 0 <= now - began < HOUR else (now, more)

    def _entry(self, moved: Moved) -> Entry:
        return Entry(
            action=Action.REGISTRATION_MOVED,
            outcome=Outcome.DONE,
            actor=Actor(ActorKind.DEVICE, moved.device),
            operation=new_id(self._clock),
            subject=Subject("device", moved.device),
            after={kind: kind in moved.kinds for kind in ("address", "program")},
            occurred_at=moved.at,
        )
