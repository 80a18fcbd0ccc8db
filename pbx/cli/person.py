"""`pbx person`: who works here, and until when."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import msgspec
import typer

from pbx.access.policy import PersonKind
from pbx.admin.wire.fields import Changed
from pbx.admin.wire.people import Departure, PersonView
from pbx.admin.wire.sessions import WhoAmI
from pbx.cli import reach
from pbx.cli.client import AdminClient
from pbx.cli.moments import UntilOption, moment, shown, until
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
    warn,
)
from pbx.cli.proofs import Desk, tell
from pbx.cli.session import signed_in
from storage.identifiers import new_id, system_clock
from storage.keyholder import acts
from storage.keyholder.protocol import HalfCode

app = typer.Typer(no_args_is_help=True, help="People: add, show, suspend, and end their access.")

app.command()(reach.dnd)
app.command()(reach.forward)
app.command("call-waiting")(reach.call_waiting)

ME = "me"
AWAY = "The key holder is away: its part waits, and the exchange lets the person in no more."

WhoArgument = Annotated[str, typer.Argument(help="A log-in name or identifier.")]


def person_of(client: AdminClient, who: str) -> PersonView:
    if who == ME:
        who = str(client.get("/v1/session", WhoAmI).person)
    return client.get(f"/v1/people/{quote(who, safe='')}", PersonView)


def staying(client: AdminClient, who: str) -> PersonView:
    """Somebody who can be let in again: whoever left stays away."""
    found = person_of(client, who)
    if found.state == "left":
        raise CommandError("This person has left, for good; add them anew.", Exit.REFUSED)
    return found


def people_of(client: AdminClient) -> list[PersonView]:
    """Everybody, page by page."""
    found: list[PersonView] = []
    while page := client.get(
        "/v1/people", list[PersonView], after=str(found[-1].id) if found else None
    ):
        found += page
    return found


def logins_of(client: AdminClient) -> dict[UUID, str]:
    """Log-in names for tables, instead of identifiers."""
    return {person.id: person.login for person in people_of(client)}


def _path(who: str, verb: str) -> str:
    return f"/v1/people/{quote(who, safe='')}/{verb}"


@app.command()
def add(
    login: Annotated[str, typer.Argument(help="Small letters, digits, dot, hyphen.")],
    name: Annotated[str, typer.Argument(help="As colleagues know them.")],
    kind: Annotated[PersonKind, typer.Option(help="Temporary kinds need --until.")] = (
        PersonKind.STAFF
    ),
    until_: UntilOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Add a person. They enrol themselves with a one-time code: pbx person enrolment.

    Example: pbx person add jo "Jo Locum" --kind locum --until +30d
    """
    end = until(until_)
    desk = Desk.signed_in(data)
    with desk.client:
        person = new_id(system_clock)
        body = {"id": person, "login": login, "name": name, "kind": kind, "until": end}
        act = acts.AddPerson(person=person, login=login, until=end)
        answer, _ = desk.perform("/v1/people", act, body)
    tell(answer, f"Added. Next: pbx person enrolment {login}", json=json)


@app.command("list")
def list_(data: DataOption = None, json: JsonOption = False) -> None:
    """List everybody, with the roles they hold.

    Example: pbx person list --json
    """
    with signed_in(data) as client:
        found = people_of(client)
    if json:
        as_json(found)
        return
    as_table(
        ("LOG-IN", "NAME", "KIND", "STATE", "LAST ACTIVE", "UNTIL", "ROLES"),
        (
            (
                p.login,
                p.name,
                p.kind,
                p.state,
                shown(p.active_at),
                shown(p.until),
                " ".join(p.roles),
            )
            for p in found
        ),
    )


@app.command()
def show(who: WhoArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show one person.

    Example: pbx person show anna
    """
    with signed_in(data) as client:
        found = person_of(client, who)
        reached = reach.reach_of(client, who)
    if json:
        as_json({**msgspec.to_builtins(found), "reach": msgspec.to_builtins(reached)})
        return
    facts = {
        "identifier": found.id,
        "log-in": found.login,
        "name": found.name,
        "kind": found.kind,
        "state": found.state,
        "enrolled": "yes" if found.enrolled else "no",
        "roles": ", ".join(found.roles) or "none",
        "last active": shown(found.active_at),
        "until": shown(found.until),
        "ended": shown(found.ended_at),
        **reach.lines(reached),
    }
    as_table(("", ""), facts.items())


@app.command()
def rename(
    who: WhoArgument,
    name: Annotated[str, typer.Argument(help="The right name.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Correct a person's name.

    Example: pbx person rename anna "Anna Other"
    """
    with signed_in(data) as client:
        version = person_of(client, who).version
        answer = client.post(_path(who, "name"), Changed, {"version": version, "name": name})
    as_json(answer) if json else say("The name was changed.")


@app.command("end-date")
def end_date(
    who: WhoArgument,
    at: Annotated[str, typer.Argument(help="When, or `never` (staff only).")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Set when a person's access ends by itself. A later end waits for a second person.

    Example: pbx person end-date jo +14d
    """
    end = None if at == "never" else moment(at)
    desk = Desk.signed_in(data)
    with desk.client:
        found = person_of(desk.client, who)
        body: dict[str, object] = {"version": found.version, "until": end}
        act: acts.SetEnd | acts.Reinstate = acts.Reinstate(person=found.id, until=end)
        if end is not None and (found.until is None or end <= found.until):
            act = acts.SetEnd(person=found.id, until=end)
        answer, _ = desk.perform(_path(who, "end"), act, body)
    tell(answer, "The end was set.", json=json)


@app.command()
def suspend(
    who: WhoArgument, yes: YesOption = False, data: DataOption = None, json: JsonOption = False
) -> None:
    """Suspend a person at once; letting them back in takes two people.

    Example: pbx person suspend anna
    """
    confirm("Suspend this person now?", yes=yes)
    _evidence(_ended(who, acts.Suspend, "suspension", data), "Suspended", json=json)


@app.command()
def resume(
    who: WhoArgument,
    until_: UntilOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Ask to let a suspended person back in; a second person approves.

    Example: pbx person resume anna
    """
    end = until(until_)
    desk = Desk.signed_in(data)
    with desk.client:
        act = acts.Reinstate(person=staying(desk.client, who).id, until=end)
        answer, _ = desk.perform(_path(who, "resumption"), act, {"until": end})
    tell(answer, "The person is active again.", json=json)


@app.command()
def leave(
    who: WhoArgument, yes: YesOption = False, data: DataOption = None, json: JsonOption = False
) -> None:
    """End everything of a person, for good, and show what ended.

    Example: pbx person leave anna
    """
    confirm("This cannot be undone. End everything this person has?", yes=yes)
    _evidence(_ended(who, acts.Leave, "departure", data), "Left", json=json)


@app.command()
def unlock(who: WhoArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Lift a lock-out after wrong passwords or codes.

    Example: pbx person unlock anna
    """
    desk = Desk.signed_in(data)
    with desk.client:
        act = acts.LiftLock(person=person_of(desk.client, who).id)
        answer, _ = desk.perform(_path(who, "unlocking"), act)
    tell(answer, "The lock is lifted.", json=json)


@app.command()
def enrolment(who: WhoArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Ask for a one-time enrolment code: the first one, or a reset. Two people get half each.

    Example: pbx person enrolment anna
    """
    desk = Desk.signed_in(data)
    with desk.client:
        act = acts.IssueEnrolment(person=staying(desk.client, who).id)
        answer, asker = desk.perform(_path(who, "enrolment"), act)
        half = asker.open(answer.answer, HalfCode) if answer.answer else None
        asker.forget()
    if json:
        shown_half = None if half is None else half.half
        as_json({**msgspec.to_builtins(answer), "answer": "", "code": shown_half})
        return
    if half is not None:
        part = "The code" if half.position == 0 else "Your half of the code"
        say(f"{part}, shown once: {half.half}")
    tell(answer, f"They enrol within a day with: pbx enrol {who}", json=False)


def _ended(
    who: str, act: type[acts.Suspend | acts.Leave], verb: str, data: DataOption
) -> Departure:
    """Proved to the key holder; while it is away what is the exchange's ends all the same."""
    desk, path = Desk.signed_in(data), _path(who, verb)
    with desk.client:
        person = person_of(desk.client, who).id
        try:
            proof, _ = desk.prove(act(person=person))
        except CommandError as error:
            if error.code is not Exit.UNAVAILABLE:
                raise
            warn(AWAY)
            return desk.client.post(path, Departure, {"proof": None})
        return desk.client.post(path, Departure, {"proof": proof})


def _evidence(answer: Departure, word: str, *, json: bool) -> None:
    if json:
        as_json(answer)
        return
    say(f"{word} at {shown(answer.at)}; everything ended within {answer.milliseconds} ms.")
    as_table(
        ("ENDED", "COUNT", ""),
        ((e.kind, e.count, "" if e.complete else "waits") for e in answer.ended),
    )
    say(f"Operation {answer.operation} in the ledger.")
