"""`pbx audit search --follow`: rows as they come, each look that shows one itself a row."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pbx.access.roles import Role
from pbx.cli import main as cli
from pbx.cli.output import Exit
from storage.ledger.actions import Action
from tests.support.clinic import Clinic, Member


@pytest.fixture
async def officer(clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Member:
    await clinic.staffed()
    who = await clinic.with_role("officer", Role.COMPLIANCE_OFFICER)
    token = tmp_path / "officer"
    token.write_text((await clinic.present(who)).token)
    token.chmod(0o600)
    monkeypatch.setenv("PBX_SESSION", str(token))
    return who


async def followed(clinic: Clinic, who: Member, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = await clinic.do(who, "POST", "/v1/audit/follow", body)
    return found


async def test_a_look_shows_what_came_since_the_last_and_no_follower(
    clinic: Clinic, officer: Member
) -> None:
    root = await clinic.present(clinic.members["root"])
    await clinic.present(officer)
    begun = await followed(clinic, officer)
    assert begun["rows"] == []
    await clinic.do(root, "GET", "/v1/people/root")
    await clinic.do(root, "GET", "/v1/people")

    shown = await followed(clinic, officer, last=begun["last"])
    actions = [row["action"] for row in shown["rows"]]
    one = await followed(clinic, officer, last=begun["last"], page=1)
    rest = await followed(clinic, officer, last=one["last"], action=["person.listed"])
    count = await clinic.row_count()
    nothing = await followed(clinic, officer, last=shown["last"])

    assert actions == ["person.read", "person.listed"]
    assert [row["action"] for row in one["rows"]] == ["person.read"]
    assert [row["action"] for row in rest["rows"]] == ["person.listed"]
    assert nothing["rows"] == []
    assert await clinic.row_count() == count, "a look that showed nothing is no row"
    rows = [row.after for row in await clinic.rows() if row.action == Action.AUDIT_FOLLOWED]
    assert [json.loads(after)["count"] for after in rows] == [0, 2, 1, 1]


async def test_a_place_that_no_answer_gave_out_is_refused(clinic: Clinic, officer: Member) -> None:
    for last in ("exchange", "exchange:-1", ":7", "exchange:²", f"exchange:{'9' * 19}"):
        answer = await clinic.ask(officer, "POST", "/v1/audit/follow", {"last": last})
        assert answer.status_code == 400, (last, answer.text)


@asynccontextmanager
async def following(clinic: Clinic, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pbx", "audit", "search", "--follow", *words,
        "--data", str(clinic.layout.root),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_the_command_goes_on_until_the_session_is_over(
    clinic: Clinic, officer: Member
) -> None:
    root = await clinic.present(clinic.members["root"])
    await clinic.present(officer)
    await clinic.do(root, "GET", "/v1/people")
    async with following(clinic, "--action", "person", "--json", "--page", "1") as process:
        assert process.stdout is not None and process.stderr is not None
        first = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        assert first["action"] == "person.listed"
        await clinic.do(root, "GET", "/v1/people/root")
        new = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        assert (new["action"], new["actor_name"]) == ("person.read", "root")
        await clinic.do(officer, "DELETE", "/v1/session")
        _, told = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == Exit.REFUSED
    assert b"sign in again" in told


def test_what_is_over_is_not_followed(clinic: Clinic, capsys: Any) -> None:
    for words in (("--until", "1d"), ("--csv",), ("--number", "+12025550147", "--reason", "why")):
        arguments = ["audit", "search", "--follow", *words, "--data", str(clinic.layout.root)]
        assert cli.run(arguments) == Exit.USAGE
        assert "--follow" in capsys.readouterr().err
