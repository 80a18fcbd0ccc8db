import asyncio
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select

from storage.database import Database
from storage.ledger import table
from storage.ledger.mentions import MENTIONS
from storage.ledger.row import Tip
from tests.support.ledger import entry


async def test_the_tip_is_the_last_row_and_appending_nothing_is_nothing(
    database: Database,
) -> None:
    first, tip = Tip.start("w").extend(entry(1), 10)
    second, end = tip.extend(entry(2), 20)
    async with database.begin() as connection:
        assert await table.tip(connection, "w") == Tip.start("w")
        await table.append(connection, [first, second])
        await table.append(connection, [])

    async with database.read() as connection:
        assert await table.tip(connection, "w") == end
        assert await table.tip(connection, "v") == Tip.start("v")


async def test_whom_a_row_names_is_kept_beside_it(database: Database) -> None:
    who = UUID(int=5)
    named, _ = Tip.start("w").extend(replace(entry(1), after={"person": str(who)}), 10)

    async with database.begin() as connection:
        await table.append(connection, [named])

    async with database.read() as connection:
        (mention,) = (await connection.execute(select(MENTIONS))).all()
    assert (mention.id, mention.writer, mention.sequence) == (who.bytes, "w", 1)


async def test_one_writer_waits_for_the_other_and_other_writers_do_not(
    database: Database,
) -> None:
    if database.is_sqlite:  # one writer of anything at a time
        async with database.begin() as connection:
            await table.lock(connection, "w")
        return
    order: list[str] = []
    locked = asyncio.Event()

    async def second() -> None:
        async with database.begin() as connection:
            await locked.wait()
            await table.lock(connection, "w")
            order.append("second")

    async with database.begin() as connection, database.begin() as other:
        await table.lock(connection, "w")
        waiting = asyncio.create_task(second())
        locked.set()
        await table.lock(other, "v")
        order.append("first")
    await waiting

    assert order == ["first", "second"]
