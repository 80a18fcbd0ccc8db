"""`pbx group`, and how history and undo know of groups."""

import json
from typing import Any

from pbx.cli.output import Exit
from storage.keyholder import acts
from tests.support import privileges
from tests.support.clinic import Clinic
from tests.support.command_line import Command


async def shown(as_root: Command, number: str) -> dict[str, Any]:
    code, out, error = await as_root("group", "show", number, "--json")
    assert code == Exit.DONE, error
    return dict(json.loads(out))


async def test_a_group_from_its_making_to_its_end_and_back(
    clinic: Clinic, as_root: Command
) -> None:
    root = clinic.members["root"]
    own, other = await privileges.extension(clinic, root), await privileges.extension(clinic)
    made = ("group", "add", "2000", "Front desk", "--strategy", "by-round", "--onward", other)
    code, out, error = await as_root(*made)
    assert (code, "pbx group member add 2000" in out) == (Exit.DONE, True), error
    assert (await as_root("group", "member", "add", "2000", own, "--delay", "5"))[0] == Exit.DONE
    person = ("group", "member", "add", "2000", "root", "--until", "+8h")
    assert (await as_root(*person))[0] == Exit.DONE

    found = await shown(as_root, "2000")
    assert [member["number"] for member in found["members"]] == [own, None]
    assert (found["strategy"], found["onward"], found["version"]) == ("by-round", other, 3)
    [held] = clinic.telephony.keeper.current().entries.groups  # calls know of it at once
    assert (held.number, held.name, len(held.members)) == ("2000", "Front desk", 2)
    code, out, _ = await as_root("group", "list")
    assert "by-round" in out
    assert f"{other} rings" in out
    code, out, _ = await as_root("group", "show", "2000")
    assert "Front desk: by-round, 20 s" in out
    assert "root" in out

    changes = ("--strategy", "in-order", "--ring-seconds", "30", "--onward", "none")
    assert (await as_root("group", "set", "2000", *changes, "--mailbox", own))[0] == Exit.DONE
    found = await shown(as_root, "2000")
    assert (found["onward"], found["ring_seconds"]) == (None, 30)
    assert found["mailbox"] is not None
    code, out, _ = await as_root("group", "show", "2000")
    assert "a message is taken" in out
    assert (await as_root("undo", "2000", "--yes"))[0] == Exit.DONE
    assert (await shown(as_root, "2000"))["onward"] == other
    code, _, error = await as_root("undo", "2000", "--yes")
    assert (code, "no change left" in error) == (Exit.REFUSED, True)

    assert (await as_root("group", "member", "remove", "2000", own))[0] == Exit.DONE
    assert (await as_root("group", "remove", "2000", "--yes"))[0] == Exit.DONE
    assert clinic.telephony.keeper.current().groups == {}
    assert (await as_root("group", "show", "2000"))[0] == Exit.USAGE
    assert (await as_root("undo", "2000", "--yes"))[0] == Exit.DONE
    assert len((await shown(as_root, "2000"))["members"]) == 1

    code, out, _ = await as_root("history", "group", "2000", "--json")
    history = json.loads(out)
    actions = [change["action"] for change in history if change["action"] != "group.read"]
    changed = ["group.changed"] * 3
    assert actions == [
        "group.added", *changed, "group.undone", "group.changed", "group.removed", "group.undone",
    ]  # fmt: skip
    assert not any(word in out for word in ("Front desk", own, other))


async def test_what_is_refused_in_one_sentence(clinic: Clinic, as_root: Command) -> None:
    own = await privileges.extension(clinic, clinic.members["root"])
    await as_root("group", "add", "2000", "Front desk")
    for words, code, part in (
        (("group", "add", "9112", "Help"), Exit.REFUSED, "kept"),
        (("group", "add", "*70", "Help"), Exit.REFUSED, "1 to 15 digits"),
        (("group", "add", own, "Mine"), Exit.REFUSED, "belongs to a person"),
        (("group", "add", "2000", "Again"), Exit.REFUSED, "another group has"),
        (("group", "set", "2000"), Exit.USAGE, "what is to change"),
        (("group", "set", "2000", "--name", "Front desk"), Exit.REFUSED, "so already"),
        (("group", "set", "2000", "--onward", "2000"), Exit.REFUSED, "itself"),
        (("group", "set", "2000", "--onward", "5551234567"), Exit.USAGE, "no such extension"),
        (("group", "set", "2000", "--mailbox", "nowhere"), Exit.USAGE, "no such mailbox"),
        (("group", "member", "add", "2000", "2000"), Exit.REFUSED, "no other group"),
        (("group", "member", "remove", "2000", own), Exit.USAGE, "no such member"),
        (("group", "show", own), Exit.USAGE, "no such group"),
        (("undo", "2000", "--of", "settings", "--yes"), Exit.USAGE, "no such change to undo"),
    ):
        found, _, error = await as_root(*words)
        assert (found, part in error.lower()) == (code, True), (words, found, error)
    past = ("--until", "2001-01-01")
    for words in (("add", "2001", "Late"), ("set", "2000"), ("member", "add", "2000", own)):
        found, _, error = await as_root("group", *words, *past)
        assert (found, "future" in error) == (Exit.REFUSED, True), words


async def test_a_number_of_a_groups_is_assigned_to_nobody(clinic: Clinic, as_root: Command) -> None:
    await as_root("group", "add", "2000", "Front desk")
    root = await clinic.present(clinic.members["root"])
    count = len(clinic.performed & {acts.OpenTenure})

    answer = await privileges.assign(clinic, root, "2000", root, 1)

    assert (answer.status_code, "belongs to a group" in answer.text) == (409, True)
    assert len(clinic.performed & {acts.OpenTenure}) == count  # the key holder was not asked
    answer = await privileges.assign(clinic, root, "*97", root, 0)
    assert (answer.status_code, "15 digits" in answer.text) == (403, True)


async def test_a_shared_mailbox_takes_the_messages_of_a_group(
    clinic: Clinic, as_root: Command
) -> None:
    mailbox, label = await privileges.shared(clinic)

    assert (await as_root("group", "add", "2000", "Desk", "--mailbox", label))[0] == Exit.DONE

    assert (await shown(as_root, "2000"))["mailbox"] == str(mailbox)
    [held] = clinic.telephony.keeper.current().entries.groups
    assert held.mailbox == mailbox
