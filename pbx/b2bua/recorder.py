"""Writes call records: in batches, with their ledger rows, and never in a call's way.

Calls cannot be refused for want of a ledger (promise 8). While it cannot be written their rows go
to the spool, and the records wait in memory, bounded, for the database to come back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from uuid import UUID

import structlog

from pbx.b2bua.call import Call
from pbx.rounds import Rounds, note_all
from storage import calls
from storage.calls import CallRecord
from storage.errors import StorageError
from storage.identifiers import Clock, new_id
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import Actor, ActorKind, Entry, Subject
from storage.ledger.unit import Unit
from storage.records import HourlyKeys

log = structlog.get_logger()

BATCH = 200
MOST_WAITING = 20_000
RETRY_SECONDS = 5.0
CLAIMS_EVERY = 60_000_000
GATHER_SECONDS, APART_SECONDS = 0.1, 0.5
"""A commit costs the same for one call as for many: 1.5 ms of CPU on the development machine. Until
then the call's worker keeps what becomes its record."""


class CallRecorder:
    """`started` and `ended` take what calls say; `run` writes it."""

    def __init__(
        self,
        committer: Committer,
        keys: HourlyKeys,
        clock: Clock,
        written: Callable[[list[UUID]], None] = lambda calls: None,
    ) -> None:
        """`written` hears of calls whose records are safe."""
        self._written = written
        self._committer = committer
        self._keys = keys
        self._clock = clock
        self._waiting: deque[CallRecord] = deque()
        self._noted: deque[CallRecord] = deque()
        """Their ledger rows are in the spool; only the records are still to be written."""
        self._urgent: deque[Entry] = deque()
        self._claimed: dict[tuple[UUID, Action], int] = {}
        self._rounds = Rounds(GATHER_SECONDS, RETRY_SECONDS, apart=APART_SECONDS)
        self.lost = 0
        """Records dropped because too many waited."""
        self.rows_lost = 0
        """Ledger rows that not even the spool took."""
        self.unsealed = 0
        """Records whose parties were left out for want of a records key."""

    def started(self, call: Call) -> None:
        """An emergency call is recorded as it begins, before anybody answers."""
        if call.is_emergency:
            self._urgent.append(
                _entry(Action.EMERGENCY_CALL_STARTED, call.id, call.caller.device,
                       call.caller.person, call.started_at)
            )  # fmt: skip
            self._rounds.news(urgent=True)

    def claimed(
        self, device: UUID, person: UUID | None, action: Action = Action.CALL_CLAIMED
    ) -> None:
        """A phone named a dialog of somebody else's, or wanted a call it has no right to; a row a
        minute says so of each device."""
        now = self._clock()
        if now - self._claimed.get((device, action), -CLAIMS_EVERY) < CLAIMS_EVERY:
            return
        self._claimed[device, action] = now
        actor = Actor(ActorKind.PERSON, person) if person else Actor(ActorKind.DEVICE, device)
        self._urgent.append(
            Entry(
                action=action,
                outcome=Outcome.REFUSED,
                actor=actor,
                operation=new_id(self._clock),
                subject=Subject("device", device),
                occurred_at=now,
            )
        )
        self._rounds.news(urgent=True)

    def ended(self, record: CallRecord) -> None:
        """A call is over."""
        self._waiting.append(record)
        if len(self._waiting) + len(self._noted) > MOST_WAITING:
            (self._noted or self._waiting).popleft()
            self.lost += 1
        self._rounds.news()

    @property
    def waiting(self) -> int:
        """Records not written yet."""
        return len(self._waiting) + len(self._noted)

    async def run(self) -> None:
        """Write until `close`; then once more."""
        await self._rounds.run(self._try, lambda: bool(self._noted))

    def close(self) -> None:
        """Let `run` return when what waits has been tried once more."""
        self._rounds.close()

    async def _try(self) -> None:
        """Whatever happens to one batch, the next call's record is written."""
        try:
            await self._write()
        except Exception:
            self.lost += 1
            log.exception("call records were not written")

    async def _write(self) -> None:
        await self._write_urgent()
        while batch := self._take(self._waiting):
            try:
                await self._store(batch, with_rows=True)
            except (StorageError, TimeoutError):
                await self._note([ended(record) for record in batch])
                self._noted.extend(batch)
            except Exception:  # noqa: BLE001 - one bad record must not hold up all others
                await self._store_each(batch)
            await self._write_urgent()
        while batch := self._take(self._noted):
            try:
                await self._store(batch, with_rows=False)
            except (StorageError, TimeoutError):
                self._noted.extendleft(reversed(batch))
                return
            except Exception:  # noqa: BLE001 - one bad record must not hold up all others
                await self._store_each(batch, with_rows=False)

    async def _write_urgent(self) -> None:
        while self._urgent:
            await self._note([self._urgent.popleft()])

    async def _note(self, entries: list[Entry]) -> None:
        """Rows that cannot be refused; a committer that has stopped takes none at all."""
        lost = await note_all(self._committer, entries)
        if lost:
            self.rows_lost += lost
            log.error("ledger rows lost", count=lost)

    async def _store_each(self, batch: list[CallRecord], *, with_rows: bool = True) -> None:
        """One of them cannot be stored: find it, and store the others.

        What the database refuses has its ledger row all the same.
        """
        for record in batch:
            try:
                await self._store([record], with_rows=with_rows)
            except (StorageError, TimeoutError):
                await self._note([ended(record)] if with_rows else [])
                self._noted.append(record)
            except Exception:
                log.exception("a call record was refused", call=str(record.id))
                self.lost += 1
                await self._note([ended(record)] if with_rows else [])

    def _take(self, waiting: deque[CallRecord]) -> list[CallRecord]:
        return [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]

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
        self._written([record.id for record in batch])


def ended(record: CallRecord) -> Entry:
    """The ledger row of a call that is over: how it went and how it was protected."""
    action = Action.EMERGENCY_CALL_ENDED if record.is_emergency else Action.CALL_ENDED
    entry = _entry(action, record.id, record.caller_device, record.caller_person, record.ended_at)
    transfers = [
        {"kind": one.kind, "device": str(one.by), "status": one.status}
        for one in record.parties.transfers
    ]
    after = {
        "route": record.route,
        "outcome": record.outcome,
        "cause": record.cause,
        "seconds": (record.ended_at - record.started_at) // 1_000_000,
        **({"transfers": transfers} if transfers else {}),
        "legs": [
            {
                "role": leg.role,
                "device": str(leg.device),
                **({"person": str(leg.person)} if leg.person else {}),
                "suite": leg.receipt.suite,
            }
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
