"""`pbx approval`: what waits for a second person."""

from typing import Annotated
from uuid import UUID

import typer

from pbx.admin.wire.people import ProposalView
from pbx.cli import secrets
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
from storage.keyholder.protocol import HalfCode

app = typer.Typer(no_args_is_help=True, help="The second person's yes or no.")

ProposalArgument = Annotated[UUID, typer.Argument(help="From `pbx approval list`.")]


@app.command("list")
def list_(data: DataOption = None, json: JsonOption = False) -> None:
    """List what waits.

    Example: pbx approval list
    """
    with signed_in(data) as client:
        found = client.get("/v1/proposals", list[ProposalView])
    if json:
        as_json(found)
        return
    as_table(
        ("PROPOSAL", "ACT", "BY", "ABOUT", "UNTIL"),
        ((p.id, p.act, p.requester, _about(p), shown(p.until)) for p in found),
    )


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
        found = _found(desk.client, proposal)
        if not json:
            say(f"{found.act}: {_about(found)}", f"asked for by {found.requester}")
        confirm("Approve this?", yes=yes)
        more = {}
        if found.act == "set-recovery" and "threshold" in found.detail:
            more = _passphrase(found)
        act = acts.Approve(proposal=proposal, digest=found.digest)
        path = f"/v1/proposals/{proposal}/approval"
        answer, asker = desk.perform(path, act, {"digest": found.digest}, **more)
        half = asker.open(answer.answer, HalfCode) if answer.answer else None
        asker.forget()
    if half is not None:
        say(f"Your half of the code, the second one, shown once: {half.half}")
    tell(answer, "Approved.", json=json)


@app.command()
def decline(proposal: ProposalArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Say no.

    Example: pbx approval decline 0197…
    """
    desk = Desk.signed_in(data)
    with desk.client:
        found = _found(desk.client, proposal)
        act = acts.Decline(proposal=proposal, digest=found.digest)
        path = f"/v1/proposals/{proposal}/refusal"
        answer, _ = desk.perform(path, act, {"digest": found.digest})
    tell(answer, "Declined.", json=json)


def _found(client: AdminClient, proposal: UUID) -> ProposalView:
    for found in client.get("/v1/proposals", list[ProposalView]):
        if found.id == proposal:
            return found
    raise CommandError("There is no such proposal.", Exit.USAGE)


def _about(proposal: ProposalView) -> str:
    return ", ".join(f"{name} {value}" for name, value in proposal.detail.items())


def _passphrase(proposal: ProposalView) -> dict[str, bytearray]:
    """Without named holders recovery is two passphrases; this is the second."""
    if proposal.detail["threshold"] != "0":
        return {}
    return {"recovery_passphrase": secrets.secret("Your recovery passphrase")}
