"""`pbx person`, `pbx sessions` and `pbx role`: people, and what they may."""

import json

from pbx.access.policy import DAY
from pbx.access.roles import Role
from pbx.cli.output import Exit
from tests.support import privileges
from tests.support.clinic import Clinic
from tests.support.command_line import Command, signed_in


async def test_a_person_is_suspended_and_comes_back_by_two(clinic: Clinic, acting: Command) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    anna = await clinic.with_role("anna", Role.FRONT_DESK)

    code, shown, error = await acting(root, "person", "suspend", "anna", "--yes", proves=True)
    assert (code, shown.startswith("Suspended at ")) == (Exit.DONE, True), error
    assert not (await clinic.try_sign_in(anna)).is_success
    code, shown, error = await acting(root, "person", "resume", "anna", proves=True)
    assert (code, "Waits for a second person" in shown) == (Exit.DONE, True), error
    words = ("approval", "approve", shown.split()[-1], "--yes")
    code, shown, error = await acting(manager, *words, proves=True)
    assert (code, "reinstate" in shown) == (Exit.DONE, True), error
    assert (await clinic.try_sign_in(anna)).is_success

    code, shown, _ = await acting(root, "person", "suspend", "anna", "--yes", "--json", proves=True)
    assert (code, {one["kind"] for one in json.loads(shown)["ended"]} > set()) == (0, True)


async def test_a_proposal_is_looked_at_and_declined(clinic: Clinic, acting: Command) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.hire("anna", await clinic.present(root), until=clinic.now + DAY)
    code, shown, error = await acting(root, "person", "end-date", "anna", "never", proves=True)
    assert (code, "Waits for a second person" in shown) == (Exit.DONE, True), error
    proposal = shown.split()[-1]

    code, shown, _ = await acting(manager, "approval", "list")
    assert (code, "reinstate" in shown) == (Exit.DONE, True)
    _, shown, _ = await acting(manager, "approval", "list", "--json")
    assert [one["id"] for one in json.loads(shown)] == [proposal]
    words = ("approval", "decline", proposal)
    code, shown, error = await acting(manager, *words, proves=True)
    assert code == Exit.DONE, error
    assert json.loads((await acting(manager, "approval", "list", "--json"))[1]) == []
    code, _, error = await acting(manager, "approval", "approve", proposal, "--yes", proves=True)
    assert code == Exit.USAGE, error


async def test_access_ends_while_the_key_holder_is_away(clinic: Clinic, acting: Command) -> None:
    await clinic.staffed()
    root = await clinic.present(clinic.members["root"])
    await clinic.hire("anna", root)
    await clinic.edge.stop()

    code, shown, error = await acting(root, "person", "leave", "anna", "--yes", proves=True)

    assert code == Exit.DONE, error
    assert error.startswith("pbx: The key holder is away: its part waits")
    assert "Left at " in shown
    assert "waits" in shown
    code, _, error = await acting(root, "person", "unlock", "root", proves=True)
    assert code == Exit.UNAVAILABLE, error


async def test_half_a_code_each(clinic: Clinic, acting: Command) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.hire("anna", await clinic.present(root))
    words = ("person", "enrolment", "anna")

    code, shown, error = await acting(root, *words, "--json", proves=True)
    assert code == Exit.DONE, error
    found = json.loads(shown)
    assert found["answer"] == ""
    code, shown, error = await acting(
        manager, "approval", "approve", found["proposal"], "--yes", proves=True
    )
    assert (code, "half of the code" in shown) == (Exit.DONE, True), error
    second = shown.split("shown once: ")[1].split()[0]
    await clinic.use_code(clinic.members["anna"], f"{found['code']}-{second}")

    code, shown, _ = await acting(root, "person", "show", "anna")
    assert (code, "anna" in shown, "yes" in shown) == (Exit.DONE, True, True)
    _, shown, _ = await acting(root, "person", "list", "--json")
    assert {one["login"] for one in json.loads(shown)} == {"root", "manager", "anna"}
    code, shown, _ = await acting(root, "person", "rename", "anna", "Anna Other", "--json")
    assert (code, "operation" in json.loads(shown)) == (Exit.DONE, True)


async def test_enrolling_and_ones_own_factors(clinic: Clinic, command: Command) -> None:
    root = await clinic.found()
    await signed_in(clinic, command, root)
    await clinic.hire("anna", root)
    code, shown, error = await command(
        root, "person", "enrolment", "anna", typed=f"{clinic.code(root)}\n"
    )
    assert code == Exit.DONE, error
    one_time = shown.split("The code, shown once: ")[1].split()[0]

    typed = f"{one_time}\nanother long password\n000000\n"
    code, shown, error = await command(None, "enrol", "anna", typed=typed)
    assert (code, "or type in:" in shown) == (Exit.REFUSED, True), error
    assert shown.count("\n  ") >= 10, "recovery codes"
    typed = f"{root.recovery[0]}\n"
    code, shown, error = await command(
        root, "login", "root", "--recovery", typed=f"{root.password}\n{typed}"
    )
    assert (code, "Signed in until" in shown) == (Exit.DONE, True), error
    code, shown, _ = await command(root, "whoami")
    assert "roles: system-administrator" in shown
    typed = f"{root.password}\n{clinic.code(root)}\n000000\n"
    code, shown, error = await command(root, "second-factor", typed=typed)
    assert (code, "scan this" in shown) == (Exit.REFUSED, True), error
    assert (await clinic.try_sign_in(root)).is_success, "the old one still counts"
    code, _, error = await command(root, "password", typed="")
    assert (code, error) == (Exit.USAGE, "pbx: Present password: expected on standard input.\n")


async def test_who_somebody_is_says_what_they_may_do(clinic: Clinic, acting: Command) -> None:
    await clinic.staffed()
    root = clinic.members["root"]
    anna = await clinic.with_role("anna", Role.FRONT_DESK)
    await clinic.hire("ben", await clinic.present(root))

    _, shown, _ = await acting(root, "person", "show", "anna")
    assert ["roles", "front-desk"] in [line.split() for line in shown.splitlines()]
    _, shown, _ = await acting(root, "person", "show", "me", "--json")
    assert json.loads(shown)["roles"] == ["system-administrator"]
    _, shown, _ = await acting(root, "person", "list", "--json")
    assert {one["login"]: one["roles"] for one in json.loads(shown)} == {
        "root": ["system-administrator"],
        "manager": ["practice-manager"],
        "anna": ["front-desk"],
        "ben": [],
    }
    code, _, error = await acting(anna, "person", "show", "me")
    assert code == Exit.REFUSED, error
    _, shown, _ = await acting(root, "history", "person", "ben")
    assert "by root, operation" in shown


async def test_a_pin_does_not_resemble_ones_extension_though_nobody_names_it(
    clinic: Clinic, acting: Command
) -> None:
    await clinic.staffed()
    anna = await clinic.with_role("anna", Role.FRONT_DESK)
    number = await privileges.extension(clinic, anna)

    code, _, error = await acting(anna, "pin", typed=f"{number}7\n", proves=True)
    assert (code, "extension" in error) == (Exit.USAGE, True), error
    code, _, error = await acting(anna, "pin", typed="739154\n", proves=True)
    assert code == Exit.DONE, error


async def test_sessions_alone_lists_ones_own_and_names_everybody_elses(
    clinic: Clinic, acting: Command
) -> None:
    await clinic.staffed()
    root = clinic.members["root"]

    code, own, error = await acting(root, "sessions")
    _, everybodys, _ = await acting(root, "sessions", "--all")

    assert code == Exit.DONE, error
    assert [line.split()[0] for line in own.splitlines()] == ["PERSON", "you"]
    assert {line.split()[0] for line in everybodys.splitlines()} == {"PERSON", "root", "manager"}


async def test_sessions_are_listed_and_ended(clinic: Clinic, acting: Command) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(manager)

    code, shown, _ = await acting(root, "sessions", "list", "--all")
    assert (code, str(manager.session) in shown) == (Exit.DONE, True), shown
    code, shown, error = await acting(
        root, "sessions", "end", str(manager.session), "--anybody", "--yes"
    )
    assert (code, shown) == (Exit.DONE, "The session has ended.\n"), error
    assert (await clinic.ask(manager, "GET", "/v1/session")).status_code == 401
    code, shown, error = await acting(root, "sessions", "end", str(root.session), "--yes", "--json")
    assert code == Exit.DONE, error


async def test_roles_are_given_by_two_and_taken_by_one(clinic: Clinic, acting: Command) -> None:
    await clinic.staffed()
    root = clinic.members["root"]
    await clinic.with_role("desk", Role.FRONT_DESK)
    _, shown, _ = await acting(root, "role", "list", "--json")
    [grant] = [one["id"] for one in json.loads(shown) if one["role"] == Role.FRONT_DESK]

    assert "front-desk" in (await acting(root, "role", "list"))[1]
    assert (await acting(root, "role", "revoke", grant))[0] == Exit.REFUSED
    code, shown, error = await acting(root, "role", "revoke", grant, "--yes", proves=True)

    assert code == Exit.DONE, error
    _, shown, _ = await acting(root, "role", "list", "--ended", "--json")
    assert [one["state"] for one in json.loads(shown) if one["id"] == grant] != ["active"]
    assert json.loads((await acting(root, "role", "matrix", "--json"))[1])
