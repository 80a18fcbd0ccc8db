"""`pbx calls` and `pbx call`: what is up, what was, and how it was protected."""

from typing import Annotated
from uuid import UUID

import typer

from pbx.admin.wire.calls import CallSummary, CallView, HungUp, LiveCall, PartiesView
from pbx.cli import call_test, receipt
from pbx.cli.live import WatchOption, draw
from pbx.cli.moments import shown
from pbx.cli.output import (
    CommandError,
    DataOption,
    Exit,
    JsonOption,
    YesOption,
    as_json,
    as_table,
    confirm,
    say,
)
from pbx.cli.session import signed_in

app = typer.Typer(no_args_is_help=True, help="Calls: records, receipts, hanging up, testing.")

CallArgument = Annotated[UUID, typer.Argument(help="From `pbx calls` or `pbx call list`.")]


def calls(watch: WatchOption = False, data: DataOption = None, json: JsonOption = False) -> None:
    """Show the calls that are up; no number, no name of a person.

    Example: pbx calls --watch
    """
    with signed_in(data) as client:

        def once() -> None:
            found = client.get("/v1/calls", list[LiveCall])
            as_json(found) if json else _live(found)

        draw(once, watch=watch)


def _live(found: list[LiveCall]) -> None:
    as_table(
        ("CALL", "ROUTE", "STATE", "SINCE", "PHONES"),
        ((c.id, c.route, c.state, shown(c.started_at), ", ".join(c.phones)) for c in found),
        title=f"{len(found)} calls",
    )


@app.command("list")
def list_(
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=500, help="How many.")] = 20,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """List calls that are over, newest first; no number, no name.

    Example: pbx call list -n 50
    """
    with signed_in(data) as client:
        found = client.get("/v1/call-records", list[CallSummary], limit=count)
    if json:
        as_json(found)
        return
    as_table(
        ("CALL", "BEGAN", "SECONDS", "ROUTE", "OUTCOME", "CAUSE"),
        (
            (c.id, shown(c.started_at), receipt.seconds(c), c.route, c.outcome, c.cause)
            for c in found
        ),
    )


@app.command()
def show(
    call: CallArgument,
    parties: Annotated[
        bool, typer.Option("--parties", help="Also who spoke with whom; recorded by itself.")
    ] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show one call with the encryption receipt of each leg; the reading is recorded.

    Example: pbx call show 0197f0e2-0000-7000-8000-000000000000
    """
    with signed_in(data) as client:
        found = client.get(f"/v1/call-records/{call}", CallView)
        spoke = None
        if parties:
            spoke = client.get(f"/v1/call-records/{call}/parties", PartiesView)
    if json:
        as_json({"call": found, "parties": spoke.parties if spoke else None})
        return
    receipt.show(found)
    if spoke is not None:
        _parties(spoke)


def _parties(spoke: PartiesView) -> None:
    found = spoke.parties
    if found is None:
        say("Who spoke with whom was not kept: there was no records key then.")
        return
    caller = " ".join(word for word in (found.caller_number, found.caller_name) if word)
    callee = " ".join(word for word in (found.dialled, found.callee_name) if word)
    as_table(("CALLER", "DIALLED"), [(caller, callee)])
    if found.transfers:
        rows = [(one.kind, one.number, str(one.by), str(one.status)) for one in found.transfers]
        as_table(("TRANSFER", "TO", "BY PHONE", "STATUS"), rows)


app.command("test")(call_test.test)


@app.command()
def hangup(
    call: CallArgument,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Hang up a call.

    Example: pbx call hangup 0197f0e2-0000-7000-8000-000000000000
    """
    confirm("Two people may be speaking. Hang up?", yes=yes)
    with signed_in(data) as client:
        answer = client.send("DELETE", f"/v1/calls/{call}", HungUp)
    if json:
        as_json(answer)
    elif answer.was_live:
        say("The call is over.")
    else:
        raise CommandError("There was no such call any more.", Exit.FOUND)
