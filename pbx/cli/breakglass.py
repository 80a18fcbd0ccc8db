"""`pbx breakglass`: somebody else's mailbox for half an hour, by two people, and nobody alone."""

from contextlib import suppress
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import typer

from pbx.admin.wire.breakglass import GlassView, Named
from pbx.cli.approval import told_by, words_of
from pbx.cli.client import AdminClient
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
from pbx.cli.proofs import Desk, tell
from pbx.cli.session import signed_in
from storage.keyholder import acts

app = typer.Typer(
    no_args_is_help=True,
    help="Break-glass: somebody else's mailbox for half an hour, by two people.",
)

MailboxArgument = Annotated[
    str, typer.Argument(help="Its owner's log-in name, its number, label or identifier.")
]


@app.command()
def request(
    mailbox: MailboxArgument,
    reason: Annotated[str, typer.Option(help="Why it cannot wait; the approver reads it.")],
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Ask to open one mailbox for half an hour; a compliance officer or manager approves.

    Example: pbx breakglass request anna --reason "lab result for the patient in room 3"
    """
    desk = Desk.signed_in(data)
    with desk.client:
        named = _named(desk.client, mailbox)
        whose = f"the mailbox of {named.owner}" if named.owner else "this shared mailbox"
        confirm(f"Everything is recorded and the owner is told. Ask to open {whose}?", yes=yes)
        act = acts.BreakGlass(mailbox=named.mailbox, reason=reason)
        body = {"mailbox": named.mailbox, "reason": reason}
        answer, _ = desk.perform("/v1/break-glass", act, body)
    if json or answer.proposal is None:
        tell(answer, "Asked.", json=json)
        return
    say(f"Waits until {shown(answer.until)} for: pbx breakglass approve {answer.proposal}")


@app.command()
def approve(
    proposal: Annotated[UUID, typer.Argument(help="From `pbx breakglass list`.")],
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Approve with your own second factor: half an hour from now, this mailbox alone.

    Example: pbx breakglass approve 0197…
    """
    desk = Desk.signed_in(data)
    with desk.client:
        path = f"/v1/break-glass/{proposal}/approval"
        found = desk.client.get(path, GlassView)
        if found.statement is None:
            raise CommandError("The exchange shows nothing to approve.", Exit.REFUSED)
        told = told_by(desk, found.statement, proposal)
        words = words_of(told)
        if not json:
            say(*words)
        confirm("Open this mailbox for them now?" if not json else "; ".join(words), yes=yes)
        act = acts.Approve(proposal=proposal, digest=acts.digest(told.decoded()))
        answer, _ = desk.perform(path, act, {"digest": act.digest})
    tell(
        answer, "The mailbox is open for them for half an hour; a review item was made.", json=json
    )


@app.command("list")
def list_(data: DataOption = None, json: JsonOption = False) -> None:
    """List what is open, and what waits; your own unless you may approve.

    Example: pbx breakglass list
    """
    with signed_in(data) as client:
        found = _all(client)
    if json:
        as_json(found)
        return
    as_table(
        ("STATE", "WHO", "MAILBOX OF", "MAILBOX", "UNTIL", "PROPOSAL"),
        (
            (v.state, v.login, v.owner or "shared", v.mailbox, shown(v.until), v.proposal)
            for v in found
        ),
    )


@app.command()
def end(
    mailbox: MailboxArgument,
    who: Annotated[
        str, typer.Option("--who", help="Whose, by log-in name; yours if left out.")
    ] = "",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """End it before its time.

    Example: pbx breakglass end anna
    """
    desk = Desk.signed_in(data)
    with desk.client:
        views = _all(desk.client)
        found = [view for view in views if _is_meant(view, mailbox, who)]
        if not found:
            with suppress(CommandError):  # a number or label, to whoever may look it up
                named = str(_named(desk.client, mailbox).mailbox)
                found = [view for view in views if _is_meant(view, named, who)]
        if len(found) != 1:
            raise CommandError("Nothing of this is open; see: pbx breakglass list", Exit.USAGE)
        view = found[0]
        act = acts.EndBreakGlass(mailbox=view.mailbox, person=view.person)
        path = f"/v1/break-glass/{view.mailbox}/ending"
        answer, _ = desk.perform(path, act, {"person": view.person})
    tell(answer, "It is closed.", json=json)


def _is_meant(view: GlassView, mailbox: str, who: str) -> bool:
    is_mailbox = mailbox in (view.owner, str(view.mailbox))
    return view.state == "open" and is_mailbox and who in ("", view.login)


def _named(client: AdminClient, mailbox: str) -> Named:
    return client.get(f"/v1/break-glass/mailboxes/{quote(mailbox, safe='')}", Named)


def _all(client: AdminClient) -> list[GlassView]:
    return client.get("/v1/break-glass", list[GlassView])
