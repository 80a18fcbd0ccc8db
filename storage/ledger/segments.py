"""Monthly segments: what lets old rows move off the box without breaking verification.

A segment says where its month begins and ends in the chain; the head at its end is signed like any
other. Moving off needs the owner's account: rows go to a file, a departure with the file's digest
stays, the guards are back before the transaction ends.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, column, delete, func, insert, select, table, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import schema
from storage.errors import StorageError, StorageUnavailable
from storage.identifiers import Clock
from storage.ledger import months
from storage.ledger.heads import HEADS
from storage.ledger.mentions import MENTIONS
from storage.ledger.row import GENESIS, Row, chain, leaf
from storage.ledger.spool_file import ROW, sync_directory
from storage.ledger.table import RAW

LABEL = "hipaa-pbx ledger segment 1"


class Segment(NamedTuple):
    """A closed month of one writer, in the order of its columns."""

    writer: str
    month: int
    first: int
    last: int
    previous: bytes
    hash: bytes
    made_at: int


SEGMENTS = table("ledger_segment", *(column(name) for name in Segment._fields))
DEPARTURES = table(
    "ledger_departure", *(column(name) for name in ("writer", "month", "digest", "moved_at"))
)


async def close_months(connection: AsyncConnection, writer: str, clock: Clock) -> list[Segment]:
    """Make the segments of months that are over: those after which a row has been recorded."""
    closed = []
    while (segment := await _next(connection, writer, clock)) is not None:
        await connection.execute(insert(SEGMENTS), [segment._asdict()])
        closed.append(segment)
    return closed


async def _next(connection: AsyncConnection, writer: str, clock: Clock) -> Segment | None:
    before = (
        await connection.execute(
            select(SEGMENTS)
            .where(SEGMENTS.c.writer == writer)
            .order_by(SEGMENTS.c.month.desc())
            .limit(1)
        )
    ).one_or_none()
    start = before.last if before else 0
    rows = select(RAW.c.sequence, RAW.c.recorded_at, RAW.c.hash).where(RAW.c.writer == writer)
    beyond = rows.where(RAW.c.sequence > start).order_by(RAW.c.sequence)
    first = (await connection.execute(beyond.limit(1))).one_or_none()
    newest = (await connection.execute(rows.order_by(RAW.c.sequence.desc()).limit(1))).one_or_none()
    if first is None or newest is None:
        return None
    month = months.month_of(first.recorded_at)
    if month == months.month_of(newest.recorded_at):
        return None
    within = RAW.c.recorded_at < months.start_of(months.following(month))
    end = (
        await connection.execute(
            rows.where(RAW.c.sequence > start, within).order_by(RAW.c.sequence.desc()).limit(1)
        )
    ).one()
    previous = before.hash if before else GENESIS
    return Segment(writer, month, first.sequence, end.sequence, previous, end.hash, clock())


async def staying(connection: AsyncConnection) -> list[Segment]:
    """Closed months whose rows are in the table, oldest first."""
    departures = await connection.execute(select(DEPARTURES.c.writer, DEPARTURES.c.month))
    departed = {(row.writer, row.month) for row in departures}
    query = select(SEGMENTS).order_by(SEGMENTS.c.month, SEGMENTS.c.writer)
    found = [Segment(*row) for row in (await connection.execute(query)).all()]
    return [one for one in found if (one.writer, one.month) not in departed]


async def gone_before(connection: AsyncConnection) -> int | None:
    """Rows recorded before this moment may stand in files, where no question finds them."""
    month = await connection.scalar(select(func.max(DEPARTURES.c.month)))
    return None if month is None else months.start_of(months.following(month))


def move_off(owner: URL, segment: Segment, directory: Path, clock: Clock) -> Path:
    """Write the segment's rows to a file and take them out of the table; blocking."""
    path = file_of(directory, segment)
    engine = schema.owner_engine(owner)
    try:
        with engine.begin() as connection:
            _require_signed(connection, segment)
            digest = _write(connection, segment, path)
            departure = {
                "writer": segment.writer,
                "month": segment.month,
                "digest": digest,
                "moved_at": clock(),
            }
            try:
                connection.execute(insert(DEPARTURES), [departure])
                _delete_rows(connection, segment)
            except BaseException:
                path.unlink()
                raise
    except DBAPIError as failure:
        raise StorageUnavailable(
            "the database's owner cannot change it; nothing was moved"
        ) from failure
    finally:
        engine.dispose()
    return path


def file_of(directory: Path, segment: Segment) -> Path:
    return directory / f"{segment.writer}-{segment.month}.ledger"


def rows_of(path: Path, digest: bytes) -> Iterator[Row]:
    """The rows of a segment's file; raises StorageError if it is not the file that left."""
    data = path.read_bytes()
    if sha256(data).digest() != digest:
        raise StorageError("the segment's file is not the one that was moved off")
    label, rows = msgspec.msgpack.decode(data, type=tuple[str, list[ROW]])
    if label != LABEL:
        raise StorageError("the segment's file has an unknown format")
    return (Row(*row) for row in rows)


def _require_signed(connection: Connection, segment: Segment) -> None:
    heads = select(func.count()).where(
        HEADS.c.writer == segment.writer,
        HEADS.c.sequence == segment.last,
        HEADS.c.hash == segment.hash,
        HEADS.c.signature.is_not(None),
    )
    if not connection.execute(heads).scalar():
        raise StorageError("the segment's last row has no signed head yet; nothing was moved")


def _write(connection: Connection, segment: Segment, path: Path) -> bytes:
    found = connection.execute(
        select(RAW)
        .where(RAW.c.writer == segment.writer, RAW.c.sequence.between(segment.first, segment.last))
        .order_by(RAW.c.sequence)
    )
    rows = [Row(*row) for row in found]
    previous = segment.previous
    for sequence, row in enumerate(rows, segment.first):
        previous = chain(previous, leaf(row))
        if row.sequence != sequence or row.hash != previous:
            raise StorageError("the segment does not verify; nothing was moved")
    if previous != segment.hash:
        raise StorageError("the segment does not verify; nothing was moved")
    data = msgspec.msgpack.encode((LABEL, [tuple(row) for row in rows]))
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)
    return sha256(data).digest()


def _delete_rows(connection: Connection, segment: Segment) -> None:
    """The rows, and what the index of mentions says of them."""
    for name, rows in (("ledger_mention", MENTIONS), ("ledger", RAW)):
        within = rows.c.sequence.between(segment.first, segment.last)
        gone = delete(rows).where(rows.c.writer == segment.writer, within)
        with _unguarded(connection, name):
            connection.execute(gone)


@contextmanager
def _unguarded(connection: Connection, name: str) -> Iterator[None]:
    """The table does not refuse deletions meanwhile; a failure undoes the whole transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER {name}_no_change"))
        yield
        connection.execute(text(f"ALTER TABLE {name} ENABLE TRIGGER {name}_no_change"))
        return
    guard = connection.execute(
        text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name"),
        {"name": f"{name}_no_delete"},
    ).scalar_one()
    connection.execute(text(f"DROP TRIGGER {name}_no_delete"))
    yield
    connection.exec_driver_sql(guard)
