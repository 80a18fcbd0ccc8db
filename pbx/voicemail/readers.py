"""Who reads which shared mailboxes, for lamps: a copy of the key holder's table.

Nothing is decided by it: who opens a message the key holder decides again, each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from uuid import UUID

from storage.identifiers import Clock
from storage.keyholder.client import KeyHolder, KeyHolderError
from storage.keyholder.decisions import BREAK_GLASS
from storage.keyholder.protocol import MailboxView

EVERY = 30.0
NOBODY: frozenset[UUID] = frozenset()


class Readers:
    """Empty until the key holder was asked; what was known stays while it is away."""

    def __init__(self, keyholder: KeyHolder, clock: Clock) -> None:
        self._keyholder, self._clock = keyholder, clock
        self._people: Mapping[UUID, frozenset[UUID]] = {}
        self.changed: Callable[[Collection[UUID]], None] = lambda mailboxes: None
        """Told which mailboxes have other readers now."""

    def people_of(self, mailbox: UUID) -> frozenset[UUID]:
        return self._people.get(mailbox, NOBODY)

    def mailboxes_of(self, person: UUID) -> list[UUID]:
        """The shared ones alone."""
        return [mailbox for mailbox, people in self._people.items() if person in people]

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.refresh()
            await asyncio.sleep(EVERY)

    async def refresh(self) -> None:
        try:
            found = await self._keyholder.mailboxes()
        except KeyHolderError:
            return
        now, before = self._clock(), self._people
        self._people = {
            box.id: _members(box, now) for box in found if box.owner is None and box.closed is None
        }
        other = {
            mailbox
            for mailbox in before.keys() | self._people.keys()
            if before.get(mailbox, NOBODY) != self.people_of(mailbox)
        }
        if other:
            self.changed(other)


def _members(box: MailboxView, now: int) -> frozenset[UUID]:
    """Break-glass lights no lamp."""
    return frozenset(
        one.person
        for one in box.members
        if one.kind != BREAK_GLASS and one.start <= now and (one.until is None or now < one.until)
    )
