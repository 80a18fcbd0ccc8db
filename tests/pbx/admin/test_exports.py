"""Signed exports through the API and the command: recorded, bound to whoever began them."""

import asyncio
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

from pbx.access.roles import Role
from pbx.cli import main as cli
from pbx.cli.output import Exit
from storage.ledger.actions import Action
from tests.support import privileges
from tests.support.clinic import Clinic

SCRIPT = Path(__file__).parents[3] / "deploy" / "audit" / "verify_export.py"


async def test_an_officer_exports_what_a_stranger_verifies(
    clinic: Clinic, capsys: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    await clinic.staffed()
    officer = await clinic.with_role("officer", Role.COMPLIANCE_OFFICER)
    other = await clinic.with_role("other", Role.COMPLIANCE_OFFICER)
    await clinic.present(officer)
    token, file = tmp_path / "token", tmp_path / "ledger.jsonl"
    token.write_text(officer.token)
    token.chmod(0o600)
    monkeypatch.setenv("PBX_SESSION", str(token))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{clinic.code(officer)}\n"))
    count = await clinic.row_count()
    words = ["audit", "export", "--signed", str(file), "--data", str(clinic.layout.root)]

    assert await asyncio.to_thread(cli.run, words) == Exit.DONE

    shown = capsys.readouterr().out
    assert f"verify_export.py {file} {clinic.layout.keyholder_pin}" in shown
    command = [sys.executable, "-I", SCRIPT, file, clinic.layout.keyholder_pin]
    verified = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=True
    )
    assert verified.stdout.startswith(f"Genuine: {len(file.read_text().splitlines()) - 2} rows")
    assert str(officer.id) in verified.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    rows = [(row.action, row.outcome) for row in await clinic.rows(after=count)]
    assert rows == [
        (Action.AUDIT_EXPORTED, "intended"),
        (Action.AUDIT_EXPORTED, "done"),
        (Action.AUDIT_EXPORT_READ, "done"),
    ]
    assert await asyncio.to_thread(cli.run, words) == Exit.USAGE, "the file is there"

    operation = next(row.operation for row in await clinic.rows(after=count))
    path = f"/v1/audit/exports/{operation}/lines"
    assert (await clinic.ask(await clinic.present(other), "GET", path)).status_code == 403
    assert (await clinic.ask(other, "GET", path.replace("0", "1"))).status_code == 404
    clinic.plane.sign_heads = None
    begun = await privileges.ledger_export(clinic, await clinic.present(officer))
    assert begun.status_code == 503, "without the key holder's signature there is no export"
