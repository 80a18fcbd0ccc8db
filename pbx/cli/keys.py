"""`pbx keys`: the key holder's state, rotation, recovery and backup."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pbx.admin.wire.rules import KeysView
from pbx.cli import secrets
from pbx.cli.key_store import restore, unlock
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
from pbx.cli.person import person_of
from pbx.cli.proofs import Desk, tell
from pbx.cli.session import signed_in
from storage.keyholder import acts
from storage.keyholder.protocol import RecoveryShare

MOST_SHARES: Final = 16

app = typer.Typer(no_args_is_help=True, help="Keys: state, rotation, recovery, backup.")
app.command()(unlock)
app.command()(restore)


@app.command()
def status(data: DataOption = None, json: JsonOption = False) -> None:
    """Show the state of the keys; exit 1 if something deserves attention.

    Example: pbx keys status
    """
    with signed_in(data) as client:
        found = client.get("/v1/keys", KeysView)
    warnings = [
        *(
            ["Key store and data share a disk: one thief has both. Mount another one at keys/."]
            if found.same_device
            else []
        ),
        *(
            [
                "The root key lies on the store's disk: one thief has both. "
                "Name one elsewhere: [keyholder] key_file."
            ]
            if found.root_beside
            else []
        ),
        *(["Single account: separation does not hold."] if found.same_account else []),
        *([f"The key holder's memory is {found.memory}."] if "NOT" in found.memory else []),
        *(_unsaved(found)),
        *found.alarms,
    ]
    if json:
        as_json(found)
    else:
        facts = {
            "state": found.state,
            "key store": found.keystore,
            "generation": found.generation,
            "journal entries": found.journal,
            "last backup": shown(found.last_backup) or "never",
            "recovery": found.recovery,
        }
        as_table(("", ""), facts.items())
        say(*warnings)
    if warnings:
        raise CommandError(f"{len(warnings)} thing(s) deserve attention.", Exit.FOUND)


def _unsaved(found: KeysView) -> list[str]:
    """What is to be done before the disk of the key store fails."""
    if found.last_backup is not None:
        return []
    if found.recovery.startswith("not set"):
        return ["There is no backup of the keys. First say who can open one: pbx keys recovery"]
    return ["There is no backup of the keys. Make one: pbx keys backup DIRECTORY"]


@app.command()
def rotate(yes: YesOption = False, data: DataOption = None, json: JsonOption = False) -> None:
    """New wrapping keys; everything is re-wrapped, nothing re-encrypted.

    Example: pbx keys rotate
    """
    confirm("Rotate the keys now?", yes=yes)
    desk = Desk.signed_in(data)
    with desk.client:
        answer, _ = desk.perform("/v1/keys/rotation", acts.Rotate())
    tell(answer, "The keys are rotated.", json=json)


@app.command()
def recovery(
    holder: Annotated[
        list[str] | None, typer.Option(help="Who gets a share; repeat it. Default: passphrases.")
    ] = None,
    threshold: Annotated[int, typer.Option(help="How many shares restore.")] = 2,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Say who can bring a lost key store back: two passphrases, or shares. Two people.

    Example: pbx keys recovery --holder anna --holder ben --holder clara --threshold 2
    """
    if holder and not 2 <= threshold <= len(set(holder)) <= MOST_SHARES:
        raise CommandError(
            f"Name 2 to {MOST_SHARES} holders, and a threshold of 2 up to their number.",
            Exit.USAGE,
        )
    desk = Desk.signed_in(data)
    with desk.client:
        holders = tuple(person_of(desk.client, who).id for who in holder or ())
        act = acts.SetRecovery(threshold=threshold if holders else 0, holders=holders)
        body: dict[str, Any] = {"threshold": act.threshold, "holders": list(holders)}
        path = "/v1/keys/recovery"
        if holders:
            answer, _ = desk.perform(path, act, body)
        else:
            typed = secrets.new_passphrase("Your recovery passphrase")
            answer, _ = desk.perform(path, act, body, recovery_passphrase=typed)
    tell(answer, "Recovery is set.", json=json)


@app.command()
def share(data: DataOption = None, json: JsonOption = False) -> None:
    """Collect your own share of the recovery secret; it is shown once.

    Example: pbx keys share
    """
    desk = Desk.signed_in(data)
    with desk.client:
        answer, asker = desk.perform("/v1/own/recovery-share", acts.CollectShare())
        found = asker.open(answer.answer, RecoveryShare)
        asker.forget()
    if json:
        as_json(found)
        return
    say(f"Your share; {found.threshold} of {found.total} restore. Keep it on paper:")
    say(f"  {found.mnemonic}")


@app.command()
def backup(
    directory: Annotated[Path, typer.Argument(help="On another disk than the key store.")],
    force: Annotated[bool, typer.Option("--force", help="Even on the same disk.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Write an encrypted copy of the key store, which only recovery opens.

    Example: pbx keys backup /mnt/stick
    """
    target = str(directory.absolute())
    desk = Desk.signed_in(data)
    with desk.client:
        act = acts.Backup(directory=target, force=force)
        body = {"directory": target, "force": force}
        answer, _ = desk.perform("/v1/keys/backup", act, body)
    tell(answer, "The backup is written.", json=json)
