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
