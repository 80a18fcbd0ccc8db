"""Writes call records: in batches, with their ledger rows, and never in a call's way.

Calls cannot be refused for want of a ledger (promise 8). While it cannot be written their rows go
to the spool, and the records wait in memory, bounded, for the database to come back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from uuid import UUID

import structlog

from pbx.b2bua.call import Call
from storage import calls
from storage.calls import CallRecord
from storage.errors import LedgerUnavailable, StorageError
from storage.identifiers import Clock
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import Actor, ActorKind, Entry, Subject
from storage.ledger.unit import Unit
from storage.records import HourlyKeys

log = structlog.get_logger()

BATCH = 200
MOST_WAITING = 20_000
RETRY_SECONDS = 5.0


class CallRecorder:
    """`started` and `ended` take what calls say; `run` writes it."""

    def __init__(self, committer: Committer, keys: HourlyKeys, clock: Clock) -> None:
        self._committer = committer
        self._keys = keys
        self._clock = clock
        self._waiting: deque[CallRecord] = deque()
        self._noted: deque[CallRecord] = deque()
        """Their ledger rows are in the spool; only the records are still to be written."""
        self._emergencies: deque[Entry] = deque()
        self._news = asyncio.Event()
        self._is_closing = False
        self.lost = 0
        """Records dropped because too many waited."""
        self.unsealed = 0
        """Records whose parties were left out for want of a records key."""

    def started(self, call: Call) -> None:
        """An emergency call is recorded as it begins, before anybody answers."""
        if call.is_emergency:
            self._emergencies.append(
                _entry(Action.EMERGENCY_CALL_STARTED, call.id, call.caller.device,
                       call.caller.person, call.started_at)
            )  # fmt: skip
            self._news.set()

    def ended(self, record: CallRecord) -> None:
        """A call is over."""
        self._waiting.append(record)
        if len(self._waiting) + len(self._noted) > MOST_WAITING:
            (self._noted or self._waiting).popleft()
            self.lost += 1
        self._news.set()

    @property
    def waiting(self) -> int:
        """Records not written yet."""
        return len(self._waiting) + len(self._noted)

    async def run(self) -> None:
        """Write until `close`; then once more."""
        while not self._is_closing:
            await self._pause()
            self._news.clear()
            await self._write()
        await self._write()

    def close(self) -> None:
        """Let `run` return when what waits has been tried once more."""
        self._is_closing = True
        self._news.set()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(RETRY_SECONDS if self._noted else None):
                await self._news.wait()
        except TimeoutError:
            return

    async def _write(self) -> None:
        while self._emergencies:
            await self._committer.note(self._emergencies.popleft())
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await self._store(batch, with_rows=True)
            except (LedgerUnavailable, StorageError):
                for record in batch:
                    await self._committer.note(ended(record))
                self._noted.extend(batch)
        while self._noted:
            batch = [self._noted[index] for index in range(min(BATCH, len(self._noted)))]
            try:
                await self._store(batch, with_rows=False)
            except (LedgerUnavailable, StorageError):
                return
            for _ in batch:
                self._noted.popleft()

    async def _store(self, batch: list[CallRecord], *, with_rows: bool) -> None:
        key = self._keys.current()
        if key is None:
            self.unsealed += len(batch)
            log.error("call records without parties", count=len(batch))

        async def work(unit: Unit) -> None:
            await calls.write(unit.connection, batch, key)
            if with_rows:
                for record in batch:
                    unit.record(ended(record))

        await self._committer.run(work)


def ended(record: CallRecord) -> Entry:
    """The ledger row of a call that is over: how it went and how it was protected."""
    action = Action.EMERGENCY_CALL_ENDED if record.is_emergency else Action.CALL_ENDED
    entry = _entry(action, record.id, record.caller_device, record.caller_person, record.ended_at)
    after = {
        "route": record.route,
        "outcome": record.outcome,
        "cause": record.cause,
        "seconds": (record.ended_at - record.started_at) // 1_000_000,
        "legs": [
            {"role": leg.role, "device": str(leg.device), "suite": leg.receipt.suite}
            for leg in record.legs
        ],
    }
    return Entry(
        action=entry.action,
        outcome=entry.outcome,
        actor=entry.actor,
        operation=entry.operation,
        subject=entry.subject,
        after=after,
        occurred_at=entry.occurred_at,
    )


def _entry(action: Action, call: UUID, device: UUID, person: UUID | None, at: int) -> Entry:
    actor = Actor(ActorKind.PERSON, person) if person else Actor(ActorKind.DEVICE, device)
    return Entry(
        action=action,
        outcome=Outcome.DONE,
        actor=actor,
        operation=call,
        subject=Subject("call", call),
        occurred_at=at,
    )
