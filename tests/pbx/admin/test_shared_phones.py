"""Shared phones as administrators see them: made so, shown with who is signed in, signed out."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pbx.access.roles import Role
from pbx.cli import main as cli
from pbx.cli.output import Exit
from tests.support import privileges
from tests.support.clinic import Clinic


async def test_who_is_signed_in_is_shown_and_signed_out_by_whoever_may(clinic: Clinic) -> None:
    await clinic.staffed()
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    label, device = await privileges.at_a_shared_phone(clinic, anna)
    manager = await clinic.present(clinic.members["manager"])

    shown = await clinic.do(manager, "GET", f"/v1/devices/{label}")
    assert (shown["is_shared"], shown["signed_in"]) == (True, str(anna.id))
    count = await clinic.row_count()
    answer = await clinic.do(manager, "POST", f"/v1/devices/{label}/sign-out")
    assert answer["was_signed_in"] is True

    assert clinic.telephony.signed_in(device) is None
    [row] = [r for r in await clinic.rows(after=count) if r.action == "phone.signed_out"]
    assert (row.actor_id, row.subject_id) == (manager.id, device)
    assert '"reason":"admin"' in row.after
    again = await clinic.do(manager, "POST", f"/v1/devices/{label}/sign-out")
    assert again["was_signed_in"] is False


async def test_a_phone_shared_no_more_or_an_extension_of_somebody_else_signs_out(
    clinic: Clinic,
) -> None:
    await clinic.staffed()
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    sign_ins = clinic.telephony.sign_ins
    for end in ("sharing", "release"):
        label, device = await privileges.at_a_shared_phone(clinic, anna)
        root = await clinic.present(clinic.members["root"])
        keeper = clinic.telephony.keeper
        held = keeper.current().holder_of(device)
        assert held is not None
        if end == "sharing":
            body = {"version": 2, "shared": False}
            await clinic.do(root, "POST", f"/v1/devices/{label}/sharing", body)
        else:
            assert (await privileges.release(clinic, root, held.number, 2)).is_success
        assert keeper.current().holder_of(device) is None, "at once, in the directory"
        await sign_ins.tick()
        assert sign_ins.at(device) is None
    reasons = [r.after for r in await clinic.rows() if r.action == "phone.signed_out"]
    assert all('"reason":"gone"' in after for after in reasons)
    assert len(reasons) == 2


async def test_the_commands_share_a_phone_show_who_is_there_and_sign_out(
    clinic: Clinic, capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await clinic.staffed()
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    label, _ = await privileges.at_a_shared_phone(clinic, anna)
    root = await clinic.present(clinic.members["root"])
    (tmp_path / "token").write_text(root.token)
    (tmp_path / "token").chmod(0o600)
    monkeypatch.setenv("PBX_SESSION", str(tmp_path / "token"))

    async def shown(*words: str) -> str:
        data = ("--data", str(clinic.layout.root))
        assert await asyncio.to_thread(cli.run, [*words, *data]) == Exit.DONE
        return str(capsys.readouterr().out)

    assert "anna" in await shown("device", "show", label)
    assert "signed out" in await shown("device", "sign-out", label)
    assert "Nobody was signed in" in await shown("device", "sign-out", label)
    assert "anna" not in await shown("device", "show", label)
    assert "Nobody signs in" in await shown("device", "share", label, "--no")
    assert "*71" in await shown("device", "share", label)
