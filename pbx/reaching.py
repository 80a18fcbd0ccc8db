"""Do-not-disturb and forwards that were dialled: written down as the phone's doing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from storage.deeds import Deed
from storage.identifiers import Clock, new_id
from storage.ledger.committer import Committer
from storage.ledger.entry import Actor, ActorKind
from storage.ledger.unit import Unit
from storage.reach import Change, Reaches
from storage.sealed.fields import FieldKey


class ReachByPhone:
    """Commits a change with its rows; calls go by it before the phone hears that it is done."""

    def __init__(
        self, committer: Committer, fields: FieldKey, clock: Clock,
        refresh: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._committer, self._clock, self._refresh = committer, clock, refresh
        self._reaches = Reaches(fields)

    async def __call__(self, device: UUID, person: UUID, change: Change) -> None:
        """Possession of the phone is all that is known of who dialled: the actor is the phone."""
        deed = Deed(Actor(ActorKind.DEVICE, device), new_id(self._clock), self._clock())

        async def work(unit: Unit) -> None:
            await self._reaches.change(unit, deed, person, change)

        await self._committer.run(work)
        await self._refresh()
