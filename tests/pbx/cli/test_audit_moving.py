"""`pbx audit move-off`: old months become files, the rest goes on to verify."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pbx.cli import main as cli
from pbx.cli.output import Exit
from pbx.paths import Layout
from storage import schema
from storage.config import database_url
from storage.database import Database
from storage.keyholder.signing import Pin
from storage.ledger.keeper import HeadKeeper
from storage.models.ledger import ledger
from tests.support.ledger import Signer, TestClock, fill

MONTHS = (1_704_100_000_000_000, 1_706_800_000_000_000, 1_709_300_000_000_000)
"""January, February and March 2024."""


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """Three months of a ledger, two of them over; their heads are signed."""
    for part in ("config", "database", "credentials", "spool"):
        (tmp_path / part).mkdir()
    layout = Layout(tmp_path)
    layout.config_file.touch()
    url = database_url(f"sqlite:///{layout.database_file}")
    schema.upgrade(url)
    clock = TestClock(MONTHS[0])
    signer = Signer(clock)

    async def write() -> None:
        database = await Database.open(url)
        try:
            for start in MONTHS:
                clock.now = start
                await fill(database, 4, clock=clock)
            await HeadKeeper(database, "exchange", clock=clock, signer=signer).keep()
        finally:
            await database.close()

    asyncio.run(write())
    Pin(signer.public).write(layout.keyholder_pin)
    return tmp_path


def run(data: Path, *words: str) -> int:
    return cli.run(["audit", *words, "--data", str(data)])


def archive(data: Path) -> Path:
    made = data / "archive"
    made.mkdir()
    return made


def test_months_before_the_named_one_become_files_and_verify_with_the_rest(
    installation: Path, capsys: Any
) -> None:
    away = archive(installation)
    names = [str(away / f"exchange-{month}.ledger") for month in (202401, 202402)]

    assert run(installation, "move-off", str(away), "--before", "2020-01") == Exit.DONE
    assert capsys.readouterr().out == "No month before 2020-01 is over, and still here.\n"
    before = ("--before", "2024-03")
    assert run(installation, "move-off", str(away), *before) == Exit.REFUSED, "nobody said yes"
    assert "2 months with 8 rows" in capsys.readouterr().err
    assert run(installation, "move-off", str(away), *before, "--yes", "--json") == Exit.DONE
    assert json.loads(capsys.readouterr().out)["files"] == names
    assert run(installation, "move-off", str(away), *before) == Exit.DONE
    assert capsys.readouterr().out == "No month before 2024-03 is over, and still here.\n"

    run(installation, "verify", "--json")
    without = json.loads(capsys.readouterr().out)
    run(installation, "verify", "--segments", str(away), "--json")
    walked = json.loads(capsys.readouterr().out)
    assert (without["findings"], walked["findings"]) == ([], [])
    assert (walked["rows"] - without["rows"], len(without["notices"])) == (8, 2)


def test_each_month_is_a_row_before_it_goes(installation: Path, capsys: Any) -> None:
    away = archive(installation)
    (away / "exchange-202402.ledger").write_bytes(b"of an attempt that was cut short")

    code = run(installation, "move-off", str(away), "--before", "2024-03", "--yes")

    assert code == Exit.REFUSED
    assert "exists already" in capsys.readouterr().err
    engine = schema.owner_engine(database_url(f"sqlite:///{Layout(installation).database_file}"))
    with engine.begin() as connection:
        rows = connection.execute(ledger.select().where(ledger.c.writer == "command")).all()
    engine.dispose()
    assert [(row.action, json.loads(row.after)["month"]) for row in rows] == [
        ("audit.moved_off", 202401)
    ]


def test_what_cannot_be_moved_is_said_in_a_sentence(installation: Path, capsys: Any) -> None:
    away = archive(installation)
    for words, code in (
        ((str(away), "--before", "2024"), Exit.USAGE),
        ((str(away), "--before", "2999-01"), Exit.USAGE),
        ((str(installation / "none"),), Exit.USAGE),
        (("/proc/self/fdinfo", "--yes", "--before", "2024-03"), Exit.UNAVAILABLE),
    ):
        assert run(installation, "move-off", *words) == code
        assert capsys.readouterr().err.startswith("pbx: ")
