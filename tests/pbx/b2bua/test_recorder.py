"""What is recorded whatever the database does."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from pbx.b2bua.recorder import CallRecorder
from pbx.location import Binding, Bound
from pbx.registrations import RegistrationJournal
from pbx.sip.flows import FlowId
from storage.calls import CallOutcome, CallRecord, Parties
from storage.ledger.entry import Entry
from storage.phones import Phones
from storage.records import HourlyKeys
from storage.sealed.fields import FieldKey


class Failing:
    """A committer of a database that fails in all ways, for a while."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.noted: list[Entry] = []
        self.units = 0

    async def run(self, work: object) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.units += 1

    async def note(self, *entries: Entry) -> None:
        self.noted += entries


class Deaf(Failing):
    """And its spool is full."""

    async def note(self, *entries: Entry) -> None:
        raise OSError("no room")


def record() -> CallRecord:
    return CallRecord(
        id=uuid4(), started_at=0, answered_at=None, ended_at=1, route="person",
        outcome=CallOutcome.FAILED, cause="internal", is_emergency=True, caller_device=uuid4(),
        caller_person=None, callee_tenure=None, legs=(),
        parties=Parties(caller_number="", caller_name="", dialled="911", callee_name=""),
    )  # fmt: skip


def recorder(committer: Failing) -> CallRecorder:
    keys = HourlyKeys(b"", lambda: None, lambda: 0)
    return CallRecorder(committer, keys, lambda: 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("failure", [TimeoutError(), ValueError("of the database's own")])
async def test_a_slow_or_strange_database_loses_no_row_and_stops_no_recorder(
    failure: Exception,
) -> None:
    committer = Failing(failure, failure)
    writing = recorder(committer)
    task = asyncio.create_task(writing.run())
    writing.ended(record())
    writing.ended(record())
    writing.close()
    await task
    assert len(committer.noted) + committer.units >= 2


async def test_a_record_that_waits_for_a_slow_database_is_not_lost() -> None:
    committer = Failing(TimeoutError())
    writing = recorder(committer)
    writing.ended(record())
    writing.close()
    await writing.run()
    assert (writing.lost, writing.waiting, committer.units) == (0, 0, 1)


async def test_rows_that_nobody_takes_are_counted() -> None:
    committer = Deaf(TimeoutError())
    writing = recorder(committer)
    writing.ended(record())
    writing.close()
    await writing.run()
    assert writing.rows_lost == 1


async def test_the_journal_of_registrations_outlives_what_it_cannot_write() -> None:
    committer = Deaf(TimeoutError(), ValueError("of the database's own"))
    journal = RegistrationJournal(committer, Phones(FieldKey(bytes(32), "t")), lambda: 0)  # type: ignore[arg-type]
    device = uuid4()
    binding = Binding(
        device=str(device), node="n", flow=FlowId(1), uri="sip:a@192.0.2.1", call_id="c", cseq=1,
        expires_at=1.0, since=0.0, seen=0.0,
    )  # fmt: skip
    journal.changed(Bound(binding, is_new=True, is_first=True), 1.0)
    task = asyncio.create_task(journal.run())
    journal.close()
    await task
    assert journal.lost == 1
