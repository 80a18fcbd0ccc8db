"""`pbx organisation`, `pbx site`, `pbx device site`, `pbx mailbox rename`, as people use them."""

import json

from pbx.cli.output import Exit
from tests.support import privileges
from tests.support.clinic import Clinic
from tests.support.command_line import Command


async def test_the_organisation_and_its_sites(clinic: Clinic, as_root: Command) -> None:
    code, shown, _ = await as_root("organisation", "show")
    assert (code, shown) == (Exit.DONE, "It has no name yet.\n")
    code, _, error = await as_root("site", "add", "Main Street")
    assert (code, "pbx organisation rename" in error) == (Exit.REFUSED, True)
    assert (await as_root("organisation", "rename", "Lakeside Clinic"))[0] == Exit.DONE
    assert (await as_root("organisation", "show"))[1] == "Lakeside Clinic\n"

    words = ("site", "add", "Main Street", "--location", "12 Main Street")
    assert (await as_root(*words))[0] == Exit.DONE
    assert (await as_root("site", "rename", "Main Street", "Old Town"))[0] == Exit.DONE
    assert (await as_root("site", "locate", "Old Town", "12 Main Street, floor 2"))[0] == Exit.DONE
    code, shown, _ = await as_root("site", "show", "Old Town")
    assert "12 Main Street, floor 2" in shown
    code, shown, _ = await as_root("site", "list", "--json")
    assert [one["name"] for one in json.loads(shown)] == ["Old Town"]

    label = await privileges.phone(clinic)
    assert (await as_root("device", "site", label, "Old Town"))[0] == Exit.DONE
    code, _, error = await as_root("site", "remove", "Old Town", "--yes")
    assert (code, "has phones" in error) == (Exit.REFUSED, True)
    assert (await as_root("device", "site", label, "none"))[0] == Exit.DONE
    assert (await as_root("site", "remove", "Old Town"))[0] == Exit.REFUSED
    assert (await as_root("site", "remove", "Old Town", "--yes"))[0] == Exit.DONE
    assert (await as_root("site", "show", "Old Town"))[0] == Exit.USAGE


async def test_history_knows_sites_and_mailboxes(clinic: Clinic, as_root: Command) -> None:
    name = await privileges.site(clinic)
    await as_root("site", "rename", name, "Harbour")
    code, shown, _ = await as_root("history", "site", "Harbour")
    assert (code, "site.changed" in shown) == (Exit.DONE, True)

    _, label = await privileges.shared(clinic)
    code, shown, error = await as_root("mailbox", "rename", label, "billing")
    assert (code, shown) == (Exit.DONE, "The mailbox is renamed.\n"), error
    code, shown, _ = await as_root("mailbox", "show", "billing", "--json")
    assert (json.loads(shown)["label"], json.loads(shown)["version"]) == ("billing", 2)
    code, shown, _ = await as_root("history", "mailbox", "billing")
    assert (code, "mailbox.renamed" in shown) == (Exit.DONE, True)
    for kind in ("site", "mailbox"):
        assert (await as_root("history", kind, "nothing"))[0] == Exit.USAGE


async def test_two_who_change_the_same_site_do_not_lose_a_change(
    clinic: Clinic, as_root: Command
) -> None:
    name, root = await privileges.site(clinic), clinic.members["root"]
    first = {"version": 1, "location": "floor 1"}
    await clinic.do(root, "POST", f"/v1/sites/{name}/location", first)

    late = {"version": 1, "location": "floor 9"}
    response = await clinic.ask(root, "POST", f"/v1/sites/{name}/location", late)

    assert response.status_code == 409
