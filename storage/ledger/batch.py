"""One transaction of the committer: savepoints first, then numbers and hashes, then the commit."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.errors import LedgerUnavailable, StorageUnavailable
from storage.failures import is_storage_failure
from storage.identifiers import Clock
from storage.ledger import table
from storage.ledger.row import Row
from storage.ledger.unit import Pending, Unit, Work

UNIT_SECONDS = 10.0
"""A unit that takes longer fails: it holds up everybody behind it."""


@dataclass(frozen=True, slots=True)
class Written:
    rows: int
    backward_steps: int


async def commit(
    database: Database, writer: str, units: Sequence[Pending], clock: Clock
) -> Written:
    """Raises if nothing was committed; a unit that failed alone has been told already."""
    async with database.begin() as connection:
        await table.lock(connection, writer)
        for pending in units:
            if pending.work is not None:
                await _perform(connection, pending, pending.work)
        return await _number(connection, writer, units, clock)


async def _perform(connection: AsyncConnection, pending: Pending, work: Work) -> None:
    savepoint = await connection.begin_nested()
    unit = pending.unit = Unit(connection)
    try:
        async with asyncio.timeout(UNIT_SECONDS):
            pending.result = await work(unit)
    except Exception as failure:  # noqa: BLE001 - the unit's own failure goes back to its caller
        await savepoint.rollback()
        troubled = is_storage_failure(failure) or isinstance(failure, StorageUnavailable)
        pending.fail(LedgerUnavailable() if troubled else failure)
    else:
        await savepoint.commit()
        pending.entries = unit.entries


async def _number(
    connection: AsyncConnection, writer: str, units: Sequence[Pending], clock: Clock
) -> Written:
    tip = await table.tip(connection, writer)
    written: list[Row] = []
    steps = 0
    for pending in units:
        rows = []
        for entry in pending.entries:
            now = clock()
            steps += now < tip.recorded_at
            row, tip = tip.extend(entry, now)
            rows.append(row)
        written += rows
        if pending.unit is not None:
            pending.unit.rows = tuple(rows)
    await table.append(connection, written)
    return Written(len(written), steps)
