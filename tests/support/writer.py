"""A process that writes to a ledger until it is killed; prints what was acknowledged.

Run as `python -m tests.support.writer URL SPOOL [POINT COUNT]`: with a point it kills itself with
SIGKILL the COUNT-th time it gets there: before-commit, after-commit, before-spool-sync,
after-spool-sync, before-clear, after-clear. Lines: "ack HASH" for a unit's row, "note OPERATION".
"""

import asyncio
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import event

from storage.database import Database
from storage.errors import LedgerUnavailable
from storage.identifiers import system_clock
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM, Entry
from storage.ledger.spool import Spool
from storage.ledger.unit import Unit

SIZE = 256 * 1024


class Killer:
    """Dies at the named point."""

    def __init__(self, point: str, count: int) -> None:
        self._point, self._left = point, count

    def at(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


class KillingSpool(Spool):
    """The real spool, with places to die around its writes."""

    killer = Killer("", 0)

    def append(self, entries: Any, clock: Any) -> Any:
        self.killer.at("before-spool-sync")
        taken = super().append(entries, clock)
        self.killer.at("after-spool-sync")
        return taken

    def clear(self) -> None:
        self.killer.at("before-clear")
        super().clear()
        self.killer.at("after-clear")


def say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def entry(number: int) -> Entry:
    return Entry(
        action=Action.SYSTEM_STARTED,
        outcome=Outcome.DONE,
        actor=SYSTEM,
        operation=UUID(int=os.getpid() << 64 | number),
        after={"number": number},
    )


async def write(url: str, spool_path: Path, killer: Killer) -> None:
    database = await Database.open(url)
    engine = database.engine.sync_engine
    event.listen(engine, "commit", lambda connection: killer.at("before-commit"))
    KillingSpool.killer = killer
    spool = KillingSpool.open(spool_path, "exchange", size=SIZE, reserved=SIZE // 4)
    numbers = itertools.count()

    async def unit(committer: Committer) -> None:
        async def work(unit: Unit) -> Unit:
            unit.record(entry(next(numbers)))
            return unit

        try:
            done = await committer.run(work)
        except LedgerUnavailable:
            return
        for row in done.rows:
            say(f"ack {row.hash.hex()}")

    async def note(committer: Committer) -> None:
        row = entry(next(numbers))
        await committer.note(row)
        if not committer.health.lost:
            say(f"note {row.operation.hex}")

    async with Committer(
        database,
        "exchange",
        clock=system_clock,
        spool=spool,
        committed=lambda rows: killer.at("after-commit"),
        retry_seconds=0.02,
    ) as committer:
        say("ready")
        while True:
            await asyncio.gather(*(task(committer) for task in (unit, note, unit, note)))


if __name__ == "__main__":
    point, count = (sys.argv[3], int(sys.argv[4])) if len(sys.argv) > 3 else ("", 0)
    asyncio.run(write(sys.argv[1], Path(sys.argv[2]), Killer(point, count)))
