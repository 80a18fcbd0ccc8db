"""`pbx keys unlock | restore`: on the key holder's own machine, without a running exchange."""

import asyncio
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from certs.owner import acting_as_owner_of
from pbx.cli import secrets
from pbx.cli.output import CommandError, DataOption, Exit, initialised, say, warn
from pbx.config import load
from pbx.paths import Layout
from storage.identifiers import system_clock
from storage.keyholder import backup, founding, recovery, segments
from storage.keyholder.client import (
    KeyHolderError,
    KeyHolderUnavailable,
    OperatorKeyHolder,
    Refused,
)
from storage.keyholder.keystores import KeyStore, KeyStoreError
from storage.keyholder.keystores.choice import prepare, root_key_path
from storage.keyholder.process import seal_passphrase
from storage.keyholder.protocol import State
from storage.keyholder.records import Recovery
from storage.keyholder.signing import Pin, SignedStatement
from storage.keyholder.store import StoreError
from storage.sealed.primitives import Pair, wipe


def unlock(data: DataOption = None) -> None:
    """Open a key store that waits for its passphrase, after a start or a crash.

    Example: pbx keys unlock
    """
    layout = initialised(data)
    passphrase = secrets.secret("Passphrase of the key store")
    try:
        state = asyncio.run(_unlock(layout, passphrase))
    except Refused:
        raise CommandError("The passphrase does not open the key store.", Exit.REFUSED) from None
    except KeyHolderUnavailable:
        raise CommandError(
            "The key holder does not answer; start it with: pbx serve", Exit.UNAVAILABLE
        ) from None
    except KeyHolderError as error:
        raise CommandError(f"{error}.", Exit.REFUSED) from None
    finally:
        wipe(passphrase)
    if state is not State.READY:
        raise CommandError(f"The key holder is {state}; see: pbx keys status", Exit.FOUND)
    say("The key store is open.")


async def _unlock(layout: Layout, passphrase: bytearray) -> State:
    client = OperatorKeyHolder(layout.keyholder_operator_socket, deadline=60)
    try:
        key = await client.unlock_key()
        return (await client.unlock(seal_passphrase(key, passphrase))).state
    finally:
        await client.close()


def restore(
    file: Annotated[Path, typer.Argument(help="A backup made by: pbx keys backup")],
    journal: Annotated[
        Path | None, typer.Option(help="The key holder's journal, if it survived.")
    ] = None,
    certificate: Annotated[
        list[Path] | None, typer.Option(help="A certificate of destruction; repeat it.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Make the key store again from a backup, where there is none. Destroyed messages stay so.

    Example: pbx keys restore /mnt/stick/hipaa-pbx-keys-20270101T000000Z-42.backup
    """
    layout = initialised(data)
    if founding.exists(layout.keys):
        raise CommandError(
            f"{layout.keys} holds a key store already; move it away first.", Exit.REFUSED
        )
    try:
        pair = _recovered(backup.read_header(file).recovery)
        if journal is None:
            warn(
                "Without --journal, messages destroyed after this backup was made open again, "
                "but for those whose --certificate you give."
            )
        _restore(layout, file, pair, journal, certificate or [])
    except (
        backup.BackupError,
        recovery.RecoveryError,
        KeyStoreError,
        StoreError,
        msgspec.MsgspecError,
    ) as error:
        raise CommandError(f"{str(error)[:1].upper()}{str(error)[1:]}.", Exit.REFUSED) from None
    say("The key store is restored. Start the exchange, then: pbx audit verify")
    say("Named members, enrolment codes and recovery codes are not restored; give them anew.")
    if journal is None:
        say("Without --journal also all roles are gone but those that manage people, and who was")
        say("suspended or left since the backup is back: look through pbx person list now.")


def _recovered(held: Recovery) -> Pair:
    if held.kind == "shares":
        shares = [secrets.secret(f"Share {n + 1}").decode() for n in range(held.threshold)]
        return recovery.pair_from_shares(shares)
    typed = [secrets.secret(f"Recovery passphrase {n + 1}") for n in range(len(held.salts))]
    return recovery.pair_from_passphrases(held, typed)


def _restore(
    layout: Layout, file: Path, pair: Pair, journal: Path | None, certificates: list[Path]
) -> None:
    config = load(layout.config_file).keyholder
    passphrase = None
    if config.root == "passphrase":
        passphrase = secrets.new_passphrase("New passphrase of the key store")
    papers = [msgspec.json.decode(path.read_bytes(), type=SignedStatement) for path in certificates]
    with acting_as_owner_of((root_key_path(config, layout.keys) or layout.keys).parent):
        keystore = prepare(config, layout.keys, os.environ, passphrase)
    sources = Sources(file, journal, tuple(papers))
    restored(layout.keys, sources, pair, keystore).write(layout.keyholder_pin)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a key store is restored from."""

    file: Path
    journal: Path | None = None
    certificates: tuple[SignedStatement, ...] = ()


def restored(keys: Path, sources: Sources, pair: Pair, keystore: KeyStore) -> Pin:
    """Root reads what only root may read, and writes with the rights of the directory's owner."""
    with tempfile.TemporaryDirectory(prefix="pbx-restore-") as private:
        near = Path(private)
        file = _copied(sources.file, near / "backup")
        journal = None
        if sources.journal is not None:
            journal = _copied(sources.journal, near / "journal")
            for part in segments.closed(sources.journal):
                _copied(part, near / f"journal{part.name.removeprefix(sources.journal.name)}")
        _hand_over(near, keys)
        with acting_as_owner_of(keys):
            return backup.restore(
                file,
                pair,
                keys,
                keystore,
                system_clock,
                journal=journal,
                certificates=sources.certificates,
            )


def _copied(source: Path, copy: Path) -> Path:
    try:
        shutil.copyfile(source, copy)
    except OSError as error:
        raise backup.BackupError(f"{source}: {error.strerror}") from None
    return copy


def _hand_over(directory: Path, keys: Path) -> None:
    if os.geteuid() == 0:
        owner = keys.stat()
        for path in (*directory.iterdir(), directory):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
