"""One committer per writer: many units of work, one transaction, one chain.

Units that wait are collected and committed together, each in a savepoint. Sequence and hash are
assigned after the savepoints, so a unit that fails takes no number and fails alone. Nothing is
acknowledged before the commit. While the ledger cannot be written, units are refused and notes
(rows that cannot be refused) go to the spool; the committer finds out by itself when it is back.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import structlog

from storage.database import Database
from storage.errors import LedgerUnavailable
from storage.identifiers import Clock, new_id
from storage.ledger import batch
from storage.ledger.actions import Action, Outcome
from storage.ledger.drain import drain
from storage.ledger.entry import SYSTEM, Entry
from storage.ledger.health import Health, HealthRecord
from storage.ledger.spool import Spool
from storage.ledger.unit import Pending, Unit

log = structlog.get_logger()
T = TypeVar("T")

MOST_UNITS = 256
"""Units in one transaction: a bound on how much one lost commit takes with it."""
RETRY_SECONDS = 2.0
"""How long the ledger stays unavailable at least, once it has failed."""


class Committer:
    """Writes one chain; used as `async with Committer(...)`."""

    def __init__(
        self,
        database: Database,
        writer: str,
        *,
        clock: Clock,
        spool: Spool | None = None,
        committed: Callable[[int], None] = lambda rows: None,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """`committed` is told how many rows each commit added (the head keeper wants to know)."""
        self.writer = writer
        self._database = database
        self._clock = clock
        self._spool = spool
        self._committed = committed
        self._retry_seconds = retry_seconds
        self._health = HealthRecord(clock)
        self._queue: asyncio.Queue[Pending | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False
        self._retry_at = 0.0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._serve(), name="ledger committer")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit what waits, then stop."""
        self._is_closing = True
        self._queue.put_nowait(None)
        if self._task is not None:
            await self._task

    @property
    def health(self) -> Health:
        return self._health.now

    async def run(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Do the work and record it; returns once both are committed.

        Raises LedgerUnavailable when no row can be written, and the work's own failure. After a
        connection lost during the commit itself, the work may be stored although it was refused.
        """
        result: T = await self._submit(Pending(work))
        return result

    async def note(self, *entries: Entry) -> None:
        """Record what has happened already and cannot be refused; in the spool if need be."""
        await self._submit(Pending(None, list(entries)))

    async def retry(self) -> bool:
        """Try now whether the ledger can be written again; True if it can."""
        if self._health.now.is_available and not self._spooled:
            return True
        result: bool = await self._submit(Pending(None, is_probe=True))
        return result

    async def _submit(self, pending: Pending) -> Any:
        if self._is_closing:
            raise LedgerUnavailable
        self._queue.put_nowait(pending)
        return await pending.answer

    @property
    def _spooled(self) -> bool:
        return self._spool is not None and bool(self._spool.rows or self._spool.gap)

    async def _serve(self) -> None:
        if self._spooled:
            await self._recover()
        while True:
            waiting = await self._collect()
            probes = [p for p in waiting if p is not None and p.is_probe]
            if probes or self._is_due:
                await self._recover()
            for probe in probes:
                probe.succeed(self._health.now.is_available)
            units = [p for p in waiting if p is not None and not p.is_probe and not p.is_abandoned]
            if units:
                await self._commit(units)
            if None in waiting:
                return

    @property
    def _is_due(self) -> bool:
        """In trouble, and long enough since the last try."""
        troubled = not self._health.now.is_available or self._spooled
        return troubled and asyncio.get_running_loop().time() >= self._retry_at

    async def _collect(self) -> list[Pending | None]:
        """What waits, at least one; nothing when it is time to try the ledger again."""
        troubled = not self._health.now.is_available or self._spooled
        try:
            async with asyncio.timeout_at(self._retry_at if troubled else None):
                waiting = [await self._queue.get()]
        except TimeoutError:
            return []
        while len(waiting) < MOST_UNITS and not self._queue.empty():
            waiting.append(self._queue.get_nowait())
        return waiting

    async def _commit(self, units: list[Pending]) -> None:
        if not self._health.now.is_available:
            await self._turn_away(units)
            return
        try:
            written = await batch.commit(self._database, self.writer, units, self._clock)
        except Exception as failure:  # noqa: BLE001 - whatever stopped it, nobody is told "done"
            self._failed(failure)
            await self._turn_away(units)
            return
        self._health.count(steps=written.backward_steps)
        for unit in units:
            unit.succeed(unit.result)
        self._committed(written.rows)

    async def _turn_away(self, units: list[Pending]) -> None:
        refused = [unit for unit in units if not unit.is_note and not unit.answer.done()]
        for unit in refused:
            unit.fail(LedgerUnavailable())
        self._health.count(refused=len(refused))
        notes = [unit for unit in units if unit.is_note]
        await self._keep([entry for note in notes for entry in note.entries])
        for note in notes:
            note.succeed(None)

    async def _keep(self, entries: list[Entry]) -> None:
        if not entries:
            return
        if self._spool is None:
            self._health.count(lost=len(entries))
            log.error("ledger rows lost", count=len(entries))
            return
        taken = await asyncio.to_thread(self._spool.append, entries, self._clock)
        self._health.count(spooled=taken.spooled, lost=taken.lost)
        self._health.waiting(len(self._spool.rows))
        if taken.lost:
            log.error("ledger rows lost", count=taken.lost)

    async def _recover(self) -> None:
        """See whether the ledger takes a row; if so, bring the spool's rows home."""
        self._wait_before_retry()
        try:
            if not self._health.now.is_available:
                note = Pending(None, [self._recovery()])
                await batch.commit(self._database, self.writer, [note], self._clock)
                self._health.recovered()
                log.info("ledger can be written again")
                self._committed(1)
            if self._spool is not None and self._spooled:
                self._committed(await drain(self._database, self._spool, self._clock))
                self._health.waiting(len(self._spool.rows))
        except Exception as failure:  # noqa: BLE001 - the next try may succeed
            self._failed(failure)

    def _wait_before_retry(self) -> None:
        self._retry_at = asyncio.get_running_loop().time() + self._retry_seconds

    def _failed(self, failure: Exception) -> None:
        self._wait_before_retry()
        is_news = self._health.failed()
        log.log(
            logging.ERROR if is_news else logging.DEBUG,
            "ledger cannot be written",
            reason=type(failure).__name__,
        )

    def _recovery(self) -> Entry:
        health = self._health.now
        return Entry(
            action=Action.LEDGER_RECOVERED,
            outcome=Outcome.DONE,
            actor=SYSTEM,
            operation=new_id(self._clock),
            after={"since": health.unavailable_since, "refused": health.refused},
        )
