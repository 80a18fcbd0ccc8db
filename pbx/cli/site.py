"""`pbx site`: the buildings phones stand in, and where help is sent."""

from typing import Annotated
from urllib.parse import quote

import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.sites import SiteView
from pbx.cli.client import AdminClient
from pbx.cli.output import DataOption, JsonOption, YesOption, as_json, as_table, confirm, say
from pbx.cli.session import signed_in
from storage.identifiers import new_id, system_clock

app = typer.Typer(no_args_is_help=True, help="Sites: add, list, show, rename, locate, remove.")

SiteArgument = Annotated[str, typer.Argument(help="A site's name or identifier.")]
NameArgument = Annotated[str, typer.Argument(help="What it is called.")]
LOCATION = "Where help is sent: street, floor, room."


@app.command()
def add(
    name: NameArgument,
    location: Annotated[str, typer.Option(help=LOCATION)] = "",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Add a site.

    Example: pbx site add "Main Street" --location "12 Main Street, 2nd floor"
    """
    body = {"id": new_id(system_clock), "name": name, "location": location}
    with signed_in(data) as client:
        answer = client.post("/v1/sites", Changed, body)
    as_json(answer) if json else say("The site is added.")


@app.command("list")
def list_(data: DataOption = None, json: JsonOption = False) -> None:
    """List all sites.

    Example: pbx site list
    """
    with signed_in(data) as client:
        found = client.get("/v1/sites", list[SiteView])
    as_json(found) if json else _table(found)


@app.command()
def show(site: SiteArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show one site.

    Example: pbx site show "Main Street"
    """
    with signed_in(data) as client:
        found = _found(client, site)
    as_json(found) if json else _table([found])


@app.command()
def rename(
    site: SiteArgument, name: NameArgument, data: DataOption = None, json: JsonOption = False
) -> None:
    """Rename a site.

    Example: pbx site rename "Main Street" "Main Street, old building"
    """
    answer = _change(site, "/name", {"name": name}, data)
    as_json(answer) if json else say("The site is renamed.")


@app.command()
def locate(
    site: SiteArgument,
    location: Annotated[str, typer.Argument(help=LOCATION)],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Say where help is sent for whoever calls from there.

    Example: pbx site locate "Main Street" "12 Main Street, 2nd floor, entrance B"
    """
    answer = _change(site, "/location", {"location": location}, data)
    as_json(answer) if json else say("The location is set.")


@app.command()
def remove(
    site: SiteArgument, yes: YesOption = False, data: DataOption = None, json: JsonOption = False
) -> None:
    """Remove a site without phones.

    Example: pbx site remove "Main Street"
    """
    confirm("Remove the site?", yes=yes)
    with signed_in(data) as client:
        version = _found(client, site).version
        answer = client.send("DELETE", _path(site), Changed, query={"version": version})
    as_json(answer) if json else say("The site is removed.")


def _change(site: str, verb: str, change: dict[str, str], data: DataOption) -> Changed:
    with signed_in(data) as client:
        body = {"version": _found(client, site).version, **change}
        return client.post(_path(site, verb), Changed, body)


def _found(client: AdminClient, site: str) -> SiteView:
    return client.get(_path(site), SiteView)


def _path(site: str, verb: str = "") -> str:
    return f"/v1/sites/{quote(site, safe='')}{verb}"


def _table(sites: list[SiteView]) -> None:
    as_table(
        ("SITE", "LOCATION", "PHONES", "ID"),
        ((site.name, site.location, site.devices, site.id) for site in sites),
    )
