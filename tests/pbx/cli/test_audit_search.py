"""`pbx audit search`, `what-did`, `who-heard`, `who-could` and `scope` as an officer uses them."""

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pbx.access.roles import Role
from pbx.cli import main as cli
from pbx.cli.output import Exit
from tests.support import privileges
from tests.support.clinic import Clinic, Member

Ask = Callable[..., Awaitable[str]]


@pytest.fixture
async def officer(clinic: Clinic) -> Member:
    await clinic.staffed()
    return await clinic.with_role("officer", Role.COMPLIANCE_OFFICER)


@pytest.fixture
def ask(clinic: Clinic, officer: Member, capsys: Any, monkeypatch: Any, tmp_path: Any) -> Ask:
    """`pbx audit …` in the officer's session; answers what was printed."""
    token = tmp_path / "officer"
    monkeypatch.setenv("PBX_SESSION", str(token))

    async def run(*words: str, code: Exit = Exit.DONE) -> str:
        await clinic.present(officer)
        token.write_text(officer.token)
        token.chmod(0o600)
        capsys.readouterr()
        arguments = ["audit", *words, "--data", str(clinic.layout.root)]
        assert await asyncio.to_thread(cli.run, arguments) == code
        shown = capsys.readouterr()
        return str(shown.out if code == Exit.DONE else shown.err)

    return run


async def test_an_officer_asks_about_people_and_messages(clinic: Clinic, ask: Ask) -> None:
    root = clinic.members["root"]
    message = await privileges.message(clinic, clinic.members["officer"])

    table = await ask("search", "--person", "root", "--action", "person.added", "--from", "1d")
    assert "person.added" in table
    assert "person officer" in table
    page = json.loads(await ask("search", "--page", "2", "--json"))
    assert len(page["rows"]) == 2
    assert "more  --after " in await ask("search", "--page", "2")
    more = json.loads(await ask("search", "--page", "2", "--after", page["next"], "--json"))
    assert more["rows"][0] not in page["rows"]
    rows = list(csv.DictReader(io.StringIO(await ask("search", "--csv", "--action", "person"))))
    assert {row["actor_name"] for row in rows} >= {"root"}
    number = ("search", "--number", "+12025550147", "--reason", "a complaint")
    assert "OUTCOME" in await ask(*number)
    assert "reason" in await ask(*number[:3], code=Exit.USAGE)

    did = await ask("what-did", "root")
    assert "TIMES" in did
    assert json.loads(await ask("what-did", "root", "--json"))["person"] == str(root.id)
    assert (await ask("what-did", "root", "--csv")).startswith('"occurred"')

    heard = await ask("who-heard", str(message))
    assert "opened 0 times" in heard
    could = await ask("who-could", str(message))
    assert "officer  owner" in could
    assert json.loads(await ask("who-could", str(message), "--json"))["is_compared"]
    assert json.loads(await ask("who-heard", str(message), "--json"))["openings"] == []


async def test_an_officer_asks_how_far_a_breach_may_have_gone(clinic: Clinic, ask: Ask) -> None:
    await privileges.message(clinic, clinic.members["officer"])
    phone = await privileges.phone(clinic)
    other = await privileges.message(clinic, await privileges.newcomer(clinic))

    told = json.loads(await ask("scope", "--person", "officer", "--from", "2h", "--json"))
    assert [one["how"] for one in told["could"]] == ["owner"]
    assert [one["messages"] for one in told["within_reach"]] == [1]
    assert (told["beyond_mailboxes"], told["beyond_messages"]) == (1, 1)
    assert [one["kind"] for one in told["places"]] == ["account"]
    assert {one["action"] for one in told["other"]} >= {"session.opened"}
    shown = await ask("scope", "--person", "officer", "--from", "2h")
    assert "Out of reach: 1 mailboxes with 1 messages; their keys are in the key holder" in shown
    assert str(other) not in shown

    at_phone = json.loads(await ask("scope", "--device", phone, "--from", "2h", "--json"))
    assert at_phone["could"] == []
    assert {one["action"] for one in at_phone["other"]} >= {"device.added"}
    box = json.loads(await ask("scope", "--mailbox", "officer", "--from", "2h", "--json"))
    assert [one["login"] for one in box["could"]] == ["officer"]
    assert "one of" in await ask("scope", "--person", "officer", code=Exit.USAGE)
