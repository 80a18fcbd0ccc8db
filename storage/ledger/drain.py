"""Bringing the spool's rows home into the ledger, with the numbers and hashes they have."""

import asyncio

from storage.database import Database
from storage.identifiers import Clock
from storage.ledger import table
from storage.ledger.spool import Spool

MOST_ROWS = 1_000


async def drain(database: Database, spool: Spool, clock: Clock) -> int:
    """Import everything, then empty the spool; the number of rows that were new to the ledger.

    A crash between the commit and the emptying is no harm: rows already there are skipped.
    """
    imported = 0
    while spool.rows or spool.gap:
        imported += await _import(database, spool)
        await asyncio.to_thread(spool.clear)
        await asyncio.to_thread(spool.record_gap, clock)
    return imported


async def _import(database: Database, spool: Spool) -> int:
    imported = 0
    waiting = spool.rows
    for start in range(0, len(waiting), MOST_ROWS):
        async with database.begin() as connection:
            await table.lock(connection, spool.writer)
            tip = await table.tip(connection, spool.writer)
            part = waiting[start : start + MOST_ROWS]
            fresh = [row for row in part if row.sequence > tip.sequence]
            await table.append(connection, fresh)
        imported += len(fresh)
    return imported
