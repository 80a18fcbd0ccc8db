"""Backups of the key store: one file, sealed to the recovery key, never beside the data.

Header (who can open it, and the place in the journal) and body: every row under a key of its own
backup. Restoring makes a new store under a new root key and applies tombstones first, so that
what was destroyed since the backup stays destroyed.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec

from storage.keyholder import founding, segments, signing
from storage.keyholder.clock import SECOND, Clock
from storage.keyholder.journal import Entry, Event, JournalError, Position
from storage.keyholder.keystores import KeyStore
from storage.keyholder.records import (
    AnyRow,
    MessageSecret,
    Proposal,
    Recovery,
    Row,
    Settings,
    Share,
    Tombstone,
)
from storage.keyholder.signing import Pin, SignedStatement
from storage.keyholder.store import Store
from storage.keyholder.vouched import vouched
from storage.sealed import primitives
from storage.sealed.primitives import OpenError, Pair

_MAGIC = b"hpbxkey1"
_rows = msgspec.msgpack.Decoder(list[AnyRow])


class BackupError(Exception):
    """Says what is wrong with the place or the file, and what to do."""


class Header(msgspec.Struct, frozen=True):
    made: int
    place: Position
    recovery: Recovery


class _Outer(msgspec.Struct, frozen=True):
    header: bytes
    sealed_key: bytes
    body: bytes


def check_directory(directory: Path, store: Path, *, force: bool) -> None:
    """Never beside the data: a thief of the disk would have both."""
    if not directory.is_absolute() or not directory.is_dir():
        raise BackupError("backup: the directory is an absolute path that exists")
    if not os.access(directory, os.W_OK):
        raise BackupError("backup: the key holder's account cannot write there")
    if directory.stat().st_dev == store.stat().st_dev and not force:
        raise BackupError("backup: same disk as the key store; take another, or force it")


def write(directory: Path, store: Store, settings: Settings, now: int) -> Path:
    """Durable under its final name, or not there at all."""
    if settings.recovery is None:
        raise BackupError("backup: set recovery first, or nobody could open it")
    left_out = (Proposal, Share)
    rows = [row for row in store.everything() if not isinstance(row, left_out)]
    data = _sealed(rows, Header(now, store.state.position, settings.recovery))
    moment = datetime.fromtimestamp(now // SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
    path = directory / f"hipaa-pbx-keys-{moment}-{store.state.position.sequence}.backup"
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            partial.chmod(0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        segments.sync(directory)
    except OSError:
        partial.unlink(missing_ok=True)
        raise BackupError("backup: cannot be written there") from None
    return path


def _sealed(rows: Sequence[Row], header: Header) -> bytes:
    encoded = msgspec.msgpack.encode(header)
    recovery = header.recovery
    key = bytearray(primitives.random(primitives.KEY))
    plain = bytearray(msgspec.msgpack.encode(list(rows)))
    sealed_key = primitives.seal_to(recovery.suite, recovery.public, key, _info(encoded))
    body = primitives.seal(key, plain, encoded)
    primitives.wipe(plain)
    primitives.wipe(key)
    return _MAGIC + msgspec.msgpack.encode(_Outer(encoded, sealed_key, body))


def _info(header: bytes) -> bytes:
    return b"hipaa-pbx key backup v1\0" + primitives.sha256(header)


def _read(path: Path) -> tuple[_Outer, Header]:
    try:
        data = path.read_bytes()
        if not data.startswith(_MAGIC):
            raise BackupError("backup: not a backup of a key store")
        outer = msgspec.msgpack.decode(data[len(_MAGIC) :], type=_Outer)
        return outer, msgspec.msgpack.decode(outer.header, type=Header)
    except OSError:
        raise BackupError("backup: missing or not readable") from None
    except msgspec.MsgspecError:
        raise BackupError("backup: damaged") from None


def read_header(path: Path) -> Header:
    """Who can open it; needs no secret."""
    return _read(path)[1]


def open_rows(path: Path, pair: Pair) -> tuple[Header, list[Row]]:
    outer, header = _read(path)
    try:
        key = bytearray(
            primitives.open_with(pair.suite, pair.private, outer.sealed_key, _info(outer.header))
        )
        plain = primitives.open_sealed(key, outer.body, outer.header)
    except OpenError:
        raise BackupError("backup: damaged, or of another recovery key") from None
    primitives.wipe(key)
    rows: list[Row] = list(_rows.decode(plain))
    return header, rows


def restore(
    path: Path,
    pair: Pair,
    directory: Path,
    keystore: KeyStore,
    clock: Clock,
    *,
    journal: Path | None = None,
    certificates: Iterable[SignedStatement] = (),
) -> Pin:
    """On an empty machine. Tombstones come from a journal that survived and from certificates
    of destruction; both together are the best knowledge of what must stay destroyed."""
    header, rows = open_rows(path, pair)
    settings = next(row for row in rows if isinstance(row, Settings))
    pin = Pin(primitives.verifying_key(settings.signing_key))
    dead = _dead_by_journal(journal) | _dead_by_certificates(pin, certificates)
    now = clock()
    kept: list[Row] = [
        row for row in rows if not (isinstance(row, MessageSecret) and row.id in dead)
    ]
    kept = [row for row in kept if not isinstance(row, Tombstone | Settings)]
    kept = vouched(kept, _since(journal, header.place.sequence))
    buried = {row.id: row for row in rows if isinstance(row, Tombstone)}
    buried |= {one: Tombstone(one, now) for one in dead if one not in buried}
    kept += [*buried.values(), msgspec.structs.replace(settings, restored=now)]
    entry = Entry(event=Event.RESTORED, head_sequence=header.place.sequence)
    founding.found(directory, keystore, kept, entry, clock, place=header.place, journal=journal)
    return pin


def _since(path: Path | None, sequence: int) -> list[Entry] | None:
    if path is None:
        return None
    return [entry for entry in segments.surviving(path) if entry.sequence > sequence]


def _dead_by_journal(path: Path | None) -> set[UUID]:
    if path is None:
        return set()
    try:
        entries = segments.surviving(path)
    except JournalError:
        raise BackupError("restore: the surviving journal is damaged; leave it out") from None
    destroyed = [entry for entry in entries if entry.event is Event.MESSAGE_DESTROYED]
    dead = {entry.subject for entry in destroyed if entry.subject is not None}
    contents = b"".join(entry.digest for entry in destroyed)
    return dead | {UUID(bytes=contents[at : at + 16]) for at in range(0, len(contents), 16)}


def _dead_by_certificates(pin: Pin, certificates: Iterable[SignedStatement]) -> set[UUID]:
    dead = set()
    for certificate in certificates:
        if not signing.is_signed(pin.signing_key, certificate):
            raise BackupError("restore: a certificate of destruction is not signed by this store")
        facts = msgspec.json.decode(certificate.text, type=dict[str, str])
        dead.add(UUID(facts["what"].rpartition(" ")[2]))
        dead |= {UUID(content) for content in facts.get("content", "").split()}
    return dead
