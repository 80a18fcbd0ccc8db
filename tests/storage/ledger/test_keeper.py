import asyncio
from pathlib import Path

from sqlalchemy import text

from storage.database import Database
from storage.ledger.committer import Committer
from storage.ledger.drain import drain
from storage.ledger.keeper import HeadKeeper
from storage.ledger.spool import Spool
from tests.support.databases import Urls
from tests.support.ledger import Attacker, TestClock, entry, fill


async def heads_of(database: Database) -> list[tuple[str, int]]:
    async with database.read() as connection:
        found = await connection.execute(
            text("SELECT writer, sequence FROM ledger_head ORDER BY writer, number")
        )
        return [(row.writer, row.sequence) for row in found]


async def test_the_exchange_and_its_spools_get_heads_and_others_do_not(
    database: Database, tmp_path: Path
) -> None:
    clock = TestClock()
    await fill(database, 2, "exchange", clock)
    await fill(database, 2, "exchange-2", clock)
    spool = Spool.open(tmp_path / "s", "exchange", size=64 * 1024, reserved=8 * 1024)
    spool.append([entry()], clock)
    await drain(database, spool, clock)

    keeper = HeadKeeper(database, "exchange", clock=clock)
    made = await keeper.keep()

    assert made == 2
    assert not keeper.is_disputed
    assert await heads_of(database) == [("exchange", 2), (spool.writer, 1)]
    spool.close()


async def test_closed_months_become_segments(database: Database) -> None:
    await fill(database, 2, clock=TestClock(1_704_100_000_000_000))
    await fill(database, 2, clock=TestClock(1_706_800_000_000_000))

    await HeadKeeper(database, "exchange", clock=TestClock()).keep()

    async with database.read() as connection:
        found = await connection.execute(text("SELECT month, first, last FROM ledger_segment"))
        assert [tuple(row) for row in found] == [(202401, 1, 2)]


class Watched(HeadKeeper):
    """Says when a pass is over."""

    passed: asyncio.Event

    async def keep(self) -> int:
        try:
            return await super().keep()
        finally:
            self.passed.set()


async def after_a_pass(keeper: Watched) -> None:
    keeper.passed = asyncio.Event()
    running = asyncio.create_task(keeper.run())
    await asyncio.wait_for(keeper.passed.wait(), 60)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_enough_rows_make_a_head_before_the_minute_is_over(database: Database) -> None:
    keeper = Watched(database, "exchange", clock=TestClock(), seconds=3600, rows=3)
    async with Committer(
        database, "exchange", clock=TestClock(), committed=keeper.rows_added
    ) as committer:
        for _ in range(3):
            await committer.note(entry())
        await after_a_pass(keeper)

    assert await heads_of(database) == [("exchange", 3)]


async def test_the_minute_makes_a_head_of_few_rows(database: Database) -> None:
    keeper = Watched(database, "exchange", clock=TestClock(), seconds=0.01, rows=1_000)
    await fill(database, 1)

    await after_a_pass(keeper)

    assert await heads_of(database) == [("exchange", 1)]


async def test_a_database_that_is_away_is_tried_again(
    database: Database, database_urls: Urls
) -> None:
    await fill(database, 1)
    attacker = Attacker(database_urls.owner)
    attacker.run("ALTER TABLE ledger_head RENAME TO away")
    keeper = Watched(database, "exchange", clock=TestClock(), seconds=0.01, rows=1_000)
    await after_a_pass(keeper)
    attacker.run("ALTER TABLE away RENAME TO ledger_head")
    attacker.close()

    await after_a_pass(keeper)

    assert await heads_of(database) == [("exchange", 1)]
