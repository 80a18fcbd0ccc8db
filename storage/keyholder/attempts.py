"""One attempt at a secret: refused at once when slowed or locked, counted when wrong.

Attempts of one device, and of one person, go one after the other, so that fifty guesses sent at
once are still counted one by one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn
from uuid import UUID
from weakref import WeakValueDictionary

import msgspec

from storage.keyholder import failures
from storage.keyholder.core import Core, No
from storage.keyholder.draft import Draft
from storage.keyholder.failures import Limits
from storage.keyholder.journal import Entry, Event
from storage.keyholder.protocol import Notice, Origin
from storage.keyholder.records import Failures, Person
from storage.sealed.primitives import sha256

QUIET = 60_000_000
"""A refusal while slowed or locked is journalled once a minute, or a flood would fill the disk."""


class Attempts:
    """Counts over all paths; the only place where anybody is slowed or locked."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._limits = Limits.of(core.config)
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self._quiet: dict[UUID, int] = {}

    @asynccontextmanager
    async def turn(self, origin: Origin, person: UUID | None) -> AsyncIterator[None]:
        """Waits for earlier attempts, then goes in or raises `No`. Device before person."""
        device = device_id(origin)
        async with self._lock(device):
            self._check_device(device)
            if person is None:
                yield
                return
            async with self._lock(person):
                self._check_person(person)
                yield

    def _lock(self, identifier: UUID) -> asyncio.Lock:
        lock = self._locks.get(identifier)
        if lock is None:
            lock = self._locks[identifier] = asyncio.Lock()
        return lock

    def _check_device(self, device: UUID) -> None:
        counted = self._core.store.get(Failures, device)
        now = self._core.clock()
        if counted is not None and failures.is_slowed(counted, now, self._limits):
            raise Slowed("the device is slowed", quiet=self._is_quiet(device, now))

    def _check_person(self, person: UUID) -> None:
        counted = self._core.store.get(Failures, person)
        now = self._core.clock()
        if counted is not None and failures.is_locked(counted, now):
            raise Slowed("the person is locked", quiet=self._is_quiet(person, now))

    def _is_quiet(self, identifier: UUID, now: int) -> bool:
        for old in [key for key, until in self._quiet.items() if until <= now]:
            del self._quiet[old]
        quiet = identifier in self._quiet
        self._quiet.setdefault(identifier, now + QUIET)
        return quiet

    async def failed(
        self, origin: Origin, person: Person | None, entry: Entry, named: UUID | None = None
    ) -> NoReturn:
        """Counts and journals a wrong secret, then raises. Not to be called within `books.turn`.

        Who is `named` and does not exist is locked like anybody: it does not show who does."""
        identifier = named if person is None else person.id
        async with self._core.books.turn:
            draft, now = self._core.draft(), self._core.clock()
            device = draft.get(Failures, device_id(origin)) or Failures(device_id(origin))
            draft.put(failures.after_device_failure(device, now, self._limits))
            locked = identifier is not None and self._count(draft, identifier, now)
            self._forget_old(draft, now)
            event = Event.LOCKED if locked else Event.REFUSED
            entry = msgspec.structs.replace(
                entry, event=event, person=identifier, reason="wrong secret"
            )
            await self._core.books.write(entry, draft.change())
        raise Counted("wrong secret")

    def _count(self, draft: Draft, person: UUID, now: int) -> bool:
        before = draft.get(Failures, person) or Failures(person)
        after = failures.after_person_failure(before, now, self._limits)
        draft.put(after)
        locked = failures.is_locked(after, now)
        current = draft.get(Person, person)
        if locked and current is not None:
            notices = (*current.notices, Notice("locked", now))[-20:]
            draft.put(msgspec.structs.replace(current, notices=notices))
        return locked

    def _forget_old(self, draft: Draft, now: int) -> None:
        for counted in list(draft.all(Failures)):
            if failures.is_over(counted, now, self._limits):
                draft.delete(Failures, counted.id)

    def clear(self, draft: Draft, person: UUID) -> None:
        """After success, or when somebody lifts the lock."""
        if draft.get(Failures, person) is not None:
            draft.delete(Failures, person)

    def locked_until(self, person: UUID) -> int:
        counted = self._core.store.get(Failures, person)
        return counted.locked_until if counted is not None else 0


class Counted(No):
    """Already in the journal."""


class Slowed(No):
    """Refused before looking at the secret; `quiet` if that was journalled a moment ago."""

    def __init__(self, reason: str, *, quiet: bool) -> None:
        super().__init__(reason)
        self.quiet = quiet


def device_id(origin: Origin) -> UUID:
    """One row of failures per device and source."""
    device, source = origin.device.encode(), origin.source.encode()
    name = len(device).to_bytes(4, "big") + device + source
    return UUID(bytes=sha256(b"device v1\0", name)[:16])
