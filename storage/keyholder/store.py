"""The key holder's table: one SQLite file, every row sealed under the store key.

The store key is kept in the same file, wrapped by the root key, so that rotation is one
transaction. The `state` row holds the journal's position at the last change and a keyed sum over
all rows: a row put back from an older copy breaks the sum, the whole file put back from an older
copy stands behind the journal. Deleted rows are overwritten (`secure_delete`) and the write-ahead
log is emptied at once.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import msgspec

from storage.keyholder.journal import Position
from storage.keyholder.records import AnyRow, Row
from storage.sealed import primitives

R = TypeVar("R", bound=Row)

_SCHEMA = """
CREATE TABLE header (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE rows (kind TEXT NOT NULL, id BLOB NOT NULL, body BLOB NOT NULL,
                   PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
"""
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyRow)


class StoreError(Exception):
    """The store is missing, altered, or of another key."""


class StoreState(msgspec.Struct, frozen=True):
    """Written with every change."""

    generation: int = 0
    position: Position = Position()
    clock: int = 0
    rows: int = 0
    total: bytes = bytes(32)


@dataclass(frozen=True, slots=True)
class Change:
    """Rows to write and rows to destroy, all or none."""

    put: Sequence[Row] = ()
    delete: Sequence[tuple[type[Row], UUID]] = ()


def kind_of(kind: type[Row]) -> str:
    return str(kind.__struct_config__.tag)


class Store:
    """Opened by the key holder's process alone."""

    def __init__(self, path: Path, key: primitives.Bytes) -> None:
        self._key = bytearray(key)
        self._writer = _connect(path)
        self._reader = _connect(path)
        self._sums = bytearray(primitives.hkdf(key, "store sum"))
        self.state = self._load_state()

    @classmethod
    def create(cls, path: Path, key: primitives.Bytes, wrapped: bytes, place: Position) -> "Store":
        if path.exists():
            raise StoreError("key store: exists already")
        connection = _connect(path)
        path.chmod(0o600)
        with connection:
            connection.executescript(_SCHEMA)
            state = StoreState(position=place)
            connection.execute("INSERT INTO header VALUES ('wrapped', ?)", (wrapped,))
            connection.execute("INSERT INTO header VALUES ('state', ?)", (_seal_state(key, state),))
        connection.close()
        return cls(path, key)

    def _load_state(self) -> StoreState:
        sealed = _header(self._reader, "state")
        try:
            opened = primitives.open_sealed(self._key, sealed, b"store state v1")
        except primitives.OpenError:
            raise StoreError("key store: does not open with this root key") from None
        return msgspec.msgpack.decode(opened, type=StoreState)

    def verify(self) -> None:
        """Opens every row and compares the keyed sum; raises `StoreError`."""
        total, rows = 0, 0
        for kind, identifier, body in self._reader.execute("SELECT kind, id, body FROM rows"):
            self._open(kind, identifier, body)
            total += self._sum(kind, identifier, body)
            rows += 1
        if rows != self.state.rows or _fold(total) != self.state.total:
            raise StoreError("key store: rows were put back, added or removed")

    def get(self, kind: type[R], identifier: UUID) -> R | None:
        found = self._reader.execute(
            "SELECT body FROM rows WHERE kind = ? AND id = ?", (kind_of(kind), identifier.bytes)
        ).fetchone()
        if found is None:
            return None
        row = self._open(kind_of(kind), identifier.bytes, found[0])
        return row if isinstance(row, kind) else None

    def all(self, kind: type[R]) -> Iterator[R]:
        found = self._reader.execute(
            "SELECT id, body FROM rows WHERE kind = ? ORDER BY id", (kind_of(kind),)
        ).fetchall()
        rows = (self._open(kind_of(kind), identifier, body) for identifier, body in found)
        return (row for row in rows if isinstance(row, kind))

    def everything(self) -> list[Row]:
        """For backup and rotation."""
        found = self._reader.execute("SELECT kind, id, body FROM rows ORDER BY kind, id").fetchall()
        return [self._open(kind, identifier, body) for kind, identifier, body in found]

    def commit(self, change: Change, position: Position, now: int) -> None:
        """One durable transaction; on failure nothing has changed."""
        connection = self._writer
        total = int.from_bytes(self.state.total, "big")
        rows = self.state.rows
        connection.execute("BEGIN IMMEDIATE")
        try:
            for kind, identifier in [*change.delete, *((type(r), _id(r)) for r in change.put)]:
                key = (kind_of(kind), identifier.bytes)
                old = connection.execute(
                    "DELETE FROM rows WHERE kind = ? AND id = ? RETURNING body", key
                ).fetchone()
                if old is not None:
                    total -= self._sum(*key, old[0])
                    rows -= 1
            for row in change.put:
                key = (kind_of(type(row)), _id(row).bytes)
                body = self._seal(row)
                connection.execute("INSERT INTO rows VALUES (?, ?, ?)", (*key, body))
                total += self._sum(*key, body)
                rows += 1
            state = StoreState(
                self.state.generation + 1,
                position,
                max(now, self.state.clock),
                rows,
                _fold(total),
            )
            self._write_state(state)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        self.state = state
        if change.delete:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def rekey(self, key: primitives.Bytes, wrapped: bytes, position: Position, now: int) -> None:
        """Re-wraps every row under a new store key, in one transaction."""
        rows = self.everything()
        fresh = Store.__new__(Store)
        fresh._key, fresh._sums = bytearray(key), bytearray(primitives.hkdf(key, "store sum"))
        total, connection = 0, self._writer
        connection.execute("BEGIN IMMEDIATE")
        try:
            for row in rows:
                name = (kind_of(type(row)), _id(row).bytes)
                body = fresh._seal(row)
                connection.execute(
                    "UPDATE rows SET body = ? WHERE kind = ? AND id = ?", (body, *name)
                )
                total += fresh._sum(*name, body)
            connection.execute("UPDATE header SET value = ? WHERE name = 'wrapped'", (wrapped,))
            state = msgspec.structs.replace(
                self.state,
                generation=self.state.generation + 1,
                position=position,
                clock=max(now, self.state.clock),
                total=_fold(total),
            )
            fresh._writer = connection
            fresh._write_state(state)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        self.forget()
        self._key, self._sums, self.state = fresh._key, fresh._sums, state
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _write_state(self, state: StoreState) -> None:
        self._writer.execute(
            "INSERT OR REPLACE INTO header VALUES ('state', ?)", (_seal_state(self._key, state),)
        )

    def _seal(self, row: Row) -> bytes:
        plain = bytearray(_encoder.encode(row))
        try:
            return primitives.seal(self._key, plain, _context(kind_of(type(row)), _id(row).bytes))
        finally:
            primitives.wipe(plain)

    def _open(self, kind: str, identifier: bytes, body: bytes) -> Row:
        try:
            opened = primitives.open_sealed(self._key, body, _context(kind, identifier))
        except primitives.OpenError:
            raise StoreError("key store: a row does not open") from None
        row: Row = _decoder.decode(opened)
        return row

    def _sum(self, kind: str, identifier: bytes, body: bytes) -> int:
        value = primitives.mac(self._sums, "row", _context(kind, identifier) + body)
        return int.from_bytes(value, "big")

    def forget(self) -> None:
        primitives.wipe(self._key)
        primitives.wipe(self._sums)

    def close(self) -> None:
        self.forget()
        self._reader.close()
        self._writer.close()


def read_wrapped(path: Path) -> bytes:
    """The store key as the root key wrapped it."""
    if not path.exists():
        raise StoreError("key store: missing")
    connection = _connect(path)
    try:
        return _header(connection, "wrapped")
    finally:
        connection.close()


def _header(connection: sqlite3.Connection, name: str) -> bytes:
    try:
        found = connection.execute("SELECT value FROM header WHERE name = ?", (name,)).fetchone()
    except sqlite3.DatabaseError:
        found = None
    if found is None:
        raise StoreError("key store: not a key store")
    return bytes(found[0])


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _seal_state(key: primitives.Bytes, state: StoreState) -> bytes:
    return primitives.seal(key, _encoder.encode(state), b"store state v1")


def _context(kind: str, identifier: bytes) -> bytes:
    return b"store row v1\0" + kind.encode() + b"\0" + identifier


def _id(row: Row) -> UUID:
    identifier: UUID = row.id  # type: ignore[attr-defined]  # every member of AnyRow has one
    return identifier


def _fold(total: int) -> bytes:
    return (total % (1 << 256)).to_bytes(32, "big")
