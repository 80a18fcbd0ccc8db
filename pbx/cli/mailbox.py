"""`pbx mailbox`: shared mailboxes, and who may open whose."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.mailboxes import MailboxView
from pbx.admin.wire.voicemail import RetentionView
from pbx.cli.client import AdminClient
from pbx.cli.moments import UntilOption, shown, until
from pbx.cli.output import DataOption, JsonOption, YesOption, as_json, as_table, confirm, say
from pbx.cli.person import logins_of, person_of
from pbx.cli.proofs import Desk, tell
from pbx.cli.session import signed_in
from storage.identifiers import new_id, system_clock
from storage.keyholder import acts

app = typer.Typer(no_args_is_help=True, help="Mailboxes: make shared ones, show them, members.")
member = typer.Typer(no_args_is_help=True, help="Who besides the owner may open a mailbox.")
app.add_typer(member, name="member")

MailboxArgument = Annotated[str, typer.Argument(help="A shared mailbox's label, or identifier.")]
WhoArgument = Annotated[str, typer.Argument(help="A log-in name; with --own an identifier.")]
OwnOption = Annotated[bool, typer.Option("--own", help="It is your own mailbox: you decide alone.")]


@app.command("list")
def list_(own: OwnOption = False, data: DataOption = None, json: JsonOption = False) -> None:
    """List open mailboxes and their members; with --own yours alone.

    Example: pbx mailbox list
    """
    with signed_in(data) as client:
        found = client.get("/v1/own/mailboxes" if own else "/v1/mailboxes", list[MailboxView])
        logins = {} if json or own else logins_of(client)
    as_json(found) if json else _table(found, logins)


@app.command()
def show(mailbox: MailboxArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show one mailbox and its members.

    Example: pbx mailbox show "billing questions"
    """
    with signed_in(data) as client:
        found = _found(client, mailbox)
        logins = {} if json else logins_of(client)
    as_json(found) if json else _table([found], logins)


@app.command()
def add(
    label: Annotated[str, typer.Argument(help="What it is called.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make a shared mailbox. Nobody opens it until it has members.

    Example: pbx mailbox add "billing questions"
    """
    desk = Desk.signed_in(data)
    with desk.client:
        mailbox, tenure = new_id(system_clock), new_id(system_clock)
        act = acts.OpenTenure(mailbox=mailbox, tenure=tenure, owner=None)
        body = {"id": mailbox, "tenure": tenure, "label": label}
        answer, _ = desk.perform("/v1/mailboxes", act, body)
    tell(answer, "The mailbox is made; add its members.", json=json)


@app.command()
def rename(
    mailbox: MailboxArgument,
    label: Annotated[str, typer.Argument(help="What it is called from now on.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Rename a shared mailbox.

    Example: pbx mailbox rename "billing questions" "billing"
    """
    with signed_in(data) as client:
        found = _found(client, mailbox)
        body = {"version": found.version, "name": label}
        answer = client.post(f"/v1/mailboxes/{found.id}/name", Changed, body)
    as_json(answer) if json else say("The mailbox is renamed.")


@app.command()
def close(
    mailbox: MailboxArgument,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Close a shared mailbox, or one that belongs to no number any more; nobody opens it then.

    Example: pbx mailbox close "billing questions"
    """
    confirm("Nobody opens it after that. Close this mailbox?", yes=yes)
    desk = Desk.signed_in(data)
    with desk.client:
        found = _found(desk.client, mailbox)
        path = f"/v1/mailboxes/{found.id}/closing"
        answer, _ = desk.perform(path, acts.CloseTenure(mailbox=found.id))
    tell(answer, "The mailbox is closed.", json=json)


@app.command()
def retention(
    mailbox: Annotated[UUID, typer.Argument(help="From `pbx mailbox list`.")],
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=3650, help="After it was heard.")
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="As the policies say.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show or set how long a mailbox keeps messages that were heard.

    Example: pbx mailbox retention 0198c0de-0000-7000-8000-000000000000 --days 30
    """
    path = f"/v1/mailboxes/{mailbox}/retention"
    with signed_in(data) as client:
        found = client.get(path, RetentionView)
        if days is None and not default:
            as_json(found) if json else say(_kept(found.days))
            return
        body = {"version": found.version, "days": None if default else days}
        answer = client.send("PUT", path, Changed, body=body)
    as_json(answer) if json else say(_kept(None if default else days))


def _kept(days: int | None) -> str:
    return "As the policies say." if days is None else f"{days} days after they were heard."


@member.command("add")
def add_member(
    mailbox: MailboxArgument,
    who: WhoArgument,
    until_: UntilOption = None,
    own: OwnOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let somebody open a mailbox, under their own name. Takes a second person.

    Example: pbx mailbox member add "billing questions" anna
    """
    end = until(until_)
    desk = Desk.signed_in(data)
    with desk.client:
        box, person = _ends(desk.client, mailbox, who, own=own)
        start = system_clock()
        act = acts.AddMember(mailbox=box, person=person, start=start, until=end)
        body = {"person": person, "start": start, "until": end}
        answer, _ = desk.perform(_members(box, own=own), act, body)
    tell(answer, "Added.", json=json)


@member.command("remove")
def remove_member(
    mailbox: MailboxArgument,
    who: WhoArgument,
    own: OwnOption = False,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """End a membership at once.

    Example: pbx mailbox member remove "billing questions" anna
    """
    confirm("They can no longer open the mailbox. Remove the member?", yes=yes)
    desk = Desk.signed_in(data)
    with desk.client:
        box, person = _ends(desk.client, mailbox, who, own=own)
        act = acts.RemoveMember(mailbox=box, person=person)
        path = f"{_members(box, own=own)}/removal"
        answer, _ = desk.perform(path, act, {"person": person})
    tell(answer, "Removed.", json=json)


def _found(client: AdminClient, mailbox: str) -> MailboxView:
    return client.get(f"/v1/mailboxes/{quote(mailbox, safe='')}", MailboxView)


def _ends(client: AdminClient, mailbox: str, who: str, *, own: bool) -> tuple[UUID, UUID]:
    """Owners name both by identifier: they may look neither people nor mailboxes up."""
    if own:
        return _identifier(mailbox), _identifier(who)
    return _found(client, mailbox).id, person_of(client, who).id


def _identifier(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter("With --own, mailbox and person are identifiers.") from None


def _members(mailbox: UUID, *, own: bool) -> str:
    return f"/v1{'/own' if own else ''}/mailboxes/{mailbox}/members"


def _table(found: list[MailboxView], logins: dict[UUID, str]) -> None:
    as_table(
        ("MAILBOX", "LABEL", "OWNER", "SINCE", "MEMBERS"),
        (
            (
                box.id,
                box.label or "",
                "shared" if box.owner is None else logins.get(box.owner, str(box.owner)),
                shown(box.opened_at),
                ", ".join(logins.get(m.person, str(m.person)) for m in box.members),
            )
            for box in found
        ),
    )
