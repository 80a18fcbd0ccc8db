"""The key holder's journal: every opening, refusal, lock-out and change, fsynced before its effect.

One append-only file: a header naming the place it goes on from, then records. A record is a
32-bit length, the entry, the chain hash and one byte that says whether the store took the change:
0 not yet, 1 applied, 2 abandoned. The chain hash covers the previous record's hash and byte, so
only the last byte of the file can be changed unseen, and that one only to what the store shows.
The file holds identifiers, no content.
"""

import os
from array import array
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import msgspec

from storage.sealed.primitives import sha256

GENESIS = bytes(32)
_HASH = 32
_MAGIC = b"hpbxjrn1"
_HEADER = 48
_CUT_MAGIC = b"hpbxjrn2"
_SIGNATURE = 64
"""A part that goes on after a closed one is signed by the key holder over where that ends."""
_PENDING, _APPLIED, _ABANDONED = b"\0", b"\1", b"\2"


class JournalError(Exception):
    """The journal is altered, cut, or belongs to another store."""


class Event(StrEnum):
    """What a journal entry is about."""

    CREATED = "created"
    STARTED = "started"
    SESSION_OPENED = "session-opened"
    SESSION_ENDED = "session-ended"
    REFUSED = "refused"
    LOCKED = "locked"
    CHANGED = "changed"
    PROPOSED = "proposed"
    PRESENCE_PROVED = "presence-proved"
    KEY_MADE = "key-made"
    KEY_DESTROYED = "key-destroyed"
    MESSAGE_ADOPTED = "message-adopted"
    TICKET_ISSUED = "ticket-issued"
    MESSAGE_OPENED = "message-opened"
    MESSAGE_DESTROYED = "message-destroyed"
    RECORDS_OPENED = "records-opened"
    NUMBERS_INDEXED = "numbers-indexed"
    NUMBER_LOOKED_UP = "number-looked-up"
    HEAD_SIGNED = "head-signed"
    BACKED_UP = "backed-up"
    RESTORED = "restored"
    CHECKPOINTED = "checkpointed"
    """The last entry of a closed part (`segments`)."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One line of the journal; identifiers and constants only."""

    event: Event
    sequence: int = 0
    at: int = 0
    act: str = ""
    person: UUID | None = None
    second: UUID | None = None
    subject: UUID | None = None
    also: tuple[UUID, ...] = ()
    """Other objects that the act ended: mailboxes that gave way to a new one."""
    operation: UUID | None = None
    ledger_row: bytes = b""
    digest: bytes = b""
    reason: str = ""
    sole: bool = False
    writer: UUID | None = None
    head_sequence: int = 0
    head_chain: bytes = b""


class Position(msgspec.Struct, frozen=True):
    """A place in the journal: what the store and ledger heads remember of it."""

    sequence: int = 0
    chain: bytes = GENESIS


def link(previous: bytes, mark: bytes, body: bytes) -> bytes:
    return sha256(b"journal v1\0", previous, mark, body)


class Journal:
    """Opened by the one process that writes it."""

    def __init__(
        self, path: Path, sync: Callable[[int], None] = os.fsync, *, evidence: bool = False
    ) -> None:
        self.path, self._sync = path, sync
        self._evidence = evidence
        flags = os.O_RDONLY if evidence else os.O_RDWR | os.O_CREAT
        self._file = os.open(path, flags | os.O_CLOEXEC, 0o600)
        self._offsets = array("Q")
        self.base = Position()
        self._end = 0
        self._mark = _APPLIED
        self.position = Position()
        self.applied = Position()
        """The last entry that took effect: where the store stands."""
        self.signature = b""

    def start(self, base: Position, signature: bytes = b"") -> None:
        """A new file, which goes on after `base`: the genesis, a restored backup's place, or,
        with the signature, the end of a closed part."""
        magic = _CUT_MAGIC if signature else _MAGIC
        header = magic + base.sequence.to_bytes(8, "big") + base.chain + signature
        os.pwrite(self._file, header, 0)
        self._sync(self._file)
        self._begin(base, signature)

    def _begin(self, base: Position, signature: bytes) -> None:
        self._end, self._mark = _HEADER + len(signature), _APPLIED
        self.base = self.position = self.applied = base
        self.signature = signature

    @property
    def size(self) -> int:
        return self._end

    def flush(self) -> None:
        """The last marks too, which are otherwise written without fsync."""
        self._sync(self._file)

    def go_on_in(self, following: "Journal") -> None:
        """The next part takes over; this one stays closed under its other name."""
        os.close(self._file)
        self._file, self._offsets = following._file, following._offsets
        self._begin(following.base, following.signature)

    def load(self, place: Position | None = None) -> None:
        """Reads and verifies the chain. What a crash tore at the end is cut off, but only if the
        store stands (at `place`) where the whole part ends; else it stays, as evidence."""
        header = os.pread(self._file, _HEADER + _SIGNATURE, 0)
        is_cut = header.startswith(_CUT_MAGIC) and len(header) == _HEADER + _SIGNATURE
        if not is_cut and (len(header) < _HEADER or not header.startswith(_MAGIC)):
            raise JournalError("journal: missing or not a journal")
        base = Position(int.from_bytes(header[8:16], "big"), header[16:_HEADER])
        self._begin(base, header[_HEADER:] if is_cut else b"")
        size = os.fstat(self._file).st_size
        while (record := self._next(size)) is not None:
            self._accept(*record)
        if self._end == size:
            return
        is_torn = self._record(self._end, size) is None
        if place not in (self.applied, self.position) and not (place is None and is_torn):
            raise JournalError("journal: the chain is broken")
        if self._evidence:
            return
        os.ftruncate(self._file, self._end)
        self._sync(self._file)

    def _next(self, size: int) -> tuple[bytes, bytes, bytes] | None:
        """The next record if it is whole and continues the chain."""
        record = self._record(self._end, size)
        if record is None or link(self.position.chain, self._mark, record[0]) != record[1]:
            return None
        if decode(record[0]).sequence != self.position.sequence + 1:
            raise JournalError("journal: a sequence is missing")
        return record

    def _record(self, offset: int, size: int) -> tuple[bytes, bytes, bytes] | None:
        if offset + 4 > size:
            return None
        length = int.from_bytes(os.pread(self._file, 4, offset), "big")
        if offset + 4 + length + _HASH + 1 > size:
            return None
        data = os.pread(self._file, length + _HASH + 1, offset + 4)
        if len(data) != length + _HASH + 1:
            return None
        return data[:length], data[length:-1], data[-1:]

    def _accept(self, body: bytes, chain: bytes, mark: bytes) -> None:
        self._offsets.append(self._end)
        self._end += 4 + len(body) + _HASH + 1
        self._mark = mark
        self.position = Position(self.position.sequence + 1, chain)
        if mark == _APPLIED:
            self.applied = self.position

    @property
    def is_pending(self) -> bool:
        """Whether the last entry waits for the store's word."""
        return self._mark == _PENDING

    def append(self, entry: Entry) -> Position:
        """Durable when it returns; on failure nothing has been appended."""
        entry = msgspec.structs.replace(entry, sequence=self.position.sequence + 1)
        body = msgspec.msgpack.encode(entry)
        chain = link(self.position.chain, self._mark, body)
        record = len(body).to_bytes(4, "big") + body + chain + _PENDING
        try:
            if os.pwrite(self._file, record, self._end) != len(record):
                raise OSError("journal: short write")
            self._sync(self._file)
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._accept(body, chain, _PENDING)
        return self.position

    def settle(self, *, applied: bool) -> None:
        """Written without fsync: after a power cut the store's own position tells."""
        self._mark = _APPLIED if applied else _ABANDONED
        os.pwrite(self._file, self._mark, self._end - 1)
        if applied:
            self.applied = self.position

    def page(self, start: int, limit: int = 1000) -> tuple[bytes, ...]:
        """Records from a sequence on, each as body, chain and mark (`parse_record`)."""
        first = max(0, start - self.base.sequence - 1)
        indexes = range(first, min(len(self._offsets), first + limit))
        return tuple(b"".join(self._read(index)) for index in indexes)

    def entries(self) -> list[Entry]:
        """Everything that took effect."""
        records = (self._read(index) for index in range(len(self._offsets)))
        return [decode(body) for body, _, mark in records if mark != _ABANDONED]

    def _read(self, index: int) -> tuple[bytes, bytes, bytes]:
        record = self._record(self._offsets[index], self._end)
        if record is None:
            raise JournalError("journal: was cut while in use")
        return record

    def close(self) -> None:
        os.close(self._file)


def decode(body: bytes) -> Entry:
    try:
        return msgspec.msgpack.decode(body, type=Entry)
    except msgspec.MsgspecError:
        raise JournalError("journal: an entry is not readable") from None


def parse_record(record: bytes) -> tuple[Entry, bytes, bytes, bool]:
    """(entry, body, chain, took effect) of one record of a page, for whoever verifies."""
    body, chain, mark = record[: -_HASH - 1], record[-_HASH - 1 : -1], record[-1:]
    return decode(body), body, chain, mark != _ABANDONED
