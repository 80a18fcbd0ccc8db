"""`pbx audit search` and `what-did`: rows of the ledger, as a table, JSON or CSV."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import typer

from pbx.admin.wire.audit import DeedsView, RowsView, RowView, WordsView
from pbx.cli import audit_follow
from pbx.cli.audit_rows import COLUMNS, as_line, line_of
from pbx.cli.comma_separated import as_csv
from pbx.cli.moments import DayOption, FromOption, ToOption, exactly, span
from pbx.cli.output import (
    CommandError,
    DataOption,
    Exit,
    JsonOption,
    as_json,
    as_table,
    printable,
    say,
)
from pbx.cli.session import signed_in

CSV_COLUMNS = (
    "occurred", "recorded", "actor_kind", "actor", "actor_name", "session", "action", "outcome",
    "subject_kind", "subject", "subject_name", "before", "after", "operation", "writer", "sequence",
)  # fmt: skip

PersonOption = Annotated[
    str, typer.Option("--person", help="Who did it, or to whom it was done: a log-in name.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="A phone: its label.")]
MailboxOption = Annotated[
    str, typer.Option("--mailbox", help="A mailbox and its messages: a number, label or log-in.")
]
MessageOption = Annotated[UUID | None, typer.Option("--message", help="A message.")]
SubjectOption = Annotated[
    UUID | None, typer.Option("--subject", help="Anything else, by its identifier.")
]
ActionOption = Annotated[
    list[str] | None,
    typer.Option("--action", help="message.heard, or message for all of it; may be repeated."),
]
OutcomeOption = Annotated[str, typer.Option("--outcome", help="done, refused, failed or intended.")]
PageOption = Annotated[int, typer.Option("--page", min=1, max=1000, help="Rows of an answer.")]
AfterOption = Annotated[
    str, typer.Option("--after", help="Where the answer before this one ended.")
]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet.")]
NumberOption = Annotated[
    str, typer.Option("--number", help="Calls and messages of a telephone number; takes --reason.")
]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why a number is looked up; kept, and shown in review.")
]

FollowOption = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on showing new rows as they come.")
]


def search(
    person: PersonOption = "",
    device: DeviceOption = "",
    message: MessageOption = None,
    mailbox: MailboxOption = "",
    subject: SubjectOption = None,
    action: ActionOption = None,
    outcome: OutcomeOption = "",
    from_: FromOption = None,
    until: ToOption = None,
    day: DayOption = None,
    number: NumberOption = "",
    reason: ReasonOption = "",
    page: PageOption = 50,
    after: AfterOption = "",
    follow: FollowOption = False,
    csv: CsvOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Search the ledger, newest first; every search is itself recorded.

    With --follow: the newest rows last, then each new one as it comes, until Ctrl-C or until
    your session has idled out; --json prints one object a line.
    Example: pbx audit search --person anna --action message.heard --from 30d
    """
    if follow and (number or until or day or after or csv):
        raise CommandError(
            "--follow goes on into the future: leave --number, --until, --day, --after and --csv "
            "out.", Exit.USAGE,
        )  # fmt: skip
    if bool(number) != bool(reason):
        raise CommandError("A number is looked up with a reason: --number … --reason …", Exit.USAGE)
    body = asked(
        from_, until, day, page, after,
        person=person, device=device, mailbox=mailbox, message=message, subject=subject,
        action=action, outcome=outcome, number=number, reason=reason,
    )  # fmt: skip
    with signed_in(data) as client:
        if follow:
            audit_follow.follow(client, body, json=json)
            return
        path = "/v1/audit/number-search" if number else "/v1/audit/search"
        found = client.post(path, RowsView, body)
    show(found, json=json, csv=csv)


def words(
    writer: Annotated[str, typer.Argument(help="The first word of ROW in an answer.")],
    sequence: Annotated[int, typer.Argument(help="The number after it.", min=1)],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show what was sealed into one row: a reason, a note, a ticket's text; itself recorded.

    Example: pbx audit words exchange 1742
    """
    with signed_in(data) as client:
        path = f"/v1/audit/rows/{quote(f'{writer}:{sequence}', safe='')}/words"
        found = client.get(path, WordsView)
    as_json(found) if json else say(printable(found.words))


def what_did(
    person: Annotated[str, typer.Argument(help="A log-in name.")],
    from_: FromOption = None,
    until: ToOption = None,
    day: DayOption = None,
    page: PageOption = 50,
    after: AfterOption = "",
    csv: CsvOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show what one person did: counted, and row by row.

    Example: pbx audit what-did anna --day 2026-11-20
    """
    body = asked(from_, until, day, page, after)
    with signed_in(data) as client:
        found = client.post(f"/v1/audit/people/{quote(person, safe='')}/deeds", DeedsView, body)
    if json:
        as_json(found)
        return
    if not csv:
        as_table(
            ("ACT", "OUTCOME", "TIMES"), ((c.action, c.outcome, c.count) for c in found.counts)
        )
        say("")
    show(found.page, json=False, csv=csv)


def asked(
    from_: str | None, until: str | None, day: str | None, page: int, after: str, **parts: Any
) -> dict[str, Any]:
    """The body of a question; what was not said is left out."""
    since, end = span(from_, until, day)
    given = {"since": since, "until": end, "after": after, **parts}
    return {"page": page} | {
        name: value for name, value in given.items() if value not in (None, "")
    }


def show(found: RowsView, *, json: bool, csv: bool) -> None:
    if json:
        as_json(found)
        return
    if csv:
        as_csv(CSV_COLUMNS, (_cells(row) for row in found.rows))
        return
    as_table(COLUMNS, (line_of(row) for row in found.rows))
    if not found.rows:
        say("No row fits.")
    if found.hidden:
        say(f"note  {found.hidden}")
    if found.gone_before:
        day = exactly(found.gone_before)
        say(f"note  rows before {day} have moved off into files, where no search finds them")
    if found.not_indexed:
        say(
            f"note  {found.not_indexed} calls and messages of this time are in no index of "
            "numbers: the key holder was away in their hour"
        )
    if found.next:
        say(f"more  --after {found.next}")


def _cells(row: RowView) -> tuple[Any, ...]:
    return (
        exactly(row.occurred_at), exactly(row.recorded_at), row.actor_kind, row.actor,
        row.actor_name, row.session, row.action, row.outcome, row.subject_kind, row.subject,
        row.subject_name, as_line(row.before), as_line(row.after), row.operation, row.writer,
        row.sequence,
    )  # fmt: skip
