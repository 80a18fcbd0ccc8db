"""`pbx audit review`: what somebody should look at, its evidence, and signing it off."""

from typing import Annotated
from uuid import UUID

import typer

from pbx.admin.wire.audit import EvidenceView, ItemView
from pbx.admin.wire.fields import Changed
from pbx.cli.audit_rows import COLUMNS, line_of
from pbx.cli.moments import shown
from pbx.cli.output import CommandError, DataOption, Exit, JsonOption, as_json, as_table, say
from pbx.cli.session import signed_in

app = typer.Typer(no_args_is_help=True, help="Anomalies and samples: see them, sign them off.")
ItemArgument = Annotated[UUID, typer.Argument(help="From `pbx audit review list`.")]


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Also what is signed off.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """List what waits for somebody to look at it; exit 1 if something is overdue.

    Example: pbx audit review list
    """
    with signed_in(data) as client:
        found = client.get("/v1/audit/reviews", list[ItemView], all_items=str(all_).lower())
    if json:
        as_json(found)
    else:
        as_table(
            ("ITEM", "WHAT", "WHO", "SINCE", "DUE", "SIGNED OFF"), (_line(one) for one in found)
        )
    overdue = sum(one.is_overdue for one in found)
    if overdue:
        raise CommandError(f"{overdue} item(s) are overdue.", Exit.FOUND)


@app.command()
def show(item: ItemArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show one item and the rows it was found in.

    Example: pbx audit review show 0197f0e2-0000-7000-8000-000000000000
    """
    with signed_in(data) as client:
        found = client.get(f"/v1/audit/reviews/{item}", EvidenceView)
    if json:
        as_json(found)
        return
    one = found.item
    say(f"{one.kind}: {', '.join(one.logins) or 'nobody known'}")
    for name, value in sorted(one.facts.items()):
        say(f"  {name}: {value}")
    as_table(COLUMNS, (line_of(row) for row in found.rows))


@app.command("sign-off")
def sign_off(
    item: ItemArgument,
    note: Annotated[str, typer.Option("--note", help="What you saw; kept, sealed.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Say that you have looked, with your name and the time; not about yourself.

    Example: pbx audit review sign-off 0197f0e2-0000-7000-8000-000000000000 --note "On call."
    """
    with signed_in(data) as client:
        answer = client.post(f"/v1/audit/reviews/{item}/sign-off", Changed, {"note": note})
    as_json(answer) if json else say("It is signed off.")


def _line(one: ItemView) -> tuple[str, ...]:
    due = f"{shown(one.due_at)} OVERDUE" if one.is_overdue else shown(one.due_at)
    signed = f"{one.signed_by_login} {shown(one.signed_at)}" if one.signed_at else ""
    return (str(one.id), one.kind, ", ".join(one.logins), shown(one.opened_at), due, signed)
