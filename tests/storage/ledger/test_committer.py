import asyncio

from sqlalchemy import text

from storage.database import Database
from storage.identifiers import new_id
from storage.ledger import table
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM, Entry
from storage.ledger.unit import Unit


def clock() -> int:
    return 1_700_000_000_000_000


def entry() -> Entry:
    return Entry(
        action=Action.SYSTEM_STARTED, outcome=Outcome.DONE, actor=SYSTEM, operation=new_id(clock)
    )


async def test_a_failing_unit_takes_no_number_and_fails_alone(database: Database) -> None:
    async def good(unit: Unit) -> int:
        unit.record(entry())
        return 7

    async def bad(unit: Unit) -> None:
        unit.record(entry())
        await unit.connection.execute(text("SELECT no_such_column FROM ledger"))

    async with Committer(database, "exchange", clock=clock) as committer:
        answers = await asyncio.gather(
            committer.run(good),
            committer.run(bad),
            committer.note(entry()),
            committer.run(good),
            return_exceptions=True,
        )

    assert [answers[0], answers[2], answers[3]] == [7, None, 7]
    assert "no_such_column" in str(answers[1])
    async with database.read() as connection:
        assert (await table.tip(connection, "exchange")).sequence == 3
