import asyncio
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from pbx.cli import main as cli
from pbx.cli.output import Exit
from pbx.paths import Layout
from storage import schema
from storage.config import database_url
from storage.database import Database
from storage.identifiers import system_clock
from storage.keyholder import founding
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.keystores.choice import prepare
from storage.keyholder.signing import Pin
from storage.ledger.row import Row
from storage.ledger.spool import Spool
from storage.sealed import primitives
from tests.support.ledger import Attacker, TestClock, entry, fill

DAY = 86_400_000_000


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    for part in ("config", "database", "credentials", "spool", "keys"):
        (tmp_path / part).mkdir()
    (tmp_path / "config" / "pbx.toml").touch()
    schema.upgrade(url_of(tmp_path))
    layout, config = Layout(tmp_path), KeyHolderConfig()
    keystore = prepare(config, layout.keys, {}, None)
    founding.create(layout.keys, keystore, config, system_clock).write(layout.keyholder_pin)
    return tmp_path


def url_of(data: Path):
    return database_url(f"sqlite:///{data}/database/pbx.sqlite")


def write(data: Path, count: int, clock: TestClock | None = None) -> list[Row]:
    async def run() -> list[Row]:
        database = await Database.open(url_of(data))
        try:
            return await fill(database, count, clock=clock)
        finally:
            await database.close()

    return asyncio.run(run())


def alter(data: Path, statement: str) -> None:
    attacker = Attacker(url_of(data))
    attacker.run(statement)
    attacker.close()


def run(data: Path, *arguments: str) -> int:
    return cli.run([*arguments, "--data", str(data)])


def test_a_whole_ledger_is_exit_0(capsys, installation: Path) -> None:
    write(installation, 5)

    assert run(installation, "audit", "verify") == Exit.DONE
    out = capsys.readouterr().out
    assert out.startswith("5 rows in 1 chains")
    assert out.endswith("nothing altered, missing or reordered.\n")


def test_the_first_altered_row_is_named_with_exit_1(capsys, installation: Path) -> None:
    write(installation, 9)
    alter(installation, "UPDATE ledger SET outcome = 'done' WHERE sequence IN (3, 7)")

    assert run(installation, "audit", "verify") == Exit.FOUND
    out = capsys.readouterr().out
    assert "ALTERED  exchange: row 3 was altered\n" in out
    assert "row 7" not in out
    assert "GUARD" in out
    assert "NOT whole" in out

    assert run(installation, "audit", "verify", "--json") == Exit.FOUND
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert ("altered", "exchange", 3) in {
        (f["fault"], f["writer"], f["sequence"]) for f in findings
    }


def test_a_table_that_was_dropped_is_found(capsys, installation: Path) -> None:
    write(installation, 2)
    assert run(installation, "audit", "verify") == Exit.DONE
    alter(installation, "DROP TABLE ledger_head")
    capsys.readouterr()

    assert run(installation, "audit", "verify") == Exit.FOUND

    assert "The database is not whole: a table" in capsys.readouterr().err


def test_only_rows_between_two_moments_are_walked(capsys, installation: Path) -> None:
    clock = TestClock(1_700_006_400_000_000)  # 2023-11-15T00:00:00Z
    write(installation, 4, clock)
    clock.now += DAY
    write(installation, 5, clock)
    clock.now += DAY
    write(installation, 6, clock)
    alter(installation, "UPDATE ledger SET outcome = 'done' WHERE sequence IN (2, 13)")

    between = ("--from", "2023-11-16", "--to", "2023-11-17")
    run(installation, "audit", "verify", *between, "--json")
    report = json.loads(capsys.readouterr().out)

    assert report["rows"] == 5
    assert {finding["fault"] for finding in report["findings"]} == {"guard"}
    assert run(installation, "audit", "verify", "--from", "yesterday") == Exit.USAGE


def test_an_anchor_in_a_file_finds_a_cut_tail(capsys, installation: Path, tmp_path: Path) -> None:
    write(installation, 6)
    anchors = str(tmp_path / "anchors.json")
    assert run(installation, "audit", "anchor", "--file", anchors) == Exit.DONE
    assert capsys.readouterr().out == "Anchored 1 chain.\n"
    alter(installation, "DELETE FROM ledger WHERE sequence > 4")

    assert run(installation, "audit", "verify", "--anchor", anchors) == Exit.FOUND

    assert "MISSING  exchange: rows 5 to 6 are missing: an anchor knows them" in (
        capsys.readouterr().out
    )


def test_without_a_place_the_anchor_is_a_qr_code(capsys, installation: Path) -> None:
    write(installation, 1)

    assert run(installation, "audit", "anchor") == Exit.DONE
    assert "█" in capsys.readouterr().out
    assert run(installation, "audit", "anchor", "--json") == Exit.DONE
    assert json.loads(capsys.readouterr().out)["heads"][0]["sequence"] == 1


def test_places_that_cannot_keep_an_anchor_say_so(capsys, installation: Path) -> None:
    for arguments, code in (
        (["--file", "/proc/none/anchor"], Exit.UNAVAILABLE),
        (["--syslog", "127.0.0.1:1"], Exit.UNAVAILABLE),
        (["--syslog", ":1"], Exit.USAGE),
        (["--syslog", "../../etc"], Exit.USAGE),
        (["--syslog", "host:99999999999999"], Exit.USAGE),
        (["--syslog", "host", "--trust", "/proc/none"], Exit.USAGE),
    ):
        assert run(installation, "audit", "anchor", *arguments) == code
        assert capsys.readouterr().err.startswith("pbx: ")


def test_gaps_are_listed_as_gaps(capsys, installation: Path) -> None:
    (installation / "spool").mkdir(exist_ok=True)
    directory = Layout(installation).ledger_spool
    directory.mkdir(parents=True, exist_ok=True)
    spool = Spool.open(directory / "a.spool", "exchange", size=48 * 1024, reserved=8 * 1024)
    while not spool.append([entry()], TestClock()).lost:
        pass
    spool.close()

    assert run(installation, "audit", "verify") == Exit.DONE
    out = capsys.readouterr().out
    assert "gap  exchange.spool." in out
    assert "1 rows lost" in out
    assert "rows wait in the spool" in out


def test_a_pin_that_cannot_be_read_is_usage(capsys, installation: Path, tmp_path: Path) -> None:
    assert run(installation, "audit", "verify", "--pin", "/proc/none") == Exit.USAGE
    pin = tmp_path / "pin"
    Pin(primitives.verifying_key(primitives.generate_signing_key())).write(pin)
    assert run(installation, "audit", "verify", "--pin", str(pin)) == Exit.DONE


def test_a_terminal_sees_progress_on_standard_error(installation: Path) -> None:
    write(installation, 3)
    leader, follower = pty.openpty()

    done = subprocess.run(
        [sys.executable, "-m", "pbx", "audit", "verify", "--data", str(installation)],
        stdout=subprocess.PIPE,
        stderr=follower,
        env={"TERM": "xterm-256color", "PATH": "/usr/bin"},
        check=False,
    )

    os.close(follower)
    assert done.returncode == 0
    assert b"verifying" in os.read(leader, 10_000)
    os.close(leader)
