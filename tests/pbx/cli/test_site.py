"""`pbx organisation`, `pbx site`, `pbx device site`, `pbx mailbox rename`, as people use them."""

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


async def test_the_organisation_and_its_sites(clinic: Clinic, command: Command) -> None:
    code, shown, _ = await command("organisation", "show")
    assert (code, shown) == (Exit.DONE, "It has no name yet.\n")
    code, _, error = await command("site", "add", "Main Street")
    assert (code, "pbx organisation rename" in error) == (Exit.REFUSED, True)
    assert (await command("organisation", "rename", "Lakeside Clinic"))[0] == Exit.DONE
    assert (await command("organisation", "show"))[1] == "Lakeside Clinic\n"

    words = ("site", "add", "Main Street", "--location", "12 Main Street")
    assert (await command(*words))[0] == Exit.DONE
    assert (await command("site", "rename", "Main Street", "Old Town"))[0] == Exit.DONE
    assert (await command("site", "locate", "Old Town", "12 Main Street, floor 2"))[0] == Exit.DONE
    code, shown, _ = await command("site", "show", "Old Town")
    assert "12 Main Street, floor 2" in shown
    code, shown, _ = await command("site", "list", "--json")
    assert [one["name"] for one in json.loads(shown)] == ["Old Town"]

    label = await privileges.phone(clinic)
    assert (await command("device", "site", label, "Old Town"))[0] == Exit.DONE
    code, _, error = await command("site", "remove", "Old Town", "--yes")
    assert (code, "has phones" in error) == (Exit.REFUSED, True)
    assert (await command("device", "site", label, "none"))[0] == Exit.DONE
    assert (await command("site", "remove", "Old Town"))[0] == Exit.REFUSED
    assert (await command("site", "remove", "Old Town", "--yes"))[0] == Exit.DONE
    assert (await command("site", "show", "Old Town"))[0] == Exit.USAGE


async def test_history_knows_sites_and_mailboxes(clinic: Clinic, command: Command) -> None:
    name = await privileges.site(clinic)
    await command("site", "rename", name, "Harbour")
    code, shown, _ = await command("history", "site", "Harbour")
    assert (code, "site.changed" in shown) == (Exit.DONE, True)

    _, label = await privileges.shared(clinic)
    code, shown, error = await command("mailbox", "rename", label, "billing")
    assert (code, shown) == (Exit.DONE, "The mailbox is renamed.\n"), error
    code, shown, _ = await command("mailbox", "show", "billing", "--json")
    assert (json.loads(shown)["label"], json.loads(shown)["version"]) == ("billing", 2)
    code, shown, _ = await command("history", "mailbox", "billing")
    assert (code, "mailbox.renamed" in shown) == (Exit.DONE, True)
    for kind in ("site", "mailbox"):
        assert (await command("history", kind, "nothing"))[0] == Exit.USAGE


async def test_two_who_change_the_same_site_do_not_lose_a_change(
    clinic: Clinic, command: Command
) -> None:
    name, root = await privileges.site(clinic), clinic.members["root"]
    first = {"version": 1, "location": "floor 1"}
    await clinic.do(root, "POST", f"/v1/sites/{name}/location", first)

    late = {"version": 1, "location": "floor 9"}
    response = await clinic.ask(root, "POST", f"/v1/sites/{name}/location", late)

    assert response.status_code == 409
