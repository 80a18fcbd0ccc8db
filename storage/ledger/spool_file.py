"""The bytes of a spool: two header slots written in turn, then rows one after another.

header slot = magic ‖ SHA-256 ‖ u32 length ‖ MessagePack of `Header`; the newer valid one counts
record      = magic ‖ u64 epoch ‖ u32 length ‖ MessagePack of the row, its hash included

The file has its full size from the beginning, so that a full disk cannot stop it (a file system
that copies on write cannot promise that). Emptying it writes one header with the next epoch; the
old rows stay until they are overwritten and no longer count.
"""

import os
import struct
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import msgspec

from storage.errors import StorageUnavailable
from storage.ledger.row import Row, Tip, chain, leaf

SLOT = 16 * 1024
BODY = 2 * SLOT
HEADER_MAGIC = b"pbxspool"
RECORD = struct.Struct(">4sQI")
RECORD_MAGIC = b"SPL1"


class Gap(msgspec.Struct, frozen=True):
    """Rows that were lost because the spool was full."""

    operation: bytes
    count: int
    kinds: dict[str, int]
    first: int
    last: int

    def and_one_more(self, kind: str, at: int) -> "Gap":
        kinds = {**self.kinds, kind: self.kinds.get(kind, 0) + 1}
        first, last = min(self.first, at), max(self.last, at)
        return Gap(self.operation, self.count + 1, kinds, first, last)


class Header(msgspec.Struct, frozen=True):
    """Where the chain stood when the spool was last emptied, and what was lost since."""

    generation: int
    epoch: int
    writer: str
    sequence: int
    hash: bytes
    recorded_at: int
    gap: Gap | None = None

    @property
    def tip(self) -> Tip:
        return Tip(self.writer, self.sequence, self.hash, self.recorded_at)

    def without_gap(self) -> "Header":
        return msgspec.structs.replace(self, gap=None)


@dataclass(slots=True)
class Contents:
    """What a spool holds."""

    header: Header
    rows: list[Row] = field(default_factory=list)
    end: int = BODY
    is_torn: bool = False
    """Behind the last whole row lies one that is not: cut by a crash, or altered."""
    is_broken: bool = False
    """Whole rows lie behind one that does not fit the chain: altered."""

    @property
    def tip(self) -> Tip:
        if not self.rows:
            return self.header.tip
        last = self.rows[-1]
        return Tip(last.writer, last.sequence, last.hash, last.recorded_at)


def create(path: Path, size: int, header: Header) -> None:
    """Set aside the whole file, then give it its name: it exists complete or not at all."""
    fresh = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
            # Written once in full: later writes change no file-system metadata.
            for offset in range(0, size, 1 << 20):
                os.pwrite(descriptor, bytes(min(1 << 20, size - offset)), offset)
            os.pwrite(descriptor, encode_header(header), 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(fresh, path)
        sync_directory(path.parent)
    except OSError as failure:
        fresh.unlink(missing_ok=True)
        raise StorageUnavailable("the spool cannot be set aside on disk") from failure


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def encode_header(header: Header) -> bytes:
    body = msgspec.msgpack.encode(header)
    slot = HEADER_MAGIC + sha256(body).digest() + struct.pack(">I", len(body)) + body
    return slot.ljust(SLOT, b"\0")


def encode_record(epoch: int, row: Row) -> bytes:
    body = msgspec.msgpack.encode(tuple(row))
    return RECORD.pack(RECORD_MAGIC, epoch, len(body)) + body


def read(path: Path) -> Contents:
    """Everything in a spool file; changes nothing."""
    try:
        data = path.read_bytes()
    except OSError as failure:
        raise StorageUnavailable("the spool cannot be read") from failure
    headers = [_decode_header(data[start : start + SLOT]) for start in (0, SLOT)]
    valid = [header for header in headers if header is not None]
    if not valid:
        raise StorageUnavailable("the spool has no valid header")
    contents = Contents(max(valid, key=lambda header: header.generation))
    _read_rows(data, contents)
    return contents


def _decode_header(slot: bytes) -> Header | None:
    start = len(HEADER_MAGIC) + 32 + 4
    (length,) = struct.unpack(">I", slot[start - 4 : start].rjust(4, b"\0"))
    body = slot[start : start + length]
    if slot[: len(HEADER_MAGIC)] != HEADER_MAGIC or sha256(body).digest() != slot[8:40]:
        return None
    return msgspec.msgpack.decode(body, type=Header)


def _read_rows(data: bytes, contents: Contents) -> None:
    epoch = contents.header.epoch
    while (row := _decode_record(data, contents.end, epoch)) is not None:
        previous = contents.tip
        fits = row.sequence == previous.sequence + 1 and row.writer == previous.writer
        if not fits or row.hash != chain(previous.hash, leaf(row)):
            break
        contents.rows.append(row)
        contents.end += len(encode_record(epoch, row))
    ours = struct.pack(">4sQ", RECORD_MAGIC, epoch)
    contents.is_torn = data.startswith(ours, contents.end)
    contents.is_broken = data.find(ours, contents.end + 1) != -1


def _decode_record(data: bytes, offset: int, epoch: int) -> Row | None:
    if offset + RECORD.size > len(data):
        return None
    magic, written_in, length = RECORD.unpack_from(data, offset)
    body = data[offset + RECORD.size : offset + RECORD.size + length]
    if magic != RECORD_MAGIC or written_in != epoch or len(body) != length:
        return None
    try:
        return Row(*msgspec.msgpack.decode(body, type=ROW))
    except (msgspec.MsgspecError, ValueError):
        return None


ROW = tuple[
    str,
    int,
    int,
    int,
    bytes,
    str,
    str,
    str,
    bytes | None,
    bytes | None,
    str | None,
    bytes | None,
    str | None,
    str | None,
    bytes | None,
    bytes,
]
"""A row on disk: the columns of `Row` in order."""
