"""`pbx cert` on a real installation's files, without a running exchange."""

import json
import sqlite3
import time
from pathlib import Path

import pytest

from certs.authority import Authority, create_authority
from certs.issue import key_pem
from certs.stock import load_certificate, load_key
from pbx.cli import main as cli
from pbx.cli.output import Exit
from storage.config import database_url
from storage.schema import upgrade
from tests.certs.test_imports import issued
from tests.support.clock import DAY

DOMAIN = "clinic.example"


def now() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for part in ("config", "database", "credentials/certificates", "spool"):
        (root / part).mkdir(parents=True)
    (root / "config" / "pbx.toml").write_text(f'[exchange]\ndomain = "{DOMAIN}"\n')
    upgrade(database_url(f"sqlite:///{root / 'database' / 'pbx.sqlite'}"))
    create_authority(root / "credentials" / "certificates", DOMAIN, now).issue_server()
    return root


@pytest.fixture
def authority(data: Path) -> Authority:
    return Authority.open(data / "credentials" / "certificates", DOMAIN, now)


def run(data: Path, *arguments: str) -> int:
    return cli.run(["cert", *arguments, "--data", str(data)])


def ledger(data: Path) -> list[tuple[str, str]]:
    database = sqlite3.connect(data / "database" / "pbx.sqlite")
    try:
        return database.execute("SELECT action, after FROM ledger ORDER BY sequence").fetchall()
    finally:
        database.close()


def test_list_shows_what_is_in_force_and_is_content(data: Path, capsys) -> None:
    assert run(data, "list") == Exit.DONE
    shown = capsys.readouterr().out
    assert DOMAIN in shown
    assert "root key lies beside" in shown

    assert run(data, "list", "--json") == Exit.DONE
    found = json.loads(capsys.readouterr().out)
    assert {c["kind"] for c in found} >= {"root authority", "issuing authority", "server"}
    assert {c["state"] for c in found} == {"valid"}


def test_list_exits_1_when_something_ends_within_thirty_days(
    data: Path, authority: Authority, capsys
) -> None:
    early = Authority.open(authority.stock.directory, DOMAIN, lambda: now())
    early.clock = lambda: now() - 800 * DAY
    early.issue_device(f"sip:1001@{DOMAIN}")

    assert run(data, "list") == Exit.FOUND

    shown = capsys.readouterr().out
    assert "expiring" in shown
    assert "install it on the device" in shown


def test_renew_makes_a_new_server_certificate_and_a_ledger_row(
    data: Path, authority: Authority, capsys
) -> None:
    before = load_certificate(authority.stock.server)

    assert run(data, "renew") == Exit.DONE

    assert load_certificate(authority.stock.server) != before
    assert ledger(data) == [("certificate.issued", f'{{"hosts":["{DOMAIN}"]}}')]
    assert "is renewed" in capsys.readouterr().out


def test_renew_with_the_root_key_makes_the_next_issuing_authority(
    data: Path, authority: Authority, tmp_path: Path, capsys
) -> None:
    moved = tmp_path / "root.key"
    authority.move_root_key(moved)

    assert run(data, "renew", "--root-key", str(moved)) == Exit.DONE
    assert len(authority.stock.issuers()) == 2

    other = tmp_path / "other.key"
    other.write_bytes(key_pem(authority.issuer().key))
    assert run(data, "renew", "--root-key", str(other)) == Exit.REFUSED
    assert "not the key of this root" in capsys.readouterr().err


def test_revoke_asks_records_and_revokes(data: Path, authority: Authority, capsys) -> None:
    device = authority.issue_device(f"sip:1001@{DOMAIN}")

    assert run(data, "revoke", device.serial) == Exit.REFUSED  # no terminal, no --yes
    assert ledger(data) == []
    done = run(data, "revoke", device.serial, "--reason", "key-compromise", "--yes")

    assert done == Exit.DONE
    assert device.serial in authority.revocations()
    ((action, after),) = ledger(data)
    assert action == "certificate.revoked"
    assert json.loads(after) == {"serial": device.serial, "reason": "key-compromise"}
    assert run(data, "revoke", device.serial, "--yes") == Exit.REFUSED
    assert run(data, "revoke", "beef", "--yes") == Exit.REFUSED
    assert "Traceback" not in capsys.readouterr().err


def test_import_serves_a_checked_chain(
    data: Path, authority: Authority, tmp_path: Path, capsys
) -> None:
    (tmp_path / "public").mkdir()
    public = create_authority(tmp_path / "public", "public.example", now)
    chain, key = issued(public)
    (tmp_path / "chain.pem").write_bytes(chain)
    (tmp_path / "key.pem").write_bytes(key)
    files = (str(tmp_path / "chain.pem"), str(tmp_path / "key.pem"))

    assert run(data, "import", *files) == Exit.DONE
    assert [path.stem for path in authority.stock.imports()] == [DOMAIN]
    assert ledger(data)[0][0] == "certificate.imported"

    assert run(data, "import", files[0], str(tmp_path / "absent.pem")) == Exit.USAGE
    (tmp_path / "key.pem").write_bytes(key_pem(load_key(authority.stock.root_key)))
    assert run(data, "import", *files) == Exit.REFUSED
    assert "does not belong" in capsys.readouterr().err
    assert len(ledger(data)) == 1


def test_nothing_changes_when_no_row_can_be_written(data: Path, authority: Authority) -> None:
    device = authority.issue_device(f"sip:1001@{DOMAIN}")
    (data / "database" / "pbx.sqlite").unlink()

    assert run(data, "revoke", device.serial, "--yes") == Exit.REFUSED

    assert authority.revocations() == {}
