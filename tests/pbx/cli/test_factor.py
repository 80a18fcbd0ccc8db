"""`pbx factor`, and a touch in place of a code, with a software key that speaks CTAP2."""

import json
from collections.abc import Iterator

import pytest

from pbx.cli import security_key
from pbx.cli.output import Exit
from storage.keyholder.presence import relying_party, user_handle
from tests.support.authenticator import Authenticator, Credential
from tests.support.clinic import Clinic, Member
from tests.support.command_line import Command, signed_in


@pytest.fixture
def keys() -> Iterator[list[Authenticator]]:
    """What is plugged in."""
    plugged: list[Authenticator] = []
    token = security_key.attached.set(lambda: plugged)
    yield plugged
    security_key.attached.reset(token)


async def add(clinic: Clinic, command: Command, who: Member) -> tuple[int, str, str]:
    typed = f"{who.password}\n{clinic.code(who)}\n"
    return await command(who, "factor", "add", "blue key", typed=typed)


@pytest.fixture
async def root(clinic: Clinic, command: Command) -> Member:
    made = await clinic.found()
    await signed_in(clinic, command, made)
    return made


async def test_a_key_is_added_used_listed_and_removed(
    clinic: Clinic, command: Command, root: Member, keys: list[Authenticator]
) -> None:
    keys.append(Authenticator())
    code, shown, error = await add(clinic, command, root)
    assert code == Exit.DONE, error
    assert "Touch the security key" in error
    assert shown == "blue key: added. It is asked for wherever it is attached.\n"

    code, _, error = await command(root, "login", "root", typed=f"{root.password}\n", by="key")
    assert code == Exit.DONE, error
    code, _, error = await command(root, "person", "add", "anna", "Anna", by="key")
    assert code == Exit.DONE, error
    code, shown, _ = await command(root, "factor", "list")
    assert "blue key" in shown
    code, shown, _ = await command(root, "factor", "list", "--json")
    [listed] = json.loads(shown)

    words = ("factor", "remove", listed["id"], "--yes")
    code, shown, error = await command(root, *words, typed=f"{root.password}\n", by="key")
    assert (code, shown) == (Exit.DONE, "The security key was removed.\n"), error
    code, _, error = await command(root, "login", "root", typed=f"{root.password}\n", by="key")
    assert code == Exit.REFUSED
    await signed_in(clinic, command, root)


async def test_without_a_touch_the_code_is_asked_for(
    clinic: Clinic, command: Command, root: Member, keys: list[Authenticator]
) -> None:
    keys.append(Authenticator())
    await add(clinic, command, root)
    keys[0].touched = False

    typed = f"{clinic.code(root)}\n"
    code, _, error = await command(root, "person", "add", "anna", "Anna", typed=typed, by="key")

    assert code == Exit.DONE, error
    assert "The security key did not answer." in error


@pytest.mark.parametrize("by", ["app", ""])
async def test_a_script_that_types_codes_is_not_stopped_by_a_key(
    clinic: Clinic, command: Command, root: Member, keys: list[Authenticator], by: str
) -> None:
    keys.append(Authenticator())
    await add(clinic, command, root)

    typed = f"{clinic.code(root)}\n"
    code, _, error = await command(root, "person", "add", "anna", "Anna", typed=typed, by=by)

    assert (code, error) == (Exit.DONE, "")


async def test_strange_keys_are_passed_over(
    clinic: Clinic, command: Command, root: Member, keys: list[Authenticator]
) -> None:
    keys.append(Authenticator())
    await add(clinic, command, root)
    empty, gone = Authenticator(), Authenticator()
    gone.is_pulled_out = True
    keys[:0] = [empty, gone]

    code, _, error = await command(root, "person", "add", "anna", "Anna", by="key")

    assert code == Exit.DONE, error


async def test_a_key_of_two_people_answers_for_the_one_who_signs_in(
    clinic: Clinic, command: Command, root: Member, keys: list[Authenticator]
) -> None:
    assert clinic.house.pin is not None
    party = relying_party(clinic.house.pin.signing_key)
    keys.append(Authenticator())
    keys[0].credentials.append(Credential(party, {"id": user_handle("anna")}))
    await add(clinic, command, root)

    code, _, error = await command(root, "login", "root", typed=f"{root.password}\n", by="key")

    assert code == Exit.DONE, error


async def test_adding_says_what_stands_in_the_way(
    clinic: Clinic, command: Command, root: Member, keys: list[Authenticator]
) -> None:
    code, _, error = await add(clinic, command, root)
    assert (code, error) == (
        Exit.UNAVAILABLE, "pbx: No security key is attached to this machine.\n",
    )  # fmt: skip

    keys += [Authenticator(), Authenticator()]
    assert (await add(clinic, command, root))[0] == Exit.USAGE
    keys.pop()

    keys[0].touched = False
    code, _, error = await add(clinic, command, root)
    assert code == Exit.REFUSED
    assert "made no credential" in error
    keys[0] = Authenticator(can_keep=False)
    assert (await add(clinic, command, root))[0] == Exit.REFUSED
    keys[0] = Authenticator()
    assert (await add(clinic, command, root))[0] == Exit.DONE


def test_usb_is_looked_at_when_nothing_else_is_said() -> None:
    assert list(security_key.attached.get()()) == []
