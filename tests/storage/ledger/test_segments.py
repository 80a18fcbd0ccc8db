import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from storage.database import Database
from storage.errors import StorageError, StorageUnavailable
from storage.ledger import months
from storage.ledger.guards import missing_guards
from storage.ledger.keeper import HeadKeeper
from storage.ledger.report import Fault
from storage.ledger.row import Row
from storage.ledger.segments import (
    Segment,
    close_months,
    file_of,
    gone_before,
    move_off,
    rows_of,
    staying,
)
from storage.ledger.verify import Scope, verify
from tests.support.databases import Urls
from tests.support.ledger import Attacker, Signer, TestClock, fill, rows_in

MONTHS = (1_704_100_000_000_000, 1_706_800_000_000_000, 1_709_300_000_000_000)


@dataclass
class Scene:
    database: Database
    urls: Urls
    rows: list[Row]
    segments: list[Segment]
    signer: Signer
    clock: TestClock

    def move(self, index: int, directory: Path) -> Path:
        return move_off(self.urls.owner, self.segments[index], directory, self.clock)

    def scope(self, directory: Path | None = None) -> Scope:
        return Scope(segment_directory=directory, is_genuine=self.signer.is_genuine)


@pytest.fixture
async def scene(database: Database, database_urls: Urls) -> Scene:
    clock = TestClock(MONTHS[0])
    signer = Signer(clock)
    rows = []
    for start in MONTHS:
        clock.now = start
        rows += await fill(database, 4, clock=clock)
    await HeadKeeper(database, "exchange", clock=clock, signer=signer).keep()
    async with database.read() as connection:
        found = await connection.execute(text("SELECT * FROM ledger_segment ORDER BY month"))
        closed = [Segment(*row) for row in found]
    return Scene(database, database_urls, rows, closed, signer, clock)


async def test_months_that_are_over_are_closed_once(scene: Scene) -> None:
    assert [(s.month, s.first, s.last) for s in scene.segments] == [(202401, 1, 4), (202402, 5, 8)]
    assert scene.segments[0].hash == scene.segments[1].previous == scene.rows[3].hash

    async with scene.database.begin() as connection:
        assert await close_months(connection, "exchange", scene.clock) == []
        assert await close_months(connection, "nobody", scene.clock) == []


async def test_moved_off_rows_are_gone_and_the_rest_still_verifies(
    scene: Scene, tmp_path: Path
) -> None:
    paths = [scene.move(index, tmp_path) for index in (0, 1)]

    without = await verify(scene.database, scene.scope())
    with_files = await verify(scene.database, scene.scope(tmp_path))

    assert [row.sequence for row in rows_in(scene.urls.owner)] == [9, 10, 11, 12]
    assert [path.name for path in paths] == ["exchange-202401.ledger", "exchange-202402.ledger"]
    assert (without.is_whole, without.rows, len(without.notices)) == (True, 4, 2)
    assert (with_files.is_whole, with_files.rows, with_files.notices) == (True, 12, [])
    async with scene.database.read() as connection:
        assert await missing_guards(connection) == []


async def test_a_file_that_was_altered_or_is_missing_is_found(scene: Scene, tmp_path: Path) -> None:
    path = scene.move(0, tmp_path)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    altered = await verify(scene.database, scene.scope(tmp_path))
    path.unlink()
    missing = await verify(scene.database, scene.scope(tmp_path))

    for report in (altered, missing):
        (finding,) = report.findings
        assert (finding.fault, finding.sequence, finding.last) == (Fault.MISSING, 1, 4)


async def test_rows_deleted_without_a_departure_are_missing(scene: Scene) -> None:
    attacker = Attacker(scene.urls.owner)
    attacker.run("DELETE FROM ledger WHERE sequence <= 4")
    attacker.close()

    report = await verify(scene.database, scene.scope())

    assert (Fault.MISSING, 1) in [(f.fault, f.sequence) for f in report.findings]


async def test_only_a_signed_segment_that_verifies_moves(scene: Scene, tmp_path: Path) -> None:
    unsigned = scene.segments[0]._replace(last=3)
    wrong = scene.segments[1]._replace(previous=bytes(32))
    attacker = Attacker(scene.urls.owner)
    attacker.run("UPDATE ledger SET outcome = 'failed' WHERE sequence = 2")

    with pytest.raises(StorageError, match="no signed head"):
        move_off(scene.urls.owner, unsigned, tmp_path, scene.clock)
    with pytest.raises(StorageError, match="does not verify"):
        move_off(scene.urls.owner, wrong, tmp_path, scene.clock)
    with pytest.raises(StorageError, match="does not verify"):
        scene.move(0, tmp_path)
    attacker.run("DELETE FROM ledger WHERE sequence = 8")
    attacker.close()
    with pytest.raises(StorageError, match="does not verify"):
        scene.move(1, tmp_path)

    assert [name for name in os.listdir(tmp_path) if name.endswith(".ledger")] == []


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    data = msgspec.msgpack.encode(("something else", []))
    (tmp_path / "f").write_bytes(data)

    with pytest.raises(StorageError, match="format"):
        rows_of(tmp_path / "f", sha256(data).digest())
    with pytest.raises(StorageError, match="not the one"):
        rows_of(tmp_path / "f", bytes(32))


async def test_what_the_index_says_of_moved_rows_goes_with_them(
    scene: Scene, tmp_path: Path
) -> None:
    attacker = Attacker.armed(scene.urls.owner)
    for row in (scene.rows[0], scene.rows[-1]):
        attacker.run(
            "INSERT INTO ledger_mention VALUES (:id, :at, :writer, :sequence)",
            id=bytes(16), at=row.occurred_at, writer=row.writer, sequence=row.sequence,
        )  # fmt: skip

    scene.move(0, tmp_path)

    left = attacker.select("SELECT sequence FROM ledger_mention")
    attacker.close()
    assert [row.sequence for row in left] == [scene.rows[-1].sequence]
    async with scene.database.read() as connection:
        assert await missing_guards(connection) == []
        assert [one.month for one in await staying(connection)] == [202402]
        assert await gone_before(connection) == months.start_of(202402)


async def test_a_database_that_refuses_leaves_no_file_behind(scene: Scene, tmp_path: Path) -> None:
    assert scene.move(0, tmp_path).exists()
    attacker = Attacker.armed(scene.urls.owner)
    attacker.run("ALTER TABLE ledger_departure RENAME TO elsewhere")

    with pytest.raises(StorageUnavailable, match="nothing was moved"):
        scene.move(1, tmp_path)

    attacker.run("ALTER TABLE elsewhere RENAME TO ledger_departure")
    attacker.close()
    assert not file_of(tmp_path, scene.segments[1]).exists()
    assert scene.move(1, tmp_path).exists()
