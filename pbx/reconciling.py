"""Ledger and key holder's journal compared, at the start and every hour (SECURITY.md, the ledger).

What does not agree is an alarm until the exchange is started again, which compares everything
anew. An intent that nothing followed is closed by a row of its own.
"""

import asyncio
from typing import Final
from uuid import UUID

import structlog

from storage.database import Database
from storage.errors import StorageError
from storage.identifiers import Clock, new_id
from storage.keyholder.client import KeyHolder, KeyHolderError
from storage.keyholder.journal import Event, JournalError
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM, Actor, ActorKind, Entry, Subject
from storage.ledger.journalled import Journalled, Opening
from storage.ledger.reconciliation import GRACE, Comparison, Unfinished, compare, expected
from storage.ledger.unit import Unit

EVERY_SECONDS: Final = 3_600.0
AGAIN_SECONDS: Final = 30.0
"""After a look that could not be taken, because the key holder or the database was away."""
LATE: Final = 2 * 3_600 * 1_000_000
MOST_ALARMS: Final = 50

log = structlog.get_logger()


class Reconciler:
    """The exchange's own look at its ledger and the journal it cannot alter."""

    def __init__(
        self, database: Database, committer: Committer, keyholder: KeyHolder, clock: Clock
    ) -> None:
        self._database, self._committer = database, committer
        self._keyholder, self._clock = keyholder, clock
        self._seen, self._since = 0, 0
        self._used: set[bytes] = set()
        self._found: list[str] = []
        self._compared_at = clock()

    async def run(self) -> None:
        """For ever; the service cancels it."""
        while True:
            compared = await self._attempt()
            await asyncio.sleep(EVERY_SECONDS if compared else AGAIN_SECONDS)

    async def _attempt(self) -> bool:
        try:
            await self.once()
        except (KeyHolderError, StorageError) as failure:
            log.warning("ledger and journal wait to be compared", reason=type(failure).__name__)
            return False
        except Exception as failure:
            log.error("ledger and journal could not be compared", exc_info=failure)
            return False
        return True

    async def once(self) -> Comparison:
        """One look at what is new since the last; raises if key holder or ledger are away."""
        now = self._clock()
        async with self._database.read() as connection:
            expectation = await expected(connection, now, since=self._since)
        journal = expectation.journalled()
        try:
            await self._read(journal)
        except JournalError as error:
            self._alarm(f"{error}.")
            return Comparison()
        async with self._database.read() as connection:
            comparison = await compare(connection, expectation, journal, self._used)
        for unfinished in comparison.unfinished:
            await self._close(unfinished)
        for opening in comparison.uncopied:
            await self._copy(opening)
        for finding in comparison.findings:
            log.error("ledger and journal do not agree", fault=str(finding.fault))
            self._alarm(f"{finding.sentence[:1].upper()}{finding.sentence[1:]}.")
        self._seen, self._since = journal.end, max(0, now - 2 * GRACE)
        self._compared_at = now
        return comparison

    async def _read(self, journal: Journalled) -> None:
        journal.end = self._seen
        while True:
            page = await self._keyholder.journal(journal.end + 1)
            if page.end < self._seen:
                self._alarm("The key holder's journal has become shorter: it was put back.")
                self._seen = 0
                journal.end = 0
                continue
            journal.take(page.entries)
            if not page.entries:
                return

    async def _close(self, unfinished: Unfinished) -> None:
        row = unfinished.row
        subject = UUID(bytes=row.subject_id) if row.subject_id else None
        answer = str(unfinished.answer) if unfinished.answer is not None else "nothing"
        entry = Entry(
            action=Action.LEDGER_RECONCILED,
            outcome=unfinished.outcome,
            actor=SYSTEM,
            operation=UUID(bytes=row.operation),
            subject=Subject(row.subject_kind, subject) if row.subject_kind else None,
            after={"intended": row.action, "row": row.sequence, "journal": answer},
        )

        async def work(unit: Unit) -> None:
            unit.record(entry)

        await self._committer.run(work)

    async def _copy(self, opening: Opening) -> None:
        """Break-glass while the ledger could not be written: what the journal recorded."""
        kind = "message" if opening.event is Event.MESSAGE_OPENED else "mailbox"
        person = opening.person
        entry = Entry(
            action=Action.BREAK_GLASS_COPIED,
            outcome=Outcome.DONE,
            actor=SYSTEM if person is None else Actor(ActorKind.PERSON, person),
            operation=opening.operation or new_id(self._clock),
            subject=Subject(kind, opening.subject),
            after={"event": opening.event.value, "entry": opening.sequence},
            occurred_at=opening.at,
        )

        async def work(unit: Unit) -> None:
            unit.record(entry)

        await self._committer.run(work)

    def _alarm(self, sentence: str) -> None:
        if sentence not in self._found and len(self._found) < MOST_ALARMS:
            self._found.append(sentence)

    def alarms(self) -> list[str]:
        late = self._clock() - self._compared_at > LATE
        waiting = ["Ledger and key holder's journal were not compared for over two hours."]
        return [*self._found, *(waiting if late else [])]
