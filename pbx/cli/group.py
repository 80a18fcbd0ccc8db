"""`pbx group`: numbers at which several people ring."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.groups import GroupView, MemberView
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
    say,
)
from pbx.cli.person import logins_of
from pbx.cli.session import signed_in
from storage.groups import Strategy
from storage.identifiers import new_id, system_clock

app = typer.Typer(no_args_is_help=True, help="Ring groups: add, set, members, remove.")
members = typer.Typer(no_args_is_help=True, help="Members of a ring group: add, remove.")
app.add_typer(members, name="member")

NONE = "none"
NumberArgument = Annotated[str, typer.Argument(help="The group's number.")]
WhoArgument = Annotated[str, typer.Argument(help="An extension, or a log-in name.")]
StrategyOption = Annotated[
    Strategy | None, typer.Option(help="Who rings: all, one after another, or by round.")
]
SecondsOption = Annotated[
    int | None, typer.Option("--ring-seconds", help="How long all ring, or each of them.")
]
MailboxOption = Annotated[
    str | None,
    typer.Option(
        "--mailbox",
        metavar="LABEL|NUMBER|none",
        help="Where a message is left when nobody answers: a shared mailbox, or somebody's.",
    ),
]
OnwardOption = Annotated[
    str | None,
    typer.Option(
        "--onward", metavar="NUMBER|none", help="The extension or group that rings then, before."
    ),
]


@app.command()
def add(
    number: NumberArgument,
    name: Annotated[str, typer.Argument(help="Shown on the phones that ring.")],
    strategy: StrategyOption = None,
    ring_seconds: SecondsOption = None,
    mailbox: MailboxOption = None,
    onward: OnwardOption = None,
    until_: UntilOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make a ring group. After --until nobody rings; calls go where they go when nobody answers.

    Example: pbx group add 2000 "Front desk" --strategy by-round --mailbox "Front desk"
    """
    settings = _settings(strategy, ring_seconds, mailbox, onward, until_)
    body = {"id": new_id(system_clock), "number": number, "name": name, **settings}
    with signed_in(data) as client:
        answer = client.post("/v1/groups", Changed, body)
    _done(answer, f"The group is made. Next: pbx group member add {number} NUMBER", json=json)


@app.command("list")
def list_(data: DataOption = None, json: JsonOption = False) -> None:
    """List all ring groups.

    Example: pbx group list
    """
    with signed_in(data) as client:
        found = client.get("/v1/groups", list[GroupView])
    if json:
        as_json(found)
        return
    as_table(
        ("NUMBER", "NAME", "RINGS", "SECONDS", "MEMBERS", "THEN", "UNTIL"),
        (
            (g.number, g.name, g.strategy, g.ring_seconds, len(g.members), _then(g), shown(g.until))
            for g in found
        ),
    )


@app.command()
def show(number: NumberArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show one ring group with its members.

    Example: pbx group show 2000
    """
    with signed_in(data) as client:
        found = _found(client, number)
        logins = {} if json else logins_of(client)
    if json:
        as_json(found)
        return
    until_ = f", until {shown(found.until)}" if found.until is not None else ""
    say(f"{found.number}  {found.name}: {found.strategy}, {found.ring_seconds} s{until_}")
    say(f"When nobody answers: {_then(found)}")
    as_table(
        ("MEMBER", "DELAY", "UNTIL"),
        ((_name(member, logins), member.delay, shown(member.until)) for member in found.members),
    )


@app.command("set")
def set_(
    number: NumberArgument,
    name: Annotated[str | None, typer.Option(help="Shown on the phones that ring.")] = None,
    strategy: StrategyOption = None,
    ring_seconds: SecondsOption = None,
    mailbox: MailboxOption = None,
    onward: OnwardOption = None,
    until_: UntilOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Change a ring group; what is left out stays as it is.

    Example: pbx group set 2000 --ring-seconds 30 --onward 1005
    """
    settings = _settings(strategy, ring_seconds, mailbox, onward, until_)
    if name is not None:
        settings["name"] = name
    with signed_in(data) as client:
        body = {"version": _found(client, number).version, **settings}
        if not settings:
            raise CommandError("Say what is to change: see pbx group set --help.", Exit.USAGE)
        answer = client.post(_path(number, "/settings"), Changed, body)
    _done(answer, "The group is changed.", json=json)


@app.command()
def remove(
    number: NumberArgument,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a ring group; `pbx undo` brings it back.

    Example: pbx group remove 2000
    """
    confirm("Remove the group?", yes=yes)
    with signed_in(data) as client:
        version = _found(client, number).version
        answer = client.send("DELETE", _path(number), Changed, query={"version": version})
    _done(answer, "The group is removed; its number is free.", json=json)


@members.command("add")
def add_member(
    number: NumberArgument,
    who: WhoArgument,
    delay: Annotated[int, typer.Option(help="Seconds before this member rings.")] = 0,
    until_: UntilOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Add a member, as the last one: an extension, or a person at every phone of theirs.

    Example: pbx group member add 2000 1002 --delay 10 --until +8h
    """
    with signed_in(data) as client:
        body = {"version": _found(client, number).version, "who": who, "delay": delay}
        body["until"] = until(until_)
        answer = client.post(_path(number, "/members"), Changed, body)
    _done(answer, "The group has one more member.", json=json)


@members.command("remove")
def remove_member(
    number: NumberArgument,
    who: WhoArgument,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a member.

    Example: pbx group member remove 2000 1002
    """
    with signed_in(data) as client:
        body = {"version": _found(client, number).version, "who": who}
        answer = client.post(_path(number, "/members/removal"), Changed, body)
    _done(answer, "The group has one member less.", json=json)


def undo_group(client: AdminClient, number: str, version: int) -> Changed:
    """For `pbx undo`."""
    return client.post(_path(number, "/undoing"), Changed, {"version": version})


def _settings(
    strategy: Strategy | None,
    ring_seconds: int | None,
    mailbox: str | None,
    onward: str | None,
    until_: UntilOption,
) -> dict[str, object]:
    given = {
        "strategy": strategy,
        "ring_seconds": ring_seconds,
        "mailbox": mailbox,
        "onward": onward,
        "until": until(until_),
    }
    return {
        name: None if value == NONE else value for name, value in given.items() if value is not None
    }


def _done(answer: Changed, sentence: str, *, json: bool) -> None:
    as_json(answer) if json else say(sentence)


def _found(client: AdminClient, number: str) -> GroupView:
    return client.get(_path(number), GroupView)


def _path(number: str, verb: str = "") -> str:
    return f"/v1/groups/{quote(number, safe='')}{verb}"


def _then(group: GroupView) -> str:
    then = [f"{group.onward} rings"] if group.onward is not None else []
    if group.mailbox is not None:
        then.append("a message is taken")
    return ", then ".join(then) or "the caller is told so"


def _name(member: MemberView, logins: dict[UUID, str]) -> str:
    if member.person is not None:
        return logins.get(member.person, str(member.person))
    return member.number or ""
