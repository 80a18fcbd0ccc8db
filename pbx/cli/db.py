"""`pbx db`: bring the database's schema up to date, or say where it is. Works on its own."""

import typer

from certs.owner import acting_as_owner_of
from pbx.cli.local_store import LocalStore, failures_as_sentences
from pbx.cli.output import DataOption, Exit, JsonOption, as_json, say
from storage import schema

app = typer.Typer(no_args_is_help=True, help="Upgrade the database and show its schema.")


@app.command()
def upgrade(data: DataOption = None, json: JsonOption = False) -> None:
    """Bring the schema up to date; nothing happens if it is.

    On PostgreSQL this uses [storage] owner_url and gives the role of url its rights.
    Example: pbx db upgrade
    """
    store = LocalStore.of(data)
    with failures_as_sentences(), acting_as_owner_of(store.layout.database):
        status = schema.upgrade(store.owner, store.service_role)
    if json:
        as_json({"present": status.present, "wanted": status.wanted})
    else:
        say(f"The database schema is {status.present}, which is current.")


@app.command("status")
def show(data: DataOption = None, json: JsonOption = False) -> None:
    """Show the schema of the database and the one this program wants; exit 1 if they differ.

    Example: pbx db status --json
    """
    store = LocalStore.of(data)
    with failures_as_sentences(), acting_as_owner_of(store.layout.database):
        status = schema.status_of(store.service)
    if json:
        as_json(
            {
                "present": status.present,
                "wanted": status.wanted,
                "is_current": status.is_current,
                "engine": store.service.get_backend_name(),
            }
        )
    else:
        say(f"Schema present: {status.present or 'none'}, wanted: {status.wanted}.")
        if not status.is_known:
            say("The database belongs to a newer version of this program.")
        elif not status.is_current:
            say("Run: pbx db upgrade")
    if not status.is_current:
        raise typer.Exit(Exit.FOUND)
