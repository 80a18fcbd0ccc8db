"""`pbx organisation`: what it is called."""

from typing import Annotated

import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.sites import OrganisationView
from pbx.cli.output import DataOption, JsonOption, as_json, say
from pbx.cli.session import signed_in

app = typer.Typer(no_args_is_help=True, help="The organisation: show and name it.")


@app.command()
def show(data: DataOption = None, json: JsonOption = False) -> None:
    """Show what the organisation is called.

    Example: pbx organisation show
    """
    with signed_in(data) as client:
        found = client.get("/v1/organisation", OrganisationView)
    as_json(found) if json else say(found.name or "It has no name yet.")


@app.command()
def rename(
    name: Annotated[str, typer.Argument(help="What it is called from now on.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Name the organisation.

    Example: pbx organisation rename "Lakeside Clinic"
    """
    with signed_in(data) as client:
        version = client.get("/v1/organisation", OrganisationView).version
        body = {"version": version, "name": name}
        answer = client.post("/v1/organisation/name", Changed, body)
    as_json(answer) if json else say("The organisation is renamed.")
