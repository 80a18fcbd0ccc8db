"""kill -9 of a process that writes to the ledger: nothing it acknowledged is lost."""

import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.database import Database
from storage.ledger.drain import drain
from storage.ledger.spool import Spool
from storage.ledger.verify import Scope, verify
from tests.support.databases import Urls
from tests.support.ledger import Attacker, TestClock, entry, rows_in
from tests.support.writer import SIZE

SEED = int(os.environ.get("PBX_SEED", "0")) or random.SystemRandom().randrange(2**32)
LINES = re.compile(rb"^(ack|note) ([0-9a-f]+)\n", re.MULTILINE)


class Writer:
    """A child that writes until it dies; `acknowledged` is what it had said by then."""

    def __init__(self, urls: Urls, spool: Path, *point: str) -> None:
        command = [sys.executable, "-m", "tests.support.writer"]
        url = urls.service.render_as_string(hide_password=False)
        self._child = subprocess.Popen([*command, url, str(spool), *point], stdout=subprocess.PIPE)
        assert self._child.stdout is not None
        self._out = self._child.stdout
        self._said = b""

    def read(self, lines: int) -> None:
        while self._said.count(b"\n") < lines and (line := self._out.readline()):
            self._said += line

    def kill(self) -> None:
        self._child.send_signal(signal.SIGKILL)

    def acknowledged(self) -> tuple[set[bytes], set[bytes]]:
        """Hashes of acknowledged units' rows, operations of acknowledged notes."""
        self._said += self._out.read()
        assert self._child.wait() == -signal.SIGKILL
        self._out.close()
        found = LINES.findall(self._said)
        return (
            {bytes.fromhex(value.decode()) for kind, value in found if kind == b"ack"},
            {bytes.fromhex(value.decode()) for kind, value in found if kind == b"note"},
        )


async def everything_is_there(
    urls: Urls, spool_path: Path, acknowledged: tuple[set[bytes], set[bytes]]
) -> int:
    """Also verifies before and after the spool has come home; returns how many rows there are."""
    database = await Database.open(urls.service)
    scope = Scope(spools=[spool_path])
    before = await verify(database, scope)
    spool = Spool.open(spool_path, "exchange", size=SIZE, reserved=SIZE // 4)
    await drain(database, spool, TestClock())
    spool.close()
    after = await verify(database, scope)
    await database.close()
    rows = rows_in(urls.owner)
    hashes, operations = acknowledged
    assert hashes <= {row.hash for row in rows}
    assert operations <= {row.operation for row in rows}
    assert before.is_whole, before.findings
    assert after.is_whole, after.findings
    return len(rows)


async def test_killed_at_random_moments_nothing_acknowledged_is_lost(
    database_urls: Urls, tmp_path: Path
) -> None:
    print(f"PBX_SEED={SEED}")
    chance = random.Random(SEED)
    acknowledged: tuple[set[bytes], set[bytes]] = (set(), set())
    for _ in range(6):
        writer = Writer(database_urls, tmp_path / "spool")
        writer.read(chance.randrange(1, 120))
        writer.kill()
        hashes, operations = writer.acknowledged()
        acknowledged = (acknowledged[0] | hashes, acknowledged[1] | operations)

    assert await everything_is_there(database_urls, tmp_path / "spool", acknowledged) > 0
    assert acknowledged[0]
    assert acknowledged[1]


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
async def test_killed_around_the_commit_nothing_acknowledged_is_lost(
    database_urls: Urls, tmp_path: Path, point: str, count: int
) -> None:
    writer = Writer(database_urls, tmp_path / "spool", point, str(count))

    acknowledged = writer.acknowledged()

    await everything_is_there(database_urls, tmp_path / "spool", acknowledged)


@pytest.mark.parametrize("point", ["before-spool-sync", "after-spool-sync"])
async def test_killed_around_the_spools_sync_nothing_acknowledged_is_lost(
    database_urls: Urls, tmp_path: Path, point: str
) -> None:
    attacker = Attacker(database_urls.owner)
    attacker.run("ALTER TABLE ledger RENAME TO ledger_away")
    writer = Writer(database_urls, tmp_path / "spool", point, "5")

    acknowledged = writer.acknowledged()

    attacker.run("ALTER TABLE ledger_away RENAME TO ledger")
    attacker.close()
    assert acknowledged[1]
    hashes, operations = acknowledged
    database = await Database.open(database_urls.service)
    spool = Spool.open(tmp_path / "spool", "exchange", size=SIZE, reserved=SIZE // 4)
    await drain(database, spool, TestClock())
    spool.close()
    await database.close()
    assert not hashes
    assert operations <= {row.operation for row in rows_in(database_urls.owner)}


@pytest.mark.parametrize("point", ["before-clear", "after-clear"])
async def test_killed_while_the_spool_comes_home_rows_come_once(
    database_urls: Urls, tmp_path: Path, point: str
) -> None:
    spool = Spool.open(tmp_path / "spool", "exchange", size=SIZE, reserved=SIZE // 4)
    spool.append([entry(n) for n in range(1, 40)], TestClock())
    operations = {row.operation for row in spool.rows}
    spool.close()
    writer = Writer(database_urls, tmp_path / "spool", point, "1")

    hashes, notes = writer.acknowledged()

    count = await everything_is_there(
        database_urls, tmp_path / "spool", (hashes, notes | operations)
    )
    assert count >= 39
    numbers = [(row.writer, row.sequence) for row in rows_in(database_urls.owner)]
    assert len(numbers) == len(set(numbers))
