"""`pbx exceptions`: rules that are relaxed for somebody, for a time."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.phones import DeviceView, Granted
from pbx.admin.wire.rules import ExceptionView
from pbx.cli import phone_sheet
from pbx.cli.moments import moment, shown
from pbx.cli.output import DataOption, JsonOption, YesOption, as_json, as_table, confirm, say
from pbx.cli.person import person_of
from pbx.cli.session import signed_in
from storage.exceptions import ExceptionKind
from storage.identifiers import new_id, system_clock

app = typer.Typer(no_args_is_help=True, help="Exceptions: owner, reason, expiry.")


@app.command("list")
def list_(
    closed: Annotated[bool, typer.Option("--closed", help="Also what is over.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """List exceptions, soonest end first.

    Example: pbx exceptions list
    """
    with signed_in(data) as client:
        wanted = "true" if closed else None
        found = client.get("/v1/exceptions", list[ExceptionView], closed=wanted)
    if json:
        as_json(found)
        return
    as_table(
        ("EXCEPTION", "KIND", "FOR", "OWNER", "UNTIL", "REASON", ""),
        (
            (e.id, e.kind, e.subject, e.owner, shown(e.expires_at), e.reason, _closed(e))
            for e in found
        ),
    )


def _closed(exception: ExceptionView) -> str:
    return "" if exception.closed_at is None else "closed"


@app.command()
def grant(
    kind: Annotated[ExceptionKind, typer.Argument(help="The rule that is relaxed.")],
    subject: Annotated[str, typer.Argument(help="The phone's label, or the person's log-in.")],
    owner: Annotated[str, typer.Option(help="Who answers for it.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    until: Annotated[str, typer.Option(help="When it ends by itself, such as +30d.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Relax a rule for one phone or person, for a time.

    Example: pbx exceptions grant md5-device "old phone" --owner anna --reason "..." --until +30d
    """
    end = moment(until)
    with signed_in(data) as client:
        if kind is ExceptionKind.MD5_DEVICE:
            about = client.get(f"/v1/devices/{quote(subject, safe='')}", DeviceView).id
        else:
            about = person_of(client, subject).id
        body = {
            "id": new_id(system_clock),
            "kind": kind,
            "subject": about,
            "owner": person_of(client, owner).id,
            "reason": reason,
            "expires_at": end,
        }
        answer = client.post("/v1/exceptions", Granted, body)
    if json:
        as_json(answer)
        return
    say(f"In force until {shown(end)}.")
    if answer.phone is not None:
        phone_sheet.show(answer.phone)
        phone_sheet.say_what_next(answer.phone)


@app.command()
def close(
    exception: Annotated[UUID, typer.Argument(help="From `pbx exceptions list`.")],
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """End an exception early.

    Example: pbx exceptions close 0197…
    """
    confirm("Close this exception?", yes=yes)
    with signed_in(data) as client:
        answer = client.post(f"/v1/exceptions/{exception}/closing", Changed)
    as_json(answer) if json else say("The exception is closed.")
