"""Call records get written, one by one if need be, and never hold up a call."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select

from pbx.b2bua import recorder as recording
from pbx.b2bua.recorder import CallRecorder
from storage.calls import CallOutcome, CallRecord, LegRecord, Parties, Receipt
from storage.database import Database
from storage.identifiers import new_id
from storage.ledger.committer import Committer
from storage.models.calls import call
from storage.models.ledger import ledger
from storage.records import HourlyKeys
from tests.support.clock import HandClock


def record(
    clock: HandClock, *, person: bool = False, seconds: int = 3, **more: object
) -> CallRecord:
    start = clock()
    device = new_id(clock)
    leg = LegRecord(
        id=new_id(clock), role="caller", device=device, person=None, started_at=start,
        answered_at=None, ended_at=start, status=200, receipt=Receipt(suite="AEAD_AES_256_GCM"),
    )  # fmt: skip
    values: dict[str, object] = {
        "id": new_id(clock), "started_at": start, "answered_at": start,
        "ended_at": start + seconds * 1_000_000, "route": "person",
        "outcome": CallOutcome.ANSWERED, "cause": "caller-hung-up", "is_emergency": False,
        "caller_device": device, "caller_person": new_id(clock) if person else None,
        "callee_tenure": None, "parties": Parties(dialled="1002"), "legs": (leg,), **more,
    }  # fmt: skip
    return CallRecord(**values)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def written(database: Database) -> tuple[int, list[str]]:
    async with database.read() as connection:
        count = await connection.scalar(select(func.count()).select_from(call))
        actions = await connection.scalars(select(ledger.c.action).order_by(ledger.c.sequence))
        return count or 0, list(actions.all())


async def run(recorder: CallRecorder) -> None:
    recorder.close()
    async with asyncio.timeout(60):
        await recorder.run()


async def test_records_and_their_rows_are_written(database: Database, clock: HandClock) -> None:
    async with Committer(database, "exchange", clock=clock) as committer:
        recorder = CallRecorder(committer, HourlyKeys(b"", lambda: None, clock), clock)
        recorder.ended(record(clock, person=True))
        recorder.ended(record(clock, is_emergency=True))
        assert recorder.waiting == 2
        await run(recorder)

    assert await written(database) == (2, ["call.ended", "emergency_call.ended"])
    assert (recorder.waiting, recorder.unsealed) == (0, 2)


async def test_one_record_that_the_database_refuses_holds_up_no_other(
    database: Database, clock: HandClock
) -> None:
    async with Committer(database, "exchange", clock=clock) as committer:
        recorder = CallRecorder(committer, HourlyKeys(b"", lambda: None, clock), clock)
        recorder.ended(record(clock))
        recorder.ended(record(clock, seconds=-1))
        recorder.ended(record(clock))
        await run(recorder)

    assert await written(database) == (2, ["call.ended"] * 3)
    assert recorder.lost == 1


async def test_a_committer_that_has_stopped_does_not_end_the_recorder(
    database: Database, clock: HandClock
) -> None:
    async with Committer(database, "exchange", clock=clock) as committer:
        recorder = CallRecorder(committer, HourlyKeys(b"", lambda: None, clock), clock)
    recorder.ended(record(clock))
    await run(recorder)

    assert recorder.waiting == 1


async def test_a_database_that_is_away_gets_the_records_later(
    database: Database, clock: HandClock, tmp_path: Path
) -> None:
    async with Committer(database, "exchange", clock=clock, retry_seconds=0.05) as committer:
        recorder = CallRecorder(committer, HourlyKeys(b"", lambda: None, clock), clock)
        writing = asyncio.create_task(recorder.run())
        async with database.begin() as tx:  # the one writer of SQLite is taken
            await tx.execute(call.delete())
            recorder.ended(record(clock))
            async with asyncio.timeout(60):
                while committer.health.is_available:  # noqa: ASYNC110 - health has no event
                    await asyncio.sleep(0.05)
        recorder.close()
        async with asyncio.timeout(60):
            await writing
            while not await committer.retry():  # noqa: ASYNC110 - each try is an act
                await asyncio.sleep(0.05)
        await run(recorder)

    count, _ = await written(database)
    assert count == 1


async def test_only_so_many_wait(
    clock: HandClock, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MOST_WAITING", 3)
    async with Committer(database, "exchange", clock=clock) as committer:
        recorder = CallRecorder(committer, HourlyKeys(b"", lambda: None, clock), clock)
        for _ in range(5):
            recorder.ended(record(clock))

    assert (recorder.waiting, recorder.lost) == (3, 2)
