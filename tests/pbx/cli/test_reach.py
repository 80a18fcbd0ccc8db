"""`pbx person dnd`, `pbx person forward`, and how `pbx person show` tells of them."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pbx.cli import main as cli
from pbx.cli.output import Exit
from tests.support import privileges
from tests.support.clinic import Clinic

Command = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def command(clinic: Clinic, capsys: Any, monkeypatch: Any, tmp_path: Any) -> Command:
    await clinic.found()
    monkeypatch.setenv("PBX_SESSION", str(tmp_path / "root"))

    async def run(*words: str) -> tuple[int, str, str]:
        root = await clinic.present(clinic.members["root"])
        (tmp_path / "root").write_text(root.token)
        (tmp_path / "root").chmod(0o600)
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        capsys.readouterr()
        code = await asyncio.to_thread(cli.run, [*words, "--data", str(clinic.layout.root)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


async def test_ones_own_settings(clinic: Clinic, command: Command) -> None:
    root = clinic.members["root"]
    code, _, error = await command("person", "dnd", "me", "on")
    assert (code, "holds no extension" in error) == (Exit.REFUSED, True)
    own = await privileges.extension(clinic, root)
    other = await privileges.extension(clinic)

    assert (await command("person", "dnd", "me", "on", "--until", "+2h"))[0] == Exit.DONE
    assert (await command("person", "forward", "me", "no-answer", other))[0] == Exit.DONE

    code, shown, _ = await command("person", "show", "root")
    assert f"{own} do-not-disturb" in shown
    assert f"to {other}" in shown
    code, shown, _ = await command("person", "show", "root", "--json")
    [reach] = json.loads(shown)["reach"]
    assert reach["forwards"] == [{"when": "no-answer", "number": other, "until": None}]
    code, shown, _ = await command("history", "extension", own, "--json")
    changes = [change for change in json.loads(shown) if change["action"] == "reach.changed"]
    assert [change["before"]["do_not_disturb"] for change in changes] == [False, True]
    assert other not in json.dumps(changes)

    assert (await command("person", "dnd", "me", "off"))[0] == Exit.DONE
    assert (await command("person", "forward", "me", "no-answer", "off"))[0] == Exit.DONE
    code, shown, _ = await command("person", "show", "root", "--json")
    assert json.loads(shown)["reach"][0]["forwards"] == []


async def test_calls_are_sent_on_to_extensions_of_the_house_alone(
    clinic: Clinic, command: Command
) -> None:
    own = await privileges.extension(clinic, clinic.members["root"])

    code, _, error = await command("person", "forward", "root", "always", "5551234567")
    assert (code, "no outside line" in error) == (Exit.REFUSED, True)
    assert "5551234567" not in error
    code, _, error = await command("person", "forward", "root", "always", own)
    assert (code, "itself" in error) == (Exit.REFUSED, True)
    assert (await command("person", "forward", "root", "always", "anna"))[0] == Exit.USAGE
    past = ("--until", "2001-01-01")
    code, _, error = await command("person", "dnd", "root", "on", *past)
    assert (code, "future" in error) == (Exit.REFUSED, True)
