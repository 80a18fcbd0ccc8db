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
        signed_in: Callable[[UUID], Actor | None] = lambda device: None,
    ) -> None:  # fmt: skip
        """`signed_in` says who is, on a shared phone."""
        self._committer, self._clock, self._refresh = committer, clock, refresh
        self._reaches = Reaches(fields)
        self._signed_in = signed_in

    async def __call__(self, device: UUID, person: UUID, change: Change) -> None:
        """Of who dialled on a phone of their own, possession of it is all that is known: the actor
        is the phone. On a shared one it is who is signed in."""
        actor = self._signed_in(device) or Actor(ActorKind.DEVICE, device)
        deed = Deed(actor, new_id(self._clock), self._clock())

        async def work(unit: Unit) -> None:
            await self._reaches.change(unit, deed, person, change)

        await self._committer.run(work)
        await self._refresh()
