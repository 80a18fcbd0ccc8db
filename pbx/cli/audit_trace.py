"""`pbx audit who-heard` and `who-could`: one message, its listeners and whoever could be one."""

from typing import Annotated
from uuid import UUID

import typer

from pbx.admin.wire.audit import AccessView, CouldView, HeardView, OpeningView
from pbx.cli.moments import exactly
from pbx.cli.output import DataOption, JsonOption, as_json, as_table, say
from pbx.cli.session import signed_in

MessageArgument = Annotated[UUID, typer.Argument(help="A message; `pbx audit search` shows them.")]
NOT_COMPARED = "note  the key holder's journal could not be read: this is the ledger's word alone"
COULD = ("WHO", "HOW", "FROM", "UNTIL", "BY THE", "WITH", "")
HEARD = ("WHEN", "WHO", "WHAT", "OUTCOME", "WHERE", "JOURNAL", "OPERATION")


def who_heard(message: MessageArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show every opening of a message, by ledger and key holder's journal together.

    Example: pbx audit who-heard 0197f0e2-0000-7000-8000-000000000000
    """
    with signed_in(data) as client:
        found = client.get(f"/v1/audit/messages/{message}/openings", HeardView)
    if json:
        as_json(found)
        return
    heard = sum(one.was_opened for one in found.openings)
    say(f"Left {exactly(found.received_at)}, now {found.state}; opened {heard} times.")
    show_openings(found.openings)
    for copy in found.copies:
        say(f"forwarded as {copy}: ask about it as well")
    if not found.is_compared:
        say(NOT_COMPARED)


def who_could(message: MessageArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show who could hear a message while it was there: owner, members, break-glass.

    Example: pbx audit who-could 0197f0e2-0000-7000-8000-000000000000
    """
    with signed_in(data) as client:
        found = client.get(f"/v1/audit/messages/{message}/access", CouldView)
    if json:
        as_json(found)
        return
    say(f"From {exactly(found.since)} until {exactly(found.until)}; nobody else:")
    show_access(found.access)
    if not found.is_compared:
        say(NOT_COMPARED)


def show_openings(openings: list[OpeningView]) -> None:
    as_table(
        HEARD,
        (
            (
                exactly(one.at), one.login or one.person or "nobody", one.action,
                f"{one.outcome}, break-glass" if one.by_break_glass else one.outcome,
                one.phone or one.device or one.place, one.journal, one.operation,
            )
            for one in openings
        ),
    )  # fmt: skip


def show_access(access: list[AccessView]) -> None:
    as_table(
        COULD,
        (
            (
                one.login or one.person, one.how, exactly(one.since),
                "" if one.until is None else exactly(one.until), one.source,
                one.approver_login or one.approver,
                "" if one.had_role else "had no role that hears messages",
            )
            for one in access
        ),
    )  # fmt: skip
