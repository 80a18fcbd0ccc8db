"""One committer per writer: many units of work, one transaction, one chain.

Units that wait are collected and committed together, each in a savepoint. Sequence and hash are
assigned after the savepoints, so a unit that fails takes no number and fails alone. Nothing is
acknowledged before the commit. While the ledger cannot be written, units are refused and notes
(rows that cannot be refused) go to the spool; the committer finds out by itself when it is back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.errors import LedgerUnavailable, StorageUnavailable
from storage.failures import is_storage_failure
from storage.identifiers import Clock
from storage.ledger import table
from storage.ledger.entry import Entry
from storage.ledger.unit import Pending, Unit

log = structlog.get_logger()
T = TypeVar("T")

MOST_UNITS = 256
"""Units in one transaction: a bound on how much one lost commit takes with it."""
UNIT_SECONDS = 10.0
"""A unit that takes longer fails: it holds up everybody behind it."""


class Committer:
    """Writes one chain; used as `async with Committer(...)`."""

    def __init__(self, database: Database, writer: str, *, clock: Clock) -> None:
        self.writer = writer
        self._database = database
        self._clock = clock
        self._queue: asyncio.Queue[Pending | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._serve(), name="ledger committer")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit what waits, then stop."""
        self._queue.put_nowait(None)
        if self._task is not None:
            await self._task

    async def run(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Do the work and record it; returns once both are committed.

        Raises LedgerUnavailable when no row can be written, and the work's own failure.
        """
        pending = Pending(work)
        self._queue.put_nowait(pending)
        result: T = await pending.answer
        return result

    async def note(self, entry: Entry) -> None:
        """Record what has happened already and cannot be refused."""
        pending = Pending(None, [entry])
        self._queue.put_nowait(pending)
        await pending.answer

    async def _serve(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < MOST_UNITS and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._commit([p for p in batch if p is not None and not p.is_settled])
            if None in batch:
                return

    async def _commit(self, batch: list[Pending]) -> None:
        try:
            async with self._database.begin() as connection:
                await table.lock(connection, self.writer)
                for pending in batch:
                    if pending.work is not None:
                        await self._perform(connection, pending)
                await self._number(connection, [p for p in batch if not p.is_settled])
        except Exception as failure:  # noqa: BLE001 - whatever stops the commit, nobody is told "done"
            log.error("ledger cannot be written", reason=type(failure).__name__)
            for pending in batch:
                pending.fail(LedgerUnavailable())
        else:
            for pending in batch:
                pending.succeed()

    async def _perform(self, connection: AsyncConnection, pending: Pending) -> None:
        assert pending.work is not None  # noqa: S101 - for mypy: the caller looked
        savepoint = await connection.begin_nested()
        pending.unit = Unit(connection)
        try:
            async with asyncio.timeout(UNIT_SECONDS):
                pending.result = await pending.work(pending.unit)
        except Exception as failure:  # noqa: BLE001 - the unit's own failure goes back to its caller
            await savepoint.rollback()
            troubled = is_storage_failure(failure) or isinstance(failure, StorageUnavailable)
            pending.fail(LedgerUnavailable() if troubled else failure)
        else:
            await savepoint.commit()
            pending.entries = pending.unit.entries

    async def _number(self, connection: AsyncConnection, batch: list[Pending]) -> None:
        tip = await table.tip(connection, self.writer)
        written = []
        for pending in batch:
            rows = []
            for entry in pending.entries:
                row, tip = tip.extend(entry, self._clock())
                rows.append(row)
            written += rows
            if pending.unit is not None:
                pending.unit.rows = tuple(rows)
        await table.append(connection, written)
