"""`pbx person dnd`, `pbx person forward`, and how `pbx person show` tells of them."""

import json

from pbx.cli.output import Exit
from tests.support import privileges
from tests.support.clinic import Clinic
from tests.support.command_line import Command


async def test_ones_own_settings(clinic: Clinic, as_root: Command) -> None:
    root = clinic.members["root"]
    code, _, error = await as_root("person", "dnd", "me", "on")
    assert (code, "holds no extension" in error) == (Exit.REFUSED, True)
    own = await privileges.extension(clinic, root)
    other = await privileges.extension(clinic)

    assert (await as_root("person", "dnd", "me", "on", "--until", "+2h"))[0] == Exit.DONE
    assert (await as_root("person", "forward", "me", "no-answer", other))[0] == Exit.DONE

    code, shown, _ = await as_root("person", "show", "root")
    assert f"{own} do-not-disturb" in shown
    assert f"to {other}" in shown
    code, shown, _ = await as_root("person", "show", "root", "--json")
    [reach] = json.loads(shown)["reach"]
    assert reach["forwards"] == [{"when": "no-answer", "number": other, "until": None}]
    code, shown, _ = await as_root("history", "extension", own, "--json")
    changes = [change for change in json.loads(shown) if change["action"] == "reach.changed"]
    assert [change["before"]["do_not_disturb"] for change in changes] == [False, True]
    assert other not in json.dumps(changes)

    assert (await as_root("person", "dnd", "me", "off"))[0] == Exit.DONE
    assert (await as_root("person", "forward", "me", "no-answer", "off"))[0] == Exit.DONE
    code, shown, _ = await as_root("person", "show", "root", "--json")
    assert json.loads(shown)["reach"][0]["forwards"] == []


async def test_calls_are_sent_on_to_extensions_of_the_house_alone(
    clinic: Clinic, as_root: Command
) -> None:
    own = await privileges.extension(clinic, clinic.members["root"])

    code, _, error = await as_root("person", "forward", "root", "always", "5551234567")
    assert (code, "no outside line" in error) == (Exit.REFUSED, True)
    assert "5551234567" not in error
    code, _, error = await as_root("person", "forward", "root", "always", own)
    assert (code, "itself" in error) == (Exit.REFUSED, True)
    assert (await as_root("person", "forward", "root", "always", "anna"))[0] == Exit.USAGE
    past = ("--until", "2001-01-01")
    code, _, error = await as_root("person", "dnd", "root", "on", *past)
    assert (code, "future" in error) == (Exit.REFUSED, True)


async def test_how_many_calls_at_once(clinic: Clinic, as_root: Command) -> None:
    own = await privileges.extension(clinic, clinic.members["root"])

    assert (await as_root("person", "call-waiting", "me", "1", "--until", "+4h"))[0] == Exit.DONE
    _, shown, _ = await as_root("person", "show", "root")
    assert f"{own} calls at once" in shown
    assert "1 until" in shown
    _, shown, _ = await as_root("person", "show", "root", "--json")
    assert json.loads(shown)["reach"][0]["most_calls"] == 1
    assert (await as_root("person", "call-waiting", "root", "off"))[0] == Exit.DONE
    _, shown, _ = await as_root("person", "show", "root", "--json")
    assert json.loads(shown)["reach"][0]["most_calls"] is None
    for wrong in ("0", "51", "many", "1000000"):
        assert (await as_root("person", "call-waiting", "me", wrong))[0] == Exit.USAGE
    both = {"setting": "busy", "is_on": True, "number": own, "most_calls": 1}
    root = await clinic.present(clinic.members["root"])
    refused = await clinic.ask(root, "POST", "/v1/own/reach", both)
    assert (refused.status_code, "limit" in refused.text) == (403, True)


async def test_undo_of_ones_own_settings_and_of_an_extensions(
    clinic: Clinic, as_root: Command
) -> None:
    own = await privileges.extension(clinic, clinic.members["root"])
    other = await privileges.extension(clinic)
    await as_root("person", "forward", "me", "busy", other)
    await as_root("person", "dnd", "me", "on")

    async def reach() -> tuple[bool, int]:
        _, shown, _ = await as_root("person", "show", "root", "--json")
        [found] = json.loads(shown)["reach"]
        return found["do_not_disturb"], len(found["forwards"])

    assert await reach() == (True, 1)
    assert (await as_root("undo", own, "--yes"))[0] == Exit.DONE
    assert await reach() == (False, 1)
    code, _, error = await as_root("undo", own, "--yes")
    assert (code, "no setting left" in error) == (Exit.REFUSED, True)
    await as_root("person", "forward", "me", "busy", "off")
    assert (await as_root("undo", "me"))[0] == Exit.DONE
    assert await reach() == (False, 1)
    code, shown, _ = await as_root("history", "extension", own, "--json")
    undone = [change for change in json.loads(shown) if change["action"] == "reach.undone"]
    assert [len(change["after"]["forwards"]) for change in undone] == [1, 1]
