from pathlib import Path

import pytest

from storage.database import Database
from storage.ledger import drain as module
from storage.ledger import spool_file, table
from storage.ledger.drain import drain
from storage.ledger.spool import Spool
from storage.ledger.verify import Scope, verify
from tests.support.ledger import TestClock, entry


def spool_at(path: Path) -> Spool:
    return Spool.open(path, "exchange", size=64 * 1024, reserved=4 * 1024)


async def test_rows_come_home_once_though_a_crash_kept_them_in_the_spool(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 2)
    path = tmp_path / "s"
    spool = spool_at(path)
    spool.append([entry(n) for n in range(5)], TestClock())
    before = path.read_bytes()
    first = await drain(database, spool, TestClock())
    spool.close()
    path.write_bytes(before)  # the crash: committed, not emptied

    spool = spool_at(path)
    spool.append([entry(7)], TestClock())
    second = await drain(database, spool, TestClock())

    assert (first, second) == (5, 1)
    assert not spool_file.read(path).rows
    report = await verify(database, Scope(spools=[path]))
    assert (report.is_whole, report.rows) == (True, 6)
    spool.close()


async def test_the_gap_follows_the_rows(database: Database, tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "s")
    while not spool.append([entry()], TestClock()).lost:
        pass
    count = len(spool.rows)

    assert await drain(database, spool, TestClock()) == count + 1
    assert await drain(database, spool, TestClock()) == 0
    async with database.read() as connection:
        assert (await table.tip(connection, spool.writer)).sequence == count + 1
    spool.close()
