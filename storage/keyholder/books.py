"""Journal and store kept as one: intent in the journal, change in the store, word of it.

The entry is fsynced first, the store's transaction names the entry, then the entry is marked.
At start the two must meet: the store stands at the journal's end, or the last entry was never
applied (a crash between the two) and is abandoned. Anything else means that one of them was put
back from an older copy.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from storage.keyholder import segments
from storage.keyholder.clock import Clock
from storage.keyholder.journal import Entry, Event, Journal, JournalError, Position
from storage.keyholder.records import SETTINGS, Settings
from storage.keyholder.store import Change, Store, StoreError

Crash = Callable[[str], None]
"""Called at each named point between two durable steps: tests stop the process there."""


def going_on(_: str) -> None:
    """Go on: what happens at the named points outside tests."""


NOTHING = Change()


class RolledBack(Exception):
    """Store or journal is an older copy, or was altered: nothing is opened until it is restored."""


class CannotWrite(Exception):
    """The disk refused; nothing was changed."""


class Books:
    """All changes go through `write`; holding `turn` makes a decision and its write one."""

    def __init__(self, store: Store, journal: Journal, clock: Clock, at: Crash = going_on) -> None:
        self.store = store
        self.journal = journal
        self.longest = segments.LONGEST
        self.turn = asyncio.Lock()
        self._clock = clock
        self._at = at
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="keyholder-disk")

    @classmethod
    def open(cls, store: Store, journal: Journal, clock: Clock, at: Crash = going_on) -> "Books":
        """Verifies both and that they belong together."""
        try:
            journal.load(store.state.position)
            store.verify()
        except (JournalError, StoreError) as error:
            raise RolledBack(str(error)) from None
        place = store.state.position
        if journal.is_pending:
            journal.settle(applied=place == journal.position)
        if place != journal.applied:
            raise RolledBack("key store and journal do not meet: one is an older copy")
        return cls(store, journal, clock, at)

    async def write(self, entry: Entry, change: Change = NOTHING) -> Position:
        """Durable when it returns. The caller holds `turn` if it decided on what it read."""
        place = await self._on_disk(
            lambda position, now: self.store.commit(change, position, now), entry
        )
        if self.journal.size > self.longest:
            await self._cut()
        return place

    def write_now(self, entry: Entry, change: Change = NOTHING) -> Position:
        """Before the event loop runs: at founding and at start."""
        return self._write(lambda place, now: self.store.commit(change, place, now), entry)

    async def rekey(self, key: bytes | bytearray, wrapped: bytes, entry: Entry) -> Position:
        return await self._on_disk(
            lambda position, now: self.store.rekey(key, wrapped, position, now), entry
        )

    async def _cut(self) -> None:
        """A new part of the journal; a disk that refuses is asked again at the next entry."""
        settings = self.store.get(Settings, SETTINGS)
        if settings is not None:
            loop = asyncio.get_running_loop()
            with contextlib.suppress(CannotWrite, OSError):
                key = settings.signing_key
                await asyncio.shield(loop.run_in_executor(self._disk, self._cut_now, key))

    def _cut_now(self, key: bytearray) -> None:
        if self.journal.size > self.longest:
            self.write_now(Entry(event=Event.CHECKPOINTED))
            segments.cut(self.journal, key, self._at)

    async def _on_disk(self, apply: Callable[[Position, int], None], entry: Entry) -> Position:
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._disk, self._write, apply, entry))

    def _write(self, apply: Callable[[Position, int], None], entry: Entry) -> Position:
        now = self._clock()
        self._at("before the journal")
        try:
            position = self.journal.append(msgspec.structs.replace(entry, at=now))
        except OSError:
            raise CannotWrite("journal: cannot be written") from None
        self._at("journal written, store not")
        try:
            apply(position, now)
        except BaseException as error:
            self.journal.settle(applied=False)
            if isinstance(error, sqlite3.Error | OSError):
                raise CannotWrite("key store: cannot be written") from None
            raise
        self._at("store written, journal not marked")
        self.journal.settle(applied=True)
        self._at("both written, nothing answered")
        return position

    def close(self) -> None:
        self._disk.shutdown()
        self.store.close()
        self.journal.close()
