"""`pbx audit scope`: how far a breach may have gone."""

from typing import Annotated

import typer

from pbx.admin.wire.audit import ScopeView
from pbx.cli.audit_trace import NOT_COMPARED, show_access, show_openings
from pbx.cli.moments import DayOption, FromOption, ToOption, exactly, span
from pbx.cli.output import CommandError, DataOption, Exit, JsonOption, as_json, as_table, say
from pbx.cli.session import signed_in


def scope(
    person: Annotated[str, typer.Option("--person", help="Whose account: a log-in name.")] = "",
    device: Annotated[str, typer.Option("--device", help="Which phone: its label.")] = "",
    mailbox: Annotated[
        str, typer.Option("--mailbox", help="Which mailbox: a number, label or log-in.")
    ] = "",
    from_: FromOption = None,
    until: ToOption = None,
    day: DayOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show how far a breach may have gone: who could, who did, from where, what was out of reach.

    Example: pbx audit scope --device "exam 2" --from 2026-11-20T18:00 --until 2026-11-21T08:00
    """
    since, end = span(from_, until, day)
    parts = {"person": person, "device": device, "mailbox": mailbox}
    if since is None or sum(map(bool, parts.values())) != 1:
        raise CommandError(
            "Say one of --person, --device and --mailbox, and --from or --day.", Exit.USAGE
        )
    body = {name: what for name, what in parts.items() if what} | {"since": since, "until": end}
    with signed_in(data) as client:
        found = client.post("/v1/audit/scope", ScopeView, body)
    as_json(found) if json else _show(found)


def _show(found: ScopeView) -> None:
    say(f"From {exactly(found.since)} until {exactly(found.until)}.", "", "WHO COULD")
    show_access(found.could)
    reach = sum(one.messages for one in found.within_reach)
    say("", f"{len(found.within_reach)} mailboxes with {reach} messages were within reach.")
    say("", "WHO DID")
    show_openings(found.did)
    say("", "FROM WHERE")
    as_table(
        ("KIND", "PLACE", "FIRST", "LAST", "TIMES"),
        ((p.kind, p.place, exactly(p.first_at), exactly(p.last_at), p.count) for p in found.places),
    )
    say("", "WHAT ELSE")
    as_table(("ACT", "OUTCOME", "TIMES"), ((c.action, c.outcome, c.count) for c in found.other))
    say(
        "",
        f"Out of reach: {found.beyond_mailboxes} mailboxes with {found.beyond_messages} messages; "
        f"{found.beyond}.",
    )
    if not found.is_compared:
        say(NOT_COMPARED)
