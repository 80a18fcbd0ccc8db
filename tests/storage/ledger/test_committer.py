import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from storage import schema
from storage.database import Database
from storage.errors import LedgerUnavailable
from storage.ledger import committer as module
from storage.ledger.actions import Action
from storage.ledger.committer import Committer
from storage.ledger.spool import Spool
from storage.ledger.unit import Unit
from storage.ledger.verify import Scope, verify
from tests.support.databases import Urls
from tests.support.ledger import TestClock, entry, rows_in

NUMBERS = itertools.count(1)


class UnitFailed(Exception):
    pass


async def note_and_return(unit: Unit) -> int:
    unit.record(entry())
    return 7


async def fail_in_sql(unit: Unit) -> None:
    unit.record(entry())
    await unit.connection.execute(text("SELECT no_such_column FROM ledger"))


@pytest.fixture
def spool(tmp_path: Path) -> Any:
    opened = Spool.open(tmp_path / "spool", "exchange", size=256 * 1024, reserved=64 * 1024)
    yield opened
    opened.close()


class Outage:
    """The ledger's table is away for a while: writing fails, whatever the engine."""

    def __init__(self, urls: Urls) -> None:
        self._urls = urls

    def _run(self, statement: str) -> None:
        engine = schema.owner_engine(self._urls.owner)
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def begin(self) -> None:
        self._run("ALTER TABLE ledger RENAME TO ledger_away")

    def end(self) -> None:
        self._run("ALTER TABLE ledger_away RENAME TO ledger")


@pytest.fixture
async def outage(database_urls: Urls) -> AsyncIterator[Outage]:
    yield Outage(database_urls)


async def test_a_failing_unit_takes_no_number_and_fails_alone(
    database: Database, database_urls: Urls
) -> None:
    async with Committer(database, "exchange", clock=TestClock()) as committer:
        answers = await asyncio.gather(
            committer.run(note_and_return),
            committer.run(fail_in_sql),
            committer.note(entry()),
            committer.run(note_and_return),
            return_exceptions=True,
        )

    assert [answers[0], answers[2], answers[3]] == [7, None, 7]
    assert "no_such_column" in str(answers[1])
    assert [row.sequence for row in rows_in(database_urls.owner)] == [1, 2, 3]


# One unit: does it fail, how (before or after it wrote), and how many rows has it.
PLAN = st.lists(
    st.tuples(st.sampled_from(["good", "raises", "sql", "late"]), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rounds=st.lists(PLAN, min_size=1, max_size=3))
async def test_nothing_acknowledged_is_lost_whatever_fails_beside_it(
    database: Database, database_urls: Urls, rounds: list[list[tuple[str, int]]]
) -> None:
    before = len(rows_in(database_urls.owner))
    clock = TestClock()
    acknowledged: list[bytes] = []

    async def unit_of(kind: str, count: int, unit: Unit) -> None:
        if kind == "raises":
            raise UnitFailed
        for number in range(count):
            unit.record(entry(number))
        values = {"at": next(NUMBERS), "digest": b"x"}
        insert = text("INSERT INTO ledger_anchor VALUES (:at, 'file', :digest)")
        await unit.connection.execute(insert, values)
        if kind == "sql":  # the key is taken
            await unit.connection.execute(insert, values)
        if kind == "late":
            raise UnitFailed

    async def attempt(committer: Committer, kind: str, count: int) -> None:
        async def work(unit: Unit) -> Unit:
            await unit_of(kind, count, unit)
            return unit

        try:
            done = await committer.run(work)
        except Exception as failure:  # noqa: BLE001 - any kind, as long as it is the unit's
            assert kind != "good", failure
            assert not isinstance(failure, LedgerUnavailable)
        else:
            assert kind == "good"
            acknowledged.extend(row.hash for row in done.rows)

    async with Committer(database, "exchange", clock=clock) as committer:
        for plan in rounds:
            await asyncio.gather(*(attempt(committer, *unit) for unit in plan))

    rows = rows_in(database_urls.owner)
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    assert sorted(row.hash for row in rows[before:]) == sorted(acknowledged)
    assert (await verify(database, Scope())).is_whole


async def test_what_a_failing_unit_changed_is_undone(database: Database) -> None:
    async def change_and_fail(unit: Unit) -> None:
        await unit.connection.execute(
            text("INSERT INTO ledger_anchor VALUES (1, 'f', :d)"), {"d": b""}
        )
        raise UnitFailed

    async with Committer(database, "exchange", clock=TestClock()) as committer:
        with pytest.raises(UnitFailed):
            await committer.run(change_and_fail)

    async with database.read() as connection:
        assert (await connection.scalar(text("SELECT count(*) FROM ledger_anchor"))) == 0


async def test_while_the_ledger_is_down_units_are_refused_and_notes_spooled(
    database: Database, database_urls: Urls, spool: Spool, outage: Outage
) -> None:
    clock = TestClock()
    told: list[int] = []
    async with Committer(
        database,
        "exchange",
        clock=clock,
        spool=spool,
        committed=told.append,
        retry_seconds=3600,
    ) as committer:
        await committer.note(entry(1))
        outage.begin()
        with pytest.raises(LedgerUnavailable):
            await committer.run(note_and_return)
        await asyncio.gather(committer.note(entry(2)), committer.note(entry(3)))
        with pytest.raises(LedgerUnavailable):
            await committer.run(note_and_return)
        down = committer.health
        still_down = await committer.retry()
        outage.end()
        back = await committer.retry()
        again = await committer.retry()
        assert await committer.run(note_and_return) == 7

    assert (down.is_available, down.outages, down.refused, down.spooled) == (False, 1, 2, 2)
    assert (down.waiting, down.lost) == (2, 0)
    assert down.unavailable_since is not None
    assert (still_down, back, again) == (False, True, True)
    assert (committer.health.is_available, committer.health.waiting) == (True, 0)
    rows = rows_in(database_urls.owner)
    assert [(row.writer, row.action) for row in rows] == [
        ("exchange", "system.started"),
        ("exchange", "ledger.recovered"),
        ("exchange", "system.started"),
        (spool.writer, "system.started"),
        (spool.writer, "system.started"),
    ]
    assert told == [1, 1, 2, 1]
    assert (await verify(database, Scope())).is_whole


async def test_it_comes_back_with_nothing_in_the_spool(
    database: Database, spool: Spool, outage: Outage
) -> None:
    async with Committer(
        database, "exchange", clock=TestClock(), spool=spool, retry_seconds=3600
    ) as committer:
        outage.begin()
        with pytest.raises(LedgerUnavailable):
            await committer.run(note_and_return)
        outage.end()

        assert await committer.retry()


async def test_it_comes_back_by_itself_also_under_load(
    database: Database, spool: Spool, outage: Outage
) -> None:
    async with Committer(
        database, "exchange", clock=TestClock(), spool=spool, retry_seconds=0
    ) as committer:
        outage.begin()
        await committer.note(entry())
        outage.end()

        async with asyncio.timeout(60):
            while not committer.health.is_available or spool.rows:
                await committer.note(entry())

        assert await committer.run(note_and_return) == 7


async def test_it_comes_back_by_itself_when_idle(
    database: Database, spool: Spool, outage: Outage
) -> None:
    back = asyncio.Event()
    async with Committer(
        database,
        "exchange",
        clock=TestClock(),
        spool=spool,
        retry_seconds=0.01,
        committed=lambda rows: back.set(),
    ) as committer:
        outage.begin()
        await committer.note(entry())
        outage.end()

        await asyncio.wait_for(back.wait(), 60)
        assert committer.health.is_available


async def test_rows_left_in_the_spool_come_home_at_the_start(
    database: Database, database_urls: Urls, spool: Spool
) -> None:
    spool.append([entry(1), entry(2)], TestClock())

    async with Committer(database, "exchange", clock=TestClock(), spool=spool) as committer:
        await committer.note(entry())

    rows = rows_in(database_urls.owner, spool.writer)
    assert [row.sequence for row in rows] == [1, 2]
    assert not spool.rows


async def test_a_full_spool_counts_what_it_loses_and_a_gap_row_says_so(
    database: Database, database_urls: Urls, spool: Spool, outage: Outage
) -> None:
    outage.begin()
    async with Committer(
        database, "exchange", clock=TestClock(), spool=spool, retry_seconds=3600
    ) as committer:
        while not committer.health.lost:
            await asyncio.gather(*(committer.note(entry(n)) for n in range(100)))
        lost, taken = committer.health.lost, committer.health.spooled
        await committer.note(entry(0, Action.EMERGENCY_CALL_STARTED))
        assert committer.health.lost == lost
        outage.end()
        assert await committer.retry()

    rows = rows_in(database_urls.owner, spool.writer)
    assert len(rows) == taken + 2
    assert [row.action for row in rows[-2:]] == ["emergency_call.started", "ledger.gap"]
    report = await verify(database, Scope())
    assert report.is_whole
    assert [gap.count for gap in report.gaps] == [lost]


async def test_without_a_spool_what_is_lost_is_counted(database: Database, outage: Outage) -> None:
    outage.begin()
    async with Committer(database, "exchange", clock=TestClock(), retry_seconds=3600) as committer:
        await committer.note(entry())

    assert committer.health.lost == 1


async def test_a_unit_nobody_waits_for_any_more_is_not_begun(
    database: Database, database_urls: Urls
) -> None:
    release = asyncio.Event()
    running = asyncio.Event()
    begun: list[str] = []

    async def slow(unit: Unit) -> None:
        begun.append("slow")
        running.set()
        await release.wait()

    async def abandoned(unit: Unit) -> None:
        begun.append("abandoned")

    async with Committer(database, "exchange", clock=TestClock()) as committer:
        first = asyncio.create_task(committer.run(slow))
        await running.wait()
        second = asyncio.create_task(committer.run(abandoned))
        third = asyncio.create_task(committer.note(entry()))
        await asyncio.sleep(0)
        second.cancel()
        third.cancel()
        await asyncio.sleep(0)
        release.set()
        await first

    assert begun == ["slow"]
    assert len(rows_in(database_urls.owner)) == 1  # the note is written all the same


async def test_a_unit_that_was_abandoned_while_it_ran_is_committed_whole(
    database: Database, database_urls: Urls
) -> None:
    running, release = asyncio.Event(), asyncio.Event()

    async def slow(unit: Unit) -> None:
        unit.record(entry())
        running.set()
        await release.wait()

    async with Committer(database, "exchange", clock=TestClock()) as committer:
        waiting = asyncio.create_task(committer.run(slow))
        await running.wait()
        waiting.cancel()
        await asyncio.sleep(0)
        release.set()

    assert len(rows_in(database_urls.owner)) == 1


async def test_closing_commits_what_waits_and_then_refuses(
    database: Database, database_urls: Urls
) -> None:
    async with Committer(database, "exchange", clock=TestClock()) as committer:
        tasks = [asyncio.create_task(committer.note(entry(n))) for n in range(600)]
        await asyncio.sleep(0)

    await asyncio.gather(*tasks)
    assert len(rows_in(database_urls.owner)) == 600
    with pytest.raises(LedgerUnavailable):
        await committer.note(entry())


async def test_a_clock_that_ran_backwards_is_counted_and_does_not_reorder(
    database: Database, database_urls: Urls
) -> None:
    clock = TestClock(5_000_000)
    async with Committer(database, "exchange", clock=clock) as committer:
        await committer.note(entry(1))
        clock.now = 1_000_000
        await committer.note(entry(1))

        assert committer.health.backward_steps == 1

    rows = rows_in(database_urls.owner)
    assert rows[0].recorded_at == rows[1].recorded_at
    assert rows[1].occurred_at < rows[0].occurred_at


async def test_two_processes_with_one_name_still_make_one_chain(
    database: Database, database_urls: Urls
) -> None:
    other = await Database.open(database_urls.service)
    async with (
        Committer(database, "exchange", clock=TestClock()) as one,
        Committer(other, "exchange", clock=TestClock()) as two,
    ):
        for _ in range(5):
            await asyncio.gather(*(c.note(entry(n)) for n in range(5) for c in (one, two)))
    await other.close()

    assert (await verify(database, Scope())).rows == 50
    assert (await verify(database, Scope())).is_whole


def test_a_committer_that_never_began_has_nothing_to_stop() -> None:
    committer = Committer(Database.connect("sqlite:///x"), "exchange", clock=TestClock())

    asyncio.run(committer.__aexit__())

    assert module.MOST_UNITS > 1
