"""Ledger and spool on one full disk: nothing acknowledged is lost, what is lost is said to be."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy import text

from storage.database import Database
from storage.errors import LedgerUnavailable
from storage.ledger.actions import Action
from storage.ledger.committer import Committer
from storage.ledger.entry import Entry
from storage.ledger.spool import Spool
from storage.ledger.unit import Unit
from storage.ledger.verify import Scope, verify
from tests.support import postgres
from tests.support.databases import ENGINES, Urls, sqlite_urls
from tests.support.full_disk import Disk, disk
from tests.support.ledger import TestClock, entry, rows_in

SIZE = 128 * 1024


@pytest.fixture
def small(open_path: Path) -> Iterator[Disk]:
    place = open_path / "disk"
    place.mkdir(mode=0o755)
    with disk(place) as made:
        yield made


@pytest.fixture(params=ENGINES)
def urls(request: pytest.FixtureRequest, small: Disk) -> Iterator[Urls]:
    """A database whose files are on the small disk."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), small.path / "pbx.db")
        yield sqlite_urls(small.path / "pbx.db")
        return
    if os.getuid() != 0:
        pytest.skip("PostgreSQL on a small disk needs root to mount one")
    server = request.getfixturevalue("postgres_cluster")
    with _tablespace(server, small.path) as space, server.database() as name:
        server.move(name, space)
        yield Urls(server.url(postgres.SERVICE, name), server.url(postgres.OWNER, name))
        server.move(name, "pg_default")


class _tablespace:
    def __init__(self, server: postgres.Cluster, disk_path: Path) -> None:
        self._server, self._path = server, disk_path / "pg"

    def __enter__(self) -> str:
        self._path.mkdir()
        account = postgres.account()
        os.chown(self._path, account["user"], account["group"])
        self._server.admin(
            sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(self._path)))
        )
        return "small"

    def __exit__(self, *_: object) -> None:
        self._server.admin(sql.SQL("DROP TABLESPACE small"))


@pytest.fixture
async def database(urls: Urls) -> AsyncIterator[Database]:
    opened = await Database.open(urls.service)
    yield opened
    await opened.close()


def big(number: int) -> Entry:
    plain = entry(number)
    return Entry(
        action=Action.SYSTEM_STARTED,
        outcome=plain.outcome,
        actor=plain.actor,
        operation=plain.operation,
        detail=os.urandom(16_000),
    )


async def test_on_a_full_disk_nothing_acknowledged_is_lost_and_gaps_are_gaps(
    database: Database, urls: Urls, small: Disk
) -> None:
    spool = Spool.open(small.path / "spool", "exchange", size=SIZE, reserved=SIZE // 4)
    acknowledged: list[bytes] = []

    async def unit(unit: Unit) -> Unit:
        unit.record(big(1))
        return unit

    async with Committer(
        database, "exchange", clock=TestClock(), spool=spool, retry_seconds=3600
    ) as committer:
        acknowledged += [row.hash for row in (await committer.run(unit)).rows]
        small.fill()
        while committer.health.is_available:
            try:
                acknowledged += [row.hash for row in (await committer.run(unit)).rows]
            except LedgerUnavailable:
                break
        while not committer.health.lost:
            await committer.note(entry(3))
        spooled, lost = committer.health.spooled, committer.health.lost
        await committer.note(entry(5, Action.EMERGENCY_CALL_STARTED))
        with pytest.raises(LedgerUnavailable):
            await committer.run(unit)
        full = await committer.retry()
        assert committer.health.lost == lost
        small.free()
        assert await committer.retry()
        await asyncio.gather(*(committer.run(unit) for _ in range(5)))

    spool.close()
    report = await verify(database, Scope(spools=[small.path / "spool"]))
    rows = rows_in(urls.owner)
    assert not full
    assert report.is_whole
    assert [gap.count for gap in report.gaps] == [lost]
    assert {*acknowledged} <= {row.hash for row in rows}
    ours = [row for row in rows if row.writer == spool.writer]
    assert len(ours) == spooled + 2  # and the emergency call, and the gap
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM ledger")) == len(rows)
