"""`pbx mailbox`: made by one, joined by two, owned by one."""

import json
from uuid import UUID

from pbx.access.roles import Role
from pbx.cli.output import Exit
from tests.support.clinic import Clinic
from tests.support.command_line import Command, signed_in
from tests.support.privileges import owned


async def test_a_shared_mailbox_from_its_making_to_a_members_end(
    clinic: Clinic, command: Command
) -> None:
    await clinic.staffed()
    root = await clinic.present(clinic.members["root"])
    await clinic.hire("anna", root)
    await signed_in(clinic, command, root)

    made = await command(root, "mailbox", "add", "questions", typed=f"{clinic.code(root)}\n")
    words = ("mailbox", "member", "add", "questions", "anna", "--until", "+30d")
    waits = await command(root, *words, typed=f"{clinic.code(root)}\n")
    assert made[0] == waits[0] == Exit.DONE, (made, waits)
    assert "Waits for a second person" in waits[1]
    proposal = waits[1].split()[-1]
    manager = clinic.members["manager"]
    await signed_in(clinic, command, manager)
    words = ("approval", "approve", proposal, "--yes")
    done, _, error = await command(manager, *words, typed=f"{clinic.code(manager)}\n")
    assert done == Exit.DONE, error

    for words in (("mailbox", "list"), ("mailbox", "show", "questions")):
        done, shown, error = await command(root, *words)
        assert done == Exit.DONE, error
        assert "shared" in shown
        assert "anna" in shown
    words = ("mailbox", "member", "remove", "questions", "anna")
    assert (await command(root, *words))[0] == Exit.REFUSED
    done, shown, _ = await command(root, *words, "--yes", typed=f"{clinic.code(root)}\n")
    assert (done, shown) == (Exit.DONE, "Removed.\n")
    _, shown, _ = await command(root, "mailbox", "show", "questions", "--json")
    assert json.loads(shown)["members"] == []


async def test_the_owner_names_members_of_their_own(clinic: Clinic, command: Command) -> None:
    await clinic.staffed()
    doctor = await clinic.with_role("doctor", Role.PHYSICIAN)
    nurse = await clinic.with_role("nurse", Role.CLINICAL_STAFF)
    mailbox = await owned(clinic, doctor)
    await signed_in(clinic, command, doctor)

    words = ("mailbox", "member", "add", str(mailbox), str(nurse.id), "--own")
    done, shown, error = await command(doctor, *words, typed=f"{clinic.code(doctor)}\n")

    assert (done, shown) == (Exit.DONE, "Added.\n"), error
    _, shown, _ = await command(doctor, "mailbox", "list", "--own", "--json")
    [found] = json.loads(shown)
    assert [UUID(member["person"]) for member in found["members"]] == [nurse.id]
    assert (await command(doctor, "mailbox", "list", "--own"))[0] == Exit.DONE
    done, _, error = await command(doctor, *words[:3], "questions", "anna", "--own")
    assert done == Exit.USAGE
    assert "identifiers" in error
