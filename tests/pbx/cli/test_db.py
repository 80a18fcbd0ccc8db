import json
import sqlite3
from pathlib import Path

import pytest

from pbx.cli import main as cli
from pbx.cli.output import Exit
from pbx.paths import Layout
from storage.keyholder.signing import Pin


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    for part in ("config", "database", "credentials", "spool"):
        (tmp_path / part).mkdir()
    (tmp_path / "config" / "pbx.toml").touch()
    Pin(signing_key=bytes(32)).write(Layout(tmp_path).keyholder_pin)
    return tmp_path


def run(data: Path, *arguments: str) -> int:
    return cli.run([*arguments, "--data", str(data)])


def test_upgrade_makes_the_schema_current_and_twice_is_no_harm(capsys, installation: Path) -> None:
    assert run(installation, "db", "upgrade") == Exit.DONE
    assert run(installation, "db", "upgrade", "--json") == Exit.DONE
    assert "which is current" in capsys.readouterr().out

    assert run(installation, "db", "status", "--json") == Exit.DONE
    assert json.loads(capsys.readouterr().out)["is_current"] is True


def test_status_of_an_old_schema_says_what_to_run_with_exit_1(capsys, installation: Path) -> None:
    sqlite3.connect(installation / "database" / "pbx.sqlite").close()
    (installation / "database" / "pbx.sqlite").touch()

    assert run(installation, "db", "status") == Exit.FOUND
    assert "pbx db upgrade" in capsys.readouterr().out


def test_no_database_is_a_sentence_and_not_made(capsys, installation: Path) -> None:
    assert run(installation, "db", "status") == Exit.REFUSED

    assert capsys.readouterr().err == "pbx: There is no database yet; run: pbx db upgrade.\n"
    assert list((installation / "database").iterdir()) == []


def test_a_newer_database_is_named_as_such(capsys, installation: Path) -> None:
    run(installation, "db", "upgrade")
    database = sqlite3.connect(installation / "database" / "pbx.sqlite")
    with database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    capsys.readouterr()

    assert run(installation, "db", "status") == Exit.FOUND
    assert "newer version" in capsys.readouterr().out
    assert run(installation, "db", "upgrade") == Exit.REFUSED
    assert "newer version" in capsys.readouterr().err


def test_a_database_that_cannot_be_reached_is_exit_4(capsys, installation: Path) -> None:
    (installation / "config" / "pbx.toml").write_text(
        f'[storage]\nurl = "postgresql://service@/pbx?host={installation}"\n'
        f'owner_url = "postgresql://owner@/pbx?host={installation}"\n'
    )

    for command in (["db", "status"], ["db", "upgrade"], ["audit", "verify"], ["audit", "anchor"]):
        assert run(installation, *command) == Exit.UNAVAILABLE
        assert "cannot be" in capsys.readouterr().err


def test_a_configuration_that_cannot_be_used_is_a_sentence(capsys, installation: Path) -> None:
    (installation / "config" / "pbx.toml").write_text('[storage]\nurl = "mysql://x"\n')

    assert run(installation, "db", "status") == Exit.USAGE
    assert "sqlite:/// or postgresql://" in capsys.readouterr().err
