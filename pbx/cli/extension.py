"""`pbx extension`: whose number it is; and `pbx undo`."""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.groups import LastChange
from pbx.admin.wire.isolation import Proof
from pbx.admin.wire.phones import ExtensionView, UndoView
from pbx.cli import group, reach
from pbx.cli.client import AdminClient
from pbx.cli.moments import UntilOption, shown, until
from pbx.cli.output import (
    CommandError,
    DataOption,
    Exit,
    JsonOption,
    YesOption,
    as_json,
    as_table,
    confirm,
    printable,
    say,
)
from pbx.cli.person import logins_of, person_of
from pbx.cli.proofs import Desk, tell
from pbx.cli.session import signed_in
from pbx.isolation.finding import Verdict
from storage.identifiers import new_id, system_clock
from storage.keyholder import acts

app = typer.Typer(no_args_is_help=True, help="Extensions: assign, release, show.")

NumberArgument = Annotated[str, typer.Argument(help="The number.")]


def _path(number: str, verb: str = "") -> str:
    return f"/v1/extensions/{quote(number, safe='')}{verb}"


def _all(client: AdminClient) -> list[ExtensionView]:
    return client.get("/v1/extensions", list[ExtensionView])


@app.command("list")
def list_(data: DataOption = None, json: JsonOption = False) -> None:
    """List extensions and their holders.

    Example: pbx extension list
    """
    with signed_in(data) as client:
        found = _all(client)
        logins = {} if json else logins_of(client)
    as_json(found) if json else _table(found, logins)


@app.command()
def show(number: NumberArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show one extension.

    Example: pbx extension show 1042
    """
    with signed_in(data) as client:
        found = client.get(_path(number), ExtensionView)
        logins = {} if json else logins_of(client)
    as_json(found) if json else _table([found], logins)


def _table(found: list[ExtensionView], logins: dict[UUID, str]) -> None:
    as_table(
        ("NUMBER", "HOLDER", "SINCE", "UNTIL"),
        (
            (e.number, logins.get(t.person), shown(t.started_at), shown(t.until))
            if (t := e.tenure)
            else (e.number, "nobody", "", "")
            for e in found
        ),
    )


@app.command()
def prove(number: NumberArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Try every path between the number's former holders and its present one.

    With two people who do not exist, on the running system, and leaving nothing behind; exit 1 if
    anything comes through. Example: pbx extension prove 1042
    """
    with signed_in(data) as client:
        proof = client.post(_path(number, "/isolation"), Proof)
    if json:
        as_json(proof)
    else:
        for found in proof.findings:
            say(f"{found.verdict.value:12}  {found.path}: {printable(found.evidence)}")
    broken = sum(found.verdict is Verdict.BROKEN for found in proof.findings)
    if broken:
        paths = "path is" if broken == 1 else "paths are"
        raise CommandError(f"{broken} {paths} NOT isolated.", Exit.FOUND)


@app.command()
def assign(
    number: NumberArgument,
    who: Annotated[str, typer.Argument(help="A log-in name or identifier.")],
    until_: UntilOption = None,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Give a number to a person: a new mailbox, an empty history. With --until it reverts itself.

    Example: pbx extension assign 1042 anna
    """
    end = until(until_)
    desk = Desk.signed_in(data)
    with desk.client:
        present = next((e for e in _all(desk.client) if e.number == number), None)
        if present is not None and present.tenure is not None:
            confirm("Somebody has this number; their mailbox closes. Go on?", yes=yes)
        person = person_of(desk.client, who).id
        tenure, mailbox = new_id(system_clock), new_id(system_clock)
        held = present.tenure if present is not None and end is None else None
        act = acts.OpenTenure(
            mailbox=mailbox,
            tenure=tenure,
            owner=person,
            until=end,
            closes=held.closes if held is not None else (),
        )
        body = {
            "person": person,
            "tenure": tenure,
            "mailbox": mailbox,
            "version": 0 if present is None else present.version,
            "until": end,
        }
        answer, _ = desk.perform(_path(number, "/assignment"), act, body)
    tell(answer, "The number is assigned.", json=json)


@app.command()
def release(
    number: NumberArgument,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Take a number from its holder; nobody has it then.

    Example: pbx extension release 1042
    """
    confirm("The holder's mailbox closes. Release the number?", yes=yes)
    desk = Desk.signed_in(data)
    with desk.client:
        found = desk.client.get(_path(number), ExtensionView)
        if found.tenure is None:
            raise CommandError("Nobody has this number.", Exit.USAGE)
        mailbox, *more = found.tenure.closes
        act = acts.CloseTenure(mailbox=mailbox, closes=tuple(more))
        answer, _ = desk.perform(_path(number, "/release"), act, {"version": found.version})
    tell(answer, "The number is free.", json=json)


class Of(StrEnum):
    """What is undone, where it is not simply the last change."""

    ASSIGNMENT = "assignment"
    SETTINGS = "settings"
    GROUP = "group"


def undo(
    number: Annotated[str, typer.Argument(help="An extension or a group; `me`: your settings.")],
    of: Annotated[Of | None, typer.Option(help="Not simply the last change.")] = None,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Undo the last change: whose a number is, what a group is, how somebody is reached.

    Example: pbx undo 1042
    """
    desk = Desk.signed_in(data)
    with desk.client:
        if number == "me":
            _undone(reach.undo_own(desk.client), json=json)
            return
        last = desk.client.get(_path(number, "/last-change"), LastChange)
        kind = last.kind if of is None else of.value
        if kind in (Of.SETTINGS, Of.GROUP):
            confirm(f"Undo the last change ({kind})?", yes=yes)
            settings = kind == Of.SETTINGS
            client = desk.client
            _undone(
                reach.undo_at(client, number)
                if settings
                else group.undo_group(client, number, last.version),
                json=json,
            )
            return
        found = desk.client.get(_path(number, "/undoing"), UndoView)
        holder = found.person or "nobody"
        confirm(f"The number goes back to {holder}. Undo the last change?", yes=yes)
        body: dict[str, object] = {"version": found.version, "mailbox": found.mailbox}
        answer, _ = desk.perform(_path(number, "/undoing"), _undoing(found), body)
    tell(answer, "The last change is undone.", json=json)


def _undone(answer: Changed, *, json: bool) -> None:
    as_json(answer) if json else say("The last change is undone.")


def _undoing(found: UndoView) -> acts.ReopenTenure | acts.CloseTenure:
    """What is proved: a mailbox opens again, or one closes and nothing opens that was closed."""
    if found.mailbox is not None:
        return acts.ReopenTenure(mailbox=found.mailbox, until=found.until, closes=found.closes)
    if not found.closes:
        raise CommandError("There is no change left that could be undone.", Exit.USAGE)
    return acts.CloseTenure(mailbox=found.closes[0], closes=found.closes[1:])
