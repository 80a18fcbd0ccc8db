"""`pbx voicemail`: one's own messages, and what others answer for without hearing any."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated
from uuid import UUID

import msgspec
import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.voicemail import Certificate, HoldView, MessageView, Statistics
from pbx.cli import secrets
from pbx.cli.client import AdminClient
from pbx.cli.moments import shown
from pbx.cli.opened_message import OpenedMessage, play, player, private_file, sink_for_listening
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
from pbx.cli.progress import progress
from pbx.cli.proofs import Desk, tell
from pbx.cli.session import signed_in
from pbx.voicemail.purge import Purged
from storage.identifiers import new_id, system_clock
from storage.keyholder import acts

app = typer.Typer(no_args_is_help=True, help="Voicemail: hear, export, delete, hold, purge.")

AT_A_TIME = 20
"""Messages of a purge that the exchange is asked for at once: it answers long before its time."""

MessageArgument = Annotated[UUID, typer.Argument(help="From `pbx voicemail list`.")]
PurposeOption = Annotated[
    str, typer.Option("--purpose", help="What for; it stands in the audit ledger.")
]


@app.command("list")
def list_(
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Hidden ones of everybody, to bring one back.")
    ] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """List the messages you may hear, new and urgent ones first; not who left them.

    Example: pbx voicemail list
    """
    with signed_in(data) as client:
        path = "/v1/deleted-messages" if deleted else "/v1/own/messages"
        found = client.get(path, list[MessageView])
    if json:
        as_json(found)
        return
    as_table(
        ("MESSAGE", "CAME", "SECONDS", "STATE", ""),
        (
            (one.id, shown(one.received_at), one.milliseconds // 1_000, one.state, _marks(one))
            for one in found
        ),
    )


@app.command()
def listen(message: MessageArgument, purpose: PurposeOption, data: DataOption = None) -> None:
    """Hear a message: on this machine's audio device, or as a WAV stream in a pipe.

    Example: pbx voicemail listen 0198c0de-0000-7000-8000-000000000000 --purpose "call back" | aplay
    """
    sink = sink_for_listening()
    plays = player() if sink is None else ()
    desk = Desk.signed_in(data)
    with desk.client:
        opened = OpenedMessage(desk, message, "listening", purpose)
    if sink is None:
        play(plays, opened.sound())
        return
    for part in opened.sound():
        sink.write(part)
        sink.flush()


@app.command()
def export(
    message: MessageArgument,
    file: Annotated[Path, typer.Argument(help="A new file.")],
    purpose: PurposeOption,
    recipient: Annotated[
        str | None, typer.Option("--recipient", help="An age public key; else a passphrase.")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Unencrypted; only for roles that may, with --reason.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why it has to be unencrypted.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Write a message into an encrypted file (age), for a recipient's key or a passphrase.

    Example: pbx voicemail export 0198c0de-0000-7000-8000-000000000000 message.age --purpose "court"
    """
    if plain and not (reason and len(reason) >= 3):
        raise CommandError("--plain needs a --reason.", Exit.USAGE)
    if plain and recipient:
        raise CommandError("--plain and --recipient exclude each other.", Exit.USAGE)
    if file.exists():
        raise CommandError(f"{file} is there already.", Exit.REFUSED)
    seal = _as_it_is if plain else _sealing(recipient)
    act, why = ("plain-export", f"{purpose}: {reason}") if plain else ("export", purpose)
    with private_file(file) as into:  # before anything is asked for
        desk = Desk.signed_in(data)
        with desk.client:
            opened = OpenedMessage(desk, message, act, why)
        into.writelines(seal(opened.sound()))
    say(f"Written: {file}")


def _as_it_is(sound: Iterator[bytes]) -> Iterable[bytes]:
    return sound


def _sealing(recipient: str | None) -> Callable[[Iterator[bytes]], Iterable[bytes]]:
    """Towards a public key, or a passphrase that is asked for now."""
    from pbx.cli import age_file

    if recipient:
        key = age_file.recipient(recipient)
        return lambda sound: [age_file.to_recipient(key, sound)]
    passphrase = secrets.new_password()
    return lambda sound: [age_file.to_passphrase(passphrase, sound)]


@app.command()
def delete(
    message: MessageArgument, yes: YesOption = False, data: DataOption = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Delete a message of yours: hidden now, destroyed when the days to undelete are over.

    Example: pbx voicemail delete 0198c0de-0000-7000-8000-000000000000
    """
    confirm("Nobody sees the message any more. Delete it?", yes=yes)
    with signed_in(data) as client:
        answer = client.post(f"/v1/own/messages/{message}/deletion", Changed)
    as_json(answer) if json else say("Deleted.")


@app.command()
def undelete(message: MessageArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Bring a deleted message back to its readers (compliance officer).

    Example: pbx voicemail undelete 0198c0de-0000-7000-8000-000000000000
    """
    with signed_in(data) as client:
        answer = client.post(f"/v1/deleted-messages/{message}/restoration", Changed)
    as_json(answer) if json else say("It is back.")


@app.command()
def hold(
    mailbox: Annotated[UUID, typer.Argument(help="From `pbx mailbox list`.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; sealed in the register of holds.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Put a mailbox on legal hold: nothing of it is destroyed (compliance officer).

    Example: pbx voicemail hold 0198c0de-0000-7000-8000-000000000000 --reason "letter of 3 May"
    """
    desk = Desk.signed_in(data)
    with desk.client:
        new = new_id(system_clock)
        act = acts.Hold(mailbox=mailbox, hold=new)
        body = {"id": new, "mailbox": mailbox, "reason": reason}
        answer, _ = desk.perform("/v1/holds", act, body)
    tell(answer, f"On hold: {new}", json=json)


@app.command()
def holds(data: DataOption = None, json: JsonOption = False) -> None:
    """List the legal holds in force.

    Example: pbx voicemail holds
    """
    with signed_in(data) as client:
        found = client.get("/v1/holds", list[HoldView])
    if json:
        as_json(found)
        return
    as_table(
        ("HOLD", "MAILBOX", "SINCE", "WHY"),
        ((one.id, one.mailbox, shown(one.placed_at), one.reason) for one in found),
    )


@app.command()
def release(
    hold: Annotated[UUID, typer.Argument(help="From `pbx voicemail holds`.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Ask for the end of a legal hold; takes a second person.

    Example: pbx voicemail release 0198c0de-0000-7000-8000-000000000000
    """
    desk = Desk.signed_in(data)
    with desk.client:
        found = desk.client.get("/v1/holds", list[HoldView])
        mailbox = next((one.mailbox for one in found if one.id == hold), None)
        if mailbox is None:
            raise CommandError("There is no such hold: pbx voicemail holds", Exit.USAGE)
        act = acts.ReleaseHold(mailbox=mailbox, hold=hold)
        answer, _ = desk.perform(f"/v1/holds/{hold}/release", act)
    tell(answer, "Released.", json=json)


@app.command()
def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Hide and destroy what is due by the retention rules, as the exchange does every day.

    Example: pbx voicemail purge --dry-run
    """
    if not dry_run:
        confirm("What is destroyed cannot be brought back. Purge?", yes=yes)
    with signed_in(data) as client:
        done = client.post("/v1/purge", Purged, {"is_dry_run": True})
        if not dry_run:
            done = _purged(client, done.hidden + done.destroyed)
    if json:
        as_json(done)
        return
    would = "would be " if dry_run else ""
    say(f"{done.hidden} {would}hidden, {done.destroyed} {would}destroyed.")
    if done.refused or done.left:
        say(f"{done.refused} refused by the key holder, {done.left} still due.")


def _purged(client: AdminClient, due: int) -> Purged:
    """A few at a time, so that it is seen how it goes; what is stopped goes on with the next."""
    done = Purged(is_dry_run=False)
    with progress("purging") as told:
        while True:
            some = client.post("/v1/purge", Purged, {"is_dry_run": False, "most": AT_A_TIME})
            done = msgspec.structs.replace(
                some, hidden=done.hidden + some.hidden, destroyed=done.destroyed + some.destroyed
            )
            told(done.hidden + done.destroyed + done.refused, due)
            if not some.left or not some.hidden + some.destroyed:
                return done


@app.command()
def stats(data: DataOption = None, json: JsonOption = False) -> None:
    """Show how voicemail is doing, in numbers, and how far a purge is.

    Example: pbx voicemail stats
    """
    with signed_in(data) as client:
        found = client.get("/v1/voicemail", Statistics)
    if json:
        as_json(found)
        return
    names = Statistics.__struct_fields__
    as_table(("WHAT", "HOW MANY"), ((n.replace("_", " "), getattr(found, n)) for n in names))


@app.command()
def certificate(
    message: MessageArgument, data: DataOption = None, json: JsonOption = False
) -> None:
    """Show the certificate of destruction of a message, signed by the key holder.

    Example: pbx voicemail certificate 0198c0de-0000-7000-8000-000000000000
    """
    with signed_in(data) as client:
        found = client.get(f"/v1/certificates/{message}", Certificate)
    as_json(found) if json else say(found.kind, found.text, f"signature {found.signature.hex()}")


def _marks(one: MessageView) -> str:
    marks = {
        "urgent": one.is_urgent,
        "private": one.is_private,
        "forwarded": one.is_forwarded,
        "interrupted": not one.is_complete,
    }
    return ", ".join(name for name, applies in marks.items() if applies)
