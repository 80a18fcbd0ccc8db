"""The log of deposits under way: what a crash, or a ledger that cannot be written, must not lose.

A deposit is written here before its recording begins, and closed when message and ledger row are
committed. Who called is sealed under the key of the hour, as in the table; the copy of that key
that only the key holder opens stands beside it. An append is durable when it returns; several are
synced together. record = u32 length, u32 CRC, MessagePack.
"""

import asyncio
import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import msgspec
import structlog

from storage.ledger.spool_file import sync_directory
from storage.messages import NewMessage

log = structlog.get_logger()

HEAD = struct.Struct(">II")
MOST = 1 << 20
COMPACT_ABOVE = 4 << 20


class HourKey(msgspec.Struct, frozen=True):
    """What has to stand in the table of hourly keys for the caller to be read again."""

    id: UUID
    made_at: int
    sealed: bytes
    sealed_to: UUID


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag="begun"):
    """A recording is about to begin."""

    message: UUID
    mailbox: UUID
    content: bytes
    received_at: int
    call: UUID | None = None
    hour: HourKey | None = None
    caller_sealed: bytes | None = None
    forwarded_from: UUID | None = None
    is_copy: bool = False
    """A message sealed anew, not a recording: half of one is nothing."""


class Progressed(msgspec.Struct, frozen=True, tag="progressed"):
    """So much of it is durable, as its worker says."""

    content: bytes
    segments: int
    digest: bytes


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """It came to its end; the row is still to be committed."""

    message: NewMessage


class Noted(msgspec.Struct, frozen=True, tag="noted"):
    """The spool of the ledger has taken its ledger row."""

    content: bytes


class Unwanted(msgspec.Struct, frozen=True, tag="unwanted"):
    """Nobody wants it: its file is to be deleted, also after a crash."""

    content: bytes


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """Committed, or its file is deleted."""

    content: bytes


Record = Begun | Progressed | Finished | Noted | Unwanted | Closed


@dataclass(slots=True)
class OpenDeposit:
    """A deposit that nothing has closed."""

    begun: Begun
    segments: int = 0
    digest: bytes = b""
    finished: NewMessage | None = None
    has_row: bool = False
    is_unwanted: bool = False


@dataclass(slots=True)
class DepositLog:
    """One file, one writer."""

    path: Path
    open_: dict[bytes, OpenDeposit] = field(default_factory=dict)
    _descriptor: int = -1
    _waiting: list[tuple[bytes, asyncio.Future[None] | None]] = field(default_factory=list)
    _writing: asyncio.Task[None] | None = None

    @classmethod
    def open(cls, path: Path) -> "DepositLog":
        """Reads what a crash left, and begins a file that holds just that; raises OSError."""
        found = cls(path)
        for record in read(path):
            found._apply(record)
        found._rewrite()
        return found

    async def append(self, *records: Record) -> None:
        """On the disk when this returns; raises OSError where it cannot be."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((b"".join(map(_encode, records)), future))
        for record in records:
            self._apply(record)
        self._wake()
        await future

    def progressed(self, content: bytes, segments: int, digest: bytes) -> None:
        """Goes to the disk soon; nobody waits for it."""
        record = Progressed(content, segments, digest)
        self._apply(record)
        self._waiting.append((_encode(record), None))
        self._wake()

    async def close(self) -> None:
        while self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _wake(self) -> None:
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="deposit log")

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._put, b"".join(data for data, _ in batch))
            except OSError as failure:
                log.error("the log of deposits cannot be written", reason=type(failure).__name__)
                for _, future in batch:
                    if future is not None and not future.done():
                        future.set_exception(failure)
            else:
                for _, future in batch:
                    if future is not None and not future.done():
                        future.set_result(None)
        self._writing = None

    def _put(self, data: bytes) -> None:
        if os.fstat(self._descriptor).st_size > COMPACT_ABOVE:
            self._rewrite()
        end = os.fstat(self._descriptor).st_size
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, end)  # half a record would end the log for its reader
            raise

    def _rewrite(self) -> None:
        """Only what is open; the old file stands until the new one is whole."""
        fresh = self.path.with_name(self.path.name + ".new")
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(fresh, flags, 0o600)
        try:
            os.write(descriptor, b"".join(_encode(record) for record in self._records()))
            os.fsync(descriptor)
            os.rename(fresh, self.path)
            sync_directory(self.path.parent)
        except OSError:
            os.close(descriptor)
            raise
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = descriptor

    def _records(self) -> Iterable[Record]:
        for held in tuple(self.open_.values()):
            yield held.begun
            if held.segments:
                yield Progressed(held.begun.content, held.segments, held.digest)
            if held.finished is not None:
                yield Finished(held.finished)
            if held.has_row:
                yield Noted(held.begun.content)
            if held.is_unwanted:
                yield Unwanted(held.begun.content)

    def _apply(self, record: Record) -> None:
        match record:
            case Begun(content=content):
                self.open_[content] = OpenDeposit(record)
            case Closed(content):
                self.open_.pop(content, None)
            case Progressed(content, segments, digest) if content in self.open_:
                held = self.open_[content]
                held.segments, held.digest = segments, digest
            case Finished(message) if message.content in self.open_:
                self.open_[message.content].finished = message
            case Noted(content) if content in self.open_:
                self.open_[content].has_row = True
            case Unwanted(content) if content in self.open_:
                self.open_[content].is_unwanted = True


def read(path: Path) -> list[Record]:
    """Every whole record; what a crash tore off the end is not there."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    found: list[Record] = []
    offset = 0
    while offset + HEAD.size <= len(data):
        length, check = HEAD.unpack_from(data, offset)
        body = data[offset + HEAD.size : offset + HEAD.size + length]
        if length > MOST or len(body) < length or zlib.crc32(body) != check:
            break
        found.append(_decoder.decode(body))
        offset += HEAD.size + length
    return found


_decoder = msgspec.msgpack.Decoder(Record)


def _encode(record: Record) -> bytes:
    body = msgspec.msgpack.encode(record)
    return HEAD.pack(len(body), zlib.crc32(body)) + body
