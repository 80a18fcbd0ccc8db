"""`pbx device`: where each phone stands and which extension it rings for."""

from typing import Annotated
from urllib.parse import quote

import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.phones import DeviceView
from pbx.cli.output import DataOption, JsonOption, as_json, as_table, say
from pbx.cli.session import signed_in
from storage.devices import Place
from storage.identifiers import new_id, system_clock

app = typer.Typer(no_args_is_help=True, help="Phones: place them, assign them.")

LabelArgument = Annotated[str, typer.Argument(help="What the phone is called.")]


def _path(label: str, verb: str = "") -> str:
    return f"/v1/devices/{quote(label, safe='')}{verb}"


@app.command()
def add(
    label: LabelArgument,
    place: Annotated[Place, typer.Option(help="Where it stands.")] = Place.LOBBY,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make a phone known.

    Example: pbx device add "exam room 3" --place exam-room
    """
    with signed_in(data) as client:
        body = {"id": new_id(system_clock), "label": label, "place": place}
        answer = client.post("/v1/devices", Changed, body)
    as_json(answer) if json else say("The phone is known.")


@app.command("list")
def list_(data: DataOption = None, json: JsonOption = False) -> None:
    """List phones.

    Example: pbx device list
    """
    with signed_in(data) as client:
        found = client.get("/v1/devices", list[DeviceView])
    as_json(found) if json else _table(found)


@app.command()
def show(label: LabelArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show one phone.

    Example: pbx device show "exam room 3"
    """
    with signed_in(data) as client:
        found = client.get(_path(label), DeviceView)
    as_json(found) if json else _table([found])


def _table(found: list[DeviceView]) -> None:
    as_table(
        ("PHONE", "PLACE", "EXTENSION", "IDENTIFIER"),
        ((d.label, d.place, d.extension or "none", d.id) for d in found),
    )


@app.command()
def place(
    label: LabelArgument,
    place: Annotated[Place, typer.Argument(help="Where it stands now.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Say where a phone stands; that decides what it may show.

    Example: pbx device place "exam room 3" exam-room
    """
    with signed_in(data) as client:
        version = client.get(_path(label), DeviceView).version
        answer = client.post(_path(label, "/place"), Changed, {"version": version, "place": place})
    as_json(answer) if json else say("The phone is placed.")


@app.command()
def assign(
    label: LabelArgument,
    extension: Annotated[str, typer.Argument(help="A number, or `none`.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Say which extension a phone rings for.

    Example: pbx device assign "exam room 3" 1042
    """
    number = None if extension == "none" else extension
    with signed_in(data) as client:
        version = client.get(_path(label), DeviceView).version
        body = {"version": version, "extension": number}
        answer = client.post(_path(label, "/assignment"), Changed, body)
    as_json(answer) if json else say("The phone is assigned.")
