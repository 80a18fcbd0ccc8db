"""`pbx extension prove` says isolated where it is, NOT isolated where it was broken on purpose."""

import asyncio
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from sqlalchemy import func, select, text, update

from pbx.access.roles import Role
from pbx.admin.rules import declared
from pbx.cli import main as cli
from pbx.cli.output import Exit
from pbx.dialplan import plan
from pbx.isolation import features
from pbx.isolation.tables import bound_to_a_tenure
from pbx.signalling import CAPABILITIES
from storage import messages, tenures
from storage.deeds import Deed
from storage.extensions import Extensions
from storage.keyholder import acts
from storage.ledger.unit import Unit
from storage.messages import NewMessage
from storage.models.columns import metadata
from storage.models.messages import message
from storage.sealed.primitives import random
from storage.tenures import NewTenure
from tests.support import privileges
from tests.support.clinic import Clinic, Member, application

ISOLATED, BROKEN, UNKNOWN = "isolated", "NOT isolated", "cannot tell"


async def reassigned(clinic: Clinic) -> tuple[str, Member, Member]:
    """A number that Anna had, with a message in her mailbox, and that Ben has now."""
    await clinic.staffed()
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    ben = await clinic.with_role("ben", Role.PHYSICIAN)
    number = await privileges.extension(clinic, anna)
    await leave(clinic, (await held(clinic, number)).mailbox)
    root = await clinic.present(clinic.members["root"])
    assert (await privileges.assign(clinic, root, number, ben, 2)).is_success
    return number, anna, ben


async def held(clinic: Clinic, number: str) -> Any:
    async with clinic.plane.database.read() as connection:
        extension = await clinic.plane.extensions.find(connection, number)
        assert extension is not None
        found = await tenures.open_on(connection, extension)
    assert found is not None
    return found


async def leave(clinic: Clinic, mailbox: Any) -> None:
    new = NewMessage(
        id=clinic.id(), mailbox=mailbox, content=random(16), deposit_key=clinic.id(), slot=b"x",
        codec="pcmu", milliseconds=1, octets=1, segments=1, digest=random(32),
        received_at=clinic.now,
    )  # fmt: skip

    async def work(unit: Unit) -> None:
        await messages.deposit(unit, clinic.plane.deed(), new, None, None)

    await clinic.plane.committer.run(work)
    clinic.pass_(1)


async def proved(clinic: Clinic, number: str) -> dict[str, tuple[str, str]]:
    """What is said of each path."""
    root = await clinic.present(clinic.members["root"])
    answer = await clinic.do(root, "POST", f"/v1/extensions/{number}/isolation")
    return {f["path"]: (f["verdict"], f["evidence"]) for f in answer["findings"]}


def broken(found: dict[str, tuple[str, str]]) -> set[str]:
    return {path for path, (verdict, _) in found.items() if verdict == BROKEN}


async def counted(clinic: Clinic) -> dict[str, int]:
    """Rows of each table but the ledger's."""
    async with clinic.plane.database.read() as connection:
        return {
            table.name: await connection.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
            if not table.name.startswith(("ledger", "session"))
        }


async def test_every_path_of_the_running_program_is_isolated_and_nothing_is_left(
    clinic: Clinic,
) -> None:
    number, anna, _ = await reassigned(clinic)
    await clinic.present(clinic.members["root"])
    before, count = await counted(clinic), await clinic.row_count()

    found = await proved(clinic, number)

    assert {path: said for path, said in found.items() if said[0] != ISOLATED} == {}
    wanted = {f"feature {kind.__name__}" for kind in get_args(plan.Route)}
    wanted |= {f"API {method} {path}" for method, path, *_ in declared(application())}
    wanted |= {f"table {table.name}" for table, _ in bound_to_a_tenure()}
    wanted |= {"lamp", "phone log-in", "files", "table tenure", "monitoring", "SIP join"}
    wanted |= {f"SIP {tag}" for tag in CAPABILITIES.extensions}
    assert wanted <= found.keys()
    assert {"message", "greeting", "reach", "call", "sign_in", "legal_hold"} <= {
        table.name for table, _ in bound_to_a_tenure()
    }
    assert await counted(clinic) == before
    [row] = [r for r in await clinic.rows(after=count) if r.action == "isolation.proved"]
    said = msgspec.json.decode(row.after)
    assert (said["isolated"], said["not isolated"], said["cannot tell"]) == (len(found), [], [])
    [person] = [p for p in await clinic.plane.keyholder.people() if p.id == anna.id]
    assert person.locked_until == 0


class Sticky(Extensions):
    """Gives the next holder what the former one left: a check of tenures is missing."""

    async def assign(self, unit: Unit, deed: Deed, new: NewTenure, version: int) -> None:
        present = await tenures.open_on(unit.connection, new.extension)
        await super().assign(unit, deed, new, version)
        if present is not None:
            table = message
            mine = table.c.mailbox_id == present.mailbox
            await unit.connection.execute(update(table).where(mine).values(mailbox_id=new.mailbox))


async def test_a_store_that_hands_messages_on_is_found(clinic: Clinic) -> None:
    number, *_ = await reassigned(clinic)
    clinic.plane.extensions = Sticky(clinic.plane.fields)

    found = await proved(clinic, number)

    lists = {path for path in found if path.startswith("API") and "/own/messages" in path}
    assert broken(found) == {"table message", *lists}
    assert len(lists) >= 4
    assert "1 messages" in found["API GET /v1/own/messages"][1]


async def test_a_database_that_keeps_settings_and_greetings_is_found(clinic: Clinic) -> None:
    number, *_ = await reassigned(clinic)
    carry = "CREATE TRIGGER carry AFTER INSERT ON tenure BEGIN UPDATE greeting SET mailbox_id = \
        NEW.mailbox_id WHERE mailbox_id IN (SELECT mailbox_id FROM tenure WHERE extension_id = \
        NEW.extension_id); END"
    async with clinic.plane.database.begin() as connection:
        await connection.execute(text(carry))

    assert broken(await proved(clinic, number)) == {"table greeting"}


async def test_edited_tables_are_found(clinic: Clinic) -> None:
    number, anna, ben = await reassigned(clinic)
    present = await held(clinic, number)
    edits = {
        "UPDATE message SET mailbox_id = :new": {"this extension: list", "this extension: message"},
        "UPDATE tenure SET person_id = :anna WHERE id = :tenure": {
            "this extension: holder", "this extension: key holder",
        },
    }  # fmt: skip
    values = {"new": present.mailbox.bytes, "anna": anna.id.bytes, "tenure": present.id.bytes}
    for edit, paths in edits.items():
        async with clinic.plane.database.begin() as connection:
            await connection.execute(
                text(edit), {k: v for k, v in values.items() if f":{k}" in edit}
            )
        await clinic.telephony.refresh()
        found = await proved(clinic, number)
        assert paths <= broken(found), (edit, broken(found))
    assert ben.id != anna.id


async def test_a_former_holder_who_is_a_member_is_found(clinic: Clinic) -> None:
    number, anna, ben = await reassigned(clinic)
    mailbox = (await held(clinic, number)).mailbox
    await clinic.present(ben)
    act = acts.AddMember(mailbox, anna.id, clinic.now)
    proof = await clinic.proof(ben, act)
    body = {"person": anna.id, "start": act.start, "until": None, "proof": proof}
    answer = await clinic.ask(ben, "POST", f"/v1/own/mailboxes/{mailbox}/members", body)
    if answer.status_code == 404:
        answer = await clinic.ask(ben, "POST", f"/v1/mailboxes/{mailbox}/members", body)
    assert answer.is_success, answer.text

    found = await proved(clinic, number)

    assert broken(found) == {"this extension: key holder"}


async def test_what_nobody_described_cannot_be_told(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, *_ = await reassigned(clinic)
    monkeypatch.delitem(features.TRIALS, "SignIn")
    await clinic.edge.stop()
    root = clinic.members["root"]

    answer = await clinic.ask(root, "POST", f"/v1/extensions/{number}/isolation")
    found = {f["path"]: f["verdict"] for f in answer.json()["findings"]}

    assert {path for path, verdict in found.items() if verdict == UNKNOWN} == {
        "feature SignIn", "this extension: key holder",
    }  # fmt: skip


async def test_the_command_ends_with_one_when_something_comes_through(
    clinic: Clinic, capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number, *_ = await reassigned(clinic)
    root = await clinic.present(clinic.members["root"])
    token = tmp_path / "token"
    token.write_text(root.token)
    token.chmod(0o600)
    monkeypatch.setenv("PBX_SESSION", str(token))
    words = ["extension", "prove", number, "--data", str(clinic.layout.root)]

    assert await asyncio.to_thread(cli.run, words) == Exit.DONE
    assert f"{ISOLATED:12}  lamp: " in capsys.readouterr().out
    clinic.plane.extensions = Sticky(clinic.plane.fields)
    assert await asyncio.to_thread(cli.run, [*words, "--json"]) == Exit.FOUND

    out, err = capsys.readouterr()
    assert "NOT isolated" in err
    verdicts = {f["path"]: f["verdict"] for f in msgspec.json.decode(out)["findings"]}
    assert verdicts["table message"] == BROKEN
