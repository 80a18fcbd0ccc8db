"""The ledger table as the committer and the verifier touch it: lock, tip, append, rows in order."""

from collections.abc import Sequence
from hashlib import sha256

from sqlalchemy import bindparam, column, insert, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.ledger.mentions import MENTIONS, mentions
from storage.ledger.row import Row, Tip

# Untyped on purpose: what is hashed is what is stored, with no conversion in between.
RAW = table("ledger", *(column(name) for name in Row._fields))
# Made once: each unit of work asks, and making the question takes as long as asking it.
_TIP = (
    select(RAW.c.sequence, RAW.c.hash, RAW.c.recorded_at)
    .where(RAW.c.writer == bindparam("writer"))
    .order_by(RAW.c.sequence.desc())
    .limit(1)
)
_APPEND, _MENTION = insert(RAW), insert(MENTIONS)


async def lock(connection: AsyncConnection, writer: str) -> None:
    """One writer of a chain at a time, until the transaction ends (SQLite has one anyway).

    The service's role has no UPDATE, so it cannot lock a row; an advisory lock needs no right.
    """
    if connection.dialect.name == "postgresql":
        key = int.from_bytes(sha256(b"ledger writer " + writer.encode()).digest()[:8], signed=True)
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


async def tip(connection: AsyncConnection, writer: str) -> Tip:
    """Where the writer's chain ends now."""
    last = (await connection.execute(_TIP, {"writer": writer})).one_or_none()
    return Tip.start(writer) if last is None else Tip(writer, *last)


async def append(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows, and whom they mention, in one transaction."""
    if rows:
        await connection.execute(_APPEND, [row._asdict() for row in rows])
    if named := [mention._asdict() for mention in mentions(rows)]:
        await connection.execute(_MENTION, named)
