"""What an exchange does that comes back while calls live in the workers: takes them back.

Calls that were talking go on, those that nobody had answered end, and whatever ended unrecorded is
recorded. Nothing is left in a worker that no call of ours knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from media.client import MediaClient, MediaError, StoredCall
from pbx.b2bua.calls import Calls
from pbx.b2bua.snapshot import CallSnapshot, SnapshotKey
from storage.sealed.primitives import OpenError

log = structlog.get_logger()

Recorded = Callable[[Sequence[UUID]], Awaitable[set[UUID]]]
"""Which of these calls have their record."""


@dataclass(slots=True)
class Return:
    """For one start of the exchange."""

    calls: Calls
    media: MediaClient
    snapshots: SnapshotKey
    recorded: Recorded
    run: str
    """Names this exchange: a call of its own that is not live ended here."""
    _seen: set[UUID] = field(default_factory=set)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def count(self) -> int:
        """Calls that were taken back."""
        return len(self._seen)

    async def take_back(self) -> None:
        """Before phones are let in, and of a worker that answers later: one after the other."""
        async with self._turn:
            await self._take_back()

    async def _take_back(self) -> None:
        found: list[tuple[CallSnapshot, StoredCall]] = []
        for stored in await self._stored():
            if self.calls.is_live(stored.call):
                # Of a worker that did not answer in time, so that another one was asked.
                await self.media.drop_all([x for x in stored.legs if not self.media.knows(x)])
                continue
            try:
                found.append((self.snapshots.open(stored.snapshot), stored))
            except OpenError:
                log.warning("a call that lived on has no state that opens", call=stored.call)
                await self._give_up(stored)
        known = await self.recorded([snapshot.id for snapshot, _ in found])
        for snapshot, stored in found:
            if snapshot.id in known or snapshot.id in self._seen or snapshot.exchange == self.run:
                await self.media.drop_all(stored.legs)  # what is left of a call that is over
            else:
                await self._try(snapshot, stored)
        self.media.forget(str(id) for id in known)
        if self._seen:
            log.info("calls were taken back", count=len(self._seen))

    async def _stored(self) -> list[StoredCall]:
        try:
            return await self.media.calls()
        except MediaError:
            return []  # it is asked again when it is back

    async def _try(self, snapshot: CallSnapshot, stored: StoredCall) -> None:
        """What one call has left behind keeps no other one, and no phone, waiting."""
        try:
            await self._resume(snapshot, stored)
        except Exception:
            log.exception("a call that lived on was not taken back", call=stored.call)
            await self._give_up(stored)

    async def _resume(self, snapshot: CallSnapshot, stored: StoredCall) -> None:
        """Legs that the snapshot does not know yet rang: they ring no more."""
        names = {leg.media for leg in snapshot.legs if leg.phase == "confirmed"}
        names.update(snapshot.trunk)
        await self.media.drop_all([leg for leg in stored.legs if leg not in names])
        self._seen.add(snapshot.id)
        self.calls.resume(snapshot, stored)

    async def _give_up(self, stored: StoredCall) -> None:
        with suppress(MediaError):
            await self.media.drop_all(stored.legs)
            self.media.forget([stored.call])
