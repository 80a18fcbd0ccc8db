"""`pbx approval`: what waits for a second person."""

from typing import Annotated
from uuid import UUID

import msgspec
import typer

from pbx.admin.wire.people import ProposalView
from pbx.cli import secrets
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
    printable,
    say,
)
from pbx.cli.proofs import Desk, tell
from storage.keyholder import acts
from storage.keyholder.proposals import Told, read
from storage.keyholder.protocol import HalfCode
from storage.keyholder.signing import BadKey, Pin, SignedStatement

app = typer.Typer(no_args_is_help=True, help="The second person's yes or no.")

ProposalArgument = Annotated[UUID, typer.Argument(help="From `pbx approval list`.")]


@app.command("list")
def list_(data: DataOption = None, json: JsonOption = False) -> None:
    """List what waits.

    Example: pbx approval list
    """
    desk = Desk.signed_in(data)
    with desk.client:
        found = desk.client.get("/v1/proposals", list[ProposalView])
    if json:
        as_json(found)
        return
    as_table(("PROPOSAL", "ACT", "BY", "ABOUT", "UNTIL"), (_line(desk, one) for one in found))
    if found:
        say("A second person says yes or no: pbx approval approve PROPOSAL, or decline")


@app.command()
def approve(
    proposal: ProposalArgument,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Approve exactly this, with your own second factor.

    Example: pbx approval approve 0197…
    """
    desk = Desk.signed_in(data)
    with desk.client:
        told = _told(desk, proposal)
        proposed = told.decoded()
        words = words_of(told)
        if not json:
            say(*words)
        confirm("Approve exactly this?" if not json else f"Approve {'; '.join(words)}?", yes=yes)
        more = {}
        if isinstance(proposed, acts.SetRecovery) and proposed.threshold == 0:
            # Without named holders recovery is two passphrases; this is the second.
            more["recovery_passphrase"] = secrets.new_passphrase("Your recovery passphrase")
        act = acts.Approve(proposal=proposal, digest=acts.digest(proposed))
        path = f"/v1/proposals/{proposal}/approval"
        answer, asker = desk.perform(path, act, {"digest": act.digest}, **more)
        half = asker.open(answer.answer, HalfCode) if answer.answer else None
        asker.forget()
    if half is not None:
        say(f"Your half of the code, the second one, shown once: {half.half}")
        login = told.names.get(str(getattr(proposed, "person", "")), "LOG-IN")
        say(f"They enrol within a day with both halves, joined by a hyphen: pbx enrol {login}")
    tell(answer, "Approved.", json=json)


@app.command()
def decline(proposal: ProposalArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Say no.

    Example: pbx approval decline 0197…
    """
    desk = Desk.signed_in(data)
    with desk.client:
        told = _told(desk, proposal)
        act = acts.Decline(proposal=proposal, digest=acts.digest(told.decoded()))
        path = f"/v1/proposals/{proposal}/refusal"
        answer, _ = desk.perform(path, act, {"digest": act.digest})
    tell(answer, "Declined.", json=json)


def _told(desk: Desk, proposal: UUID) -> Told:
    """What the key holder says the proposal is; the exchange only carries it."""
    for found in desk.client.get("/v1/proposals", list[ProposalView]):
        if found.id == proposal:
            return told_by(desk, found.statement, proposal)
    raise CommandError("There is no such proposal.", Exit.USAGE)


def told_by(desk: Desk, statement: SignedStatement, proposal: UUID) -> Told:
    """The key holder's own words, or nothing."""
    try:
        return read(Pin.read(desk.layout.keyholder_pin).signing_key, statement, proposal)
    except (BadKey, msgspec.MsgspecError):
        raise CommandError(
            "The exchange does not show what the key holder holds; nothing was approved.",
            Exit.REFUSED,
        ) from None


def words_of(told: Told) -> list[str]:
    """The act itself, field by field, with the names the key holder gives."""
    act = told.decoded()
    fields = msgspec.structs.asdict(act)
    return [
        f"{acts.name(act)}, asked for by {told.requester}",
        *(f"  {name}: {_shown(told, name, value)}" for name, value in fields.items()),
    ]


def _shown(told: Told, name: str, value: object) -> str:
    if name in {"start", "until"} and (value is None or isinstance(value, int)):
        return shown(value) or "no end"
    if isinstance(value, tuple):
        return ", ".join(_shown(told, name, one) for one in value)
    known = told.names.get(str(value))
    return printable(f"{known} ({value})" if known else str(value))


def _line(desk: Desk, one: ProposalView) -> tuple[object, ...]:
    """In the key holder's words, with its names."""
    told = told_by(desk, one.statement, one.id)
    fields = msgspec.structs.asdict(told.decoded())
    about = (f"{name} {_shown(told, name, value)}" for name, value in fields.items() if value)
    return one.id, one.act, told.requester, ", ".join(about), shown(one.until)
