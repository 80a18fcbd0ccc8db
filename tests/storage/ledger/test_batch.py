import asyncio
import sqlite3

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.database import Database
from storage.errors import LedgerUnavailable, StorageUnavailable
from storage.ledger import batch
from storage.ledger.unit import Pending, Unit
from tests.support.ledger import TestClock, entry


async def committed(database: Database, *units: Pending) -> batch.Written:
    return await batch.commit(database, "exchange", units, TestClock())


async def test_rows_are_numbered_after_the_savepoints_in_the_order_of_the_units(
    database: Database,
) -> None:
    async def two_rows(unit: Unit) -> str:
        unit.record(entry(1))
        unit.record(entry(2))
        return "done"

    async def fails(unit: Unit) -> None:
        unit.record(entry(3))
        raise ValueError

    first, bad, note, last = (
        Pending(two_rows),
        Pending(fails),
        Pending(None, [entry(4)]),
        Pending(two_rows),
    )
    written = await committed(database, first, bad, note, last)

    assert first.unit and last.unit
    assert [row.sequence for row in first.unit.rows] == [1, 2]
    assert [row.sequence for row in last.unit.rows] == [4, 5]
    assert (written.rows, written.backward_steps) == (5, 0)
    assert (first.result, first.answer.done()) == ("done", False)
    assert isinstance(bad.answer.exception(), ValueError)


async def test_a_unit_in_which_the_store_failed_is_told_that_the_ledger_is_unavailable(
    database: Database,
) -> None:
    async def unavailable(unit: Unit) -> None:
        raise StorageUnavailable

    async def disk(unit: Unit) -> None:
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise DBAPIError("INSERT", {}, full)

    units = Pending(unavailable), Pending(disk)
    await committed(database, *units)

    assert [type(unit.answer.exception()) for unit in units] == [LedgerUnavailable] * 2


async def test_a_unit_that_takes_too_long_fails_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "UNIT_SECONDS", 0)

    async def slow(unit: Unit) -> None:
        await asyncio.Event().wait()

    units = Pending(slow), Pending(None, [entry()])
    written = await committed(database, *units)

    assert isinstance(units[0].answer.exception(), TimeoutError)
    assert written.rows == 1


async def test_a_unit_that_breaks_the_transaction_takes_the_batch_with_it(
    database: Database,
) -> None:
    async def breaks(unit: Unit) -> None:
        unit.record(entry())
        await unit.connection.execute(text("ROLLBACK"))

    with pytest.raises(Exception, match=r"(?i)savepoint"):
        await committed(database, Pending(breaks))

    async with database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM ledger")) == 0
