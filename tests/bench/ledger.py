"""The ledger on SQLite: rows appended a second, in units and as notes, and rows verified."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter, process_time

from storage import schema
from storage.config import database_url
from storage.database import Database
from storage.identifiers import new_id, system_clock
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import Actor, ActorKind, Entry, Subject
from storage.ledger.unit import Unit
from storage.ledger.verify import Scope, verify

ROWS = 100_000
BATCH = 100


def entry() -> Entry:
    name = new_id(system_clock)
    return Entry(
        action=Action.CONFIGURATION_CHANGED,
        outcome=Outcome.DONE,
        actor=Actor(ActorKind.PERSON, name, name),
        operation=name,
        subject=Subject("extension", name),
        before={"ring_seconds": 20, "label": None},
        after={"ring_seconds": 25, "label": None},
        detail=bytes(120),
    )


async def measured(what: str, count: int, work: Callable[[], Awaitable[object]]) -> None:
    wall, cpu = perf_counter(), process_time()
    await work()
    wall, cpu = perf_counter() - wall, process_time() - cpu
    print(
        f"{what}: {count} rows in {wall:.2f} s ({cpu:.2f} s CPU): "
        f"{count / wall:,.0f} rows/s, {count / cpu:,.0f} rows per CPU second"
    )


async def main(directory: Path) -> None:
    url = database_url(f"sqlite:///{directory}/pbx.db")
    schema.upgrade(url)
    database = await Database.open(url)

    async def work(unit: Unit) -> None:
        for _ in range(BATCH):
            unit.record(entry())

    async with Committer(database, "exchange", clock=system_clock) as committer:

        async def in_batches() -> None:
            for _ in range((ROWS - 12_000) // BATCH):
                await committer.run(work)

        async def as_notes() -> None:
            for _ in range(40):
                await asyncio.gather(*(committer.note(entry()) for _ in range(250)))

        async def one_by_one() -> None:
            for _ in range(2_000):
                await committer.note(entry())

        await measured(f"append, {BATCH} rows a unit", ROWS - 12_000, in_batches)
        await measured("append, 250 notes at once", 10_000, as_notes)
        await measured("append, one after another", 2_000, one_by_one)

    async def walked() -> None:
        report = await verify(database, Scope())
        if not report.is_whole or report.rows != ROWS:
            raise SystemExit("the ledger does not verify")

    for _ in range(3):
        await measured("verify", ROWS, walked)
    await database.close()


def run() -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(main(Path(directory)))
