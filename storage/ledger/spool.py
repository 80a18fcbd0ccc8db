"""Where rows go that cannot be refused while the ledger cannot be written.

A preallocated file with a chain of its own (its writer is named after the exchange and the file),
every append fsynced. The last part is reserved for emergency calls. When it is full, rows are
counted by kind in the header; one gap row stands for them once there is room.
"""

import fcntl
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import UUID

import msgspec
import structlog

from storage.errors import StorageUnavailable
from storage.identifiers import Clock, new_id
from storage.ledger import spool_file
from storage.ledger.actions import EMERGENCY, Action, Outcome
from storage.ledger.entry import SYSTEM, Entry
from storage.ledger.row import GENESIS, Row, Tip
from storage.ledger.spool_file import BODY, SLOT, Contents, Gap, Header

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some entries."""

    spooled: int
    lost: int


class Spool:
    """One open spool; blocking calls, to be made off the event loop."""

    def __init__(self, descriptor: int, contents: Contents, size: int, reserved: int) -> None:
        self._descriptor = descriptor
        self._header = contents.header
        self._rows = contents.rows
        self._end = contents.end
        self._tip = contents.tip
        self._size, self._reserved = size, reserved
        self._is_doubtful = False
        self.was_torn = contents.is_torn or contents.is_broken

    @classmethod
    def open(cls, path: Path, writer: str, *, size: int, reserved: int) -> Self:
        """Open the spool of this writer, setting it aside first if there is none."""
        if not path.exists():
            name = f"{writer}.spool.{secrets.token_hex(4)}"
            spool_file.create(path, size, Header(0, 1, name, 0, GENESIS, 0))
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            contents = spool_file.read(path)
        except BlockingIOError:
            os.close(descriptor)
            raise StorageUnavailable("the spool is in use by another process") from None
        except StorageUnavailable:
            os.close(descriptor)
            raise
        spool = cls(descriptor, contents, os.fstat(descriptor).st_size, reserved)
        spool._forget_recorded_gap()
        return spool

    @property
    def writer(self) -> str:
        return self._header.writer

    @property
    def rows(self) -> Sequence[Row]:
        """What waits to be imported, in order."""
        return tuple(self._rows)

    @property
    def gap(self) -> Gap | None:
        return self._header.gap

    def append(self, entries: Sequence[Entry], clock: Clock) -> Taken:
        """Record what fits; on return that is on disk, and the rest is counted as a gap."""
        tip, end = self._tip, self._end
        taken: list[tuple[Row, bytes]] = []
        lost: list[Row] = []
        for entry in entries:
            row, extended = tip.extend(entry, clock())
            record = spool_file.encode_record(self._header.epoch, row)
            limit = self._size if entry.action in EMERGENCY else self._size - self._reserved
            if end + len(record) > limit:
                lost.append(row)
                continue
            tip, end = extended, end + len(record)
            taken.append((row, record))
        if not self._accept(taken):
            lost = [row for row, _ in taken] + lost
        self._widen_gap(lost, clock)
        return Taken(len(entries) - len(lost), len(lost))

    def record_gap(self, clock: Clock) -> None:
        """Turn what was lost into a row. Called on an empty spool, so there is room."""
        gap = self._header.gap
        if gap is None:
            return
        entry = Entry(
            action=Action.LEDGER_GAP,
            outcome=Outcome.FAILED,
            actor=SYSTEM,
            operation=UUID(bytes=gap.operation),
            after={"count": gap.count, "kinds": gap.kinds, "from": gap.first, "to": gap.last},
        )
        row, _ = self._tip.extend(entry, clock())
        if self._accept([(row, spool_file.encode_record(self._header.epoch, row))]):
            self._put_header(self._header.without_gap())

    def clear(self) -> None:
        """Every row is safe in the ledger: start again from the beginning of the file."""
        tip, epoch = self._tip, self._header.epoch + 1
        header = msgspec.structs.replace(
            self._header,
            epoch=epoch,
            sequence=tip.sequence,
            hash=tip.hash,
            recorded_at=tip.recorded_at,
        )
        self._put_header(header)
        self._rows, self._end = [], BODY

    def close(self) -> None:
        os.close(self._descriptor)

    def _accept(self, records: Sequence[tuple[Row, bytes]]) -> bool:
        """Write and sync; False if that failed, and then nothing counts as recorded."""
        if not records:
            return True
        try:
            if self._is_doubtful:  # a header that failed may be on the disk all the same
                self._put_header(self._header)
            self._write(b"".join(record for _, record in records), self._end)
        except (OSError, StorageUnavailable) as failure:
            log.error("spool cannot be written", reason=type(failure).__name__)
            return False
        self._end += sum(len(record) for _, record in records)
        self._rows += [row for row, _ in records]
        last = records[-1][0]
        self._tip = Tip(last.writer, last.sequence, last.hash, last.recorded_at)
        return True

    def _widen_gap(self, lost: Sequence[Row], clock: Clock) -> None:
        if not lost:
            return
        gap = self._header.gap or Gap(new_id(clock).bytes, 0, {}, lost[0].recorded_at, 0)
        for row in lost:
            gap = gap.and_one_more(row.action, row.recorded_at)
        header = msgspec.structs.replace(self._header, gap=gap)
        try:
            self._put_header(header)
        except StorageUnavailable:
            self._header = header  # still counted in memory

    def _forget_recorded_gap(self) -> None:
        """A crash between the gap's row and the header leaves both: the row counts."""
        gap = self._header.gap
        if gap is not None and any(row.operation == gap.operation for row in self._rows):
            self._put_header(self._header.without_gap())

    def _put_header(self, header: Header) -> None:
        """The new header counts once it is on the disk; until then the old one stands."""
        generation = self._header.generation + 1
        header = msgspec.structs.replace(header, generation=generation)
        try:
            self._write(spool_file.encode_header(header), generation % 2 * SLOT)
        except OSError as failure:
            self._is_doubtful = True
            log.error("spool cannot be written", reason=type(failure).__name__)
            raise StorageUnavailable("the spool cannot be written") from failure
        self._header, self._is_doubtful = header, False

    def _write(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written
        os.fdatasync(self._descriptor)
