"""Chain heads: where a writer's chain stood, signed by the key holder, which signs only extensions.

Made every minute or 1,000 rows. While the key holder is away heads are made unsigned; when it is
back it is given every leaf since the last one it signed. A head never spans two months, so that
each monthly segment ends in a head of its own.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol
from uuid import UUID

import structlog
from sqlalchemy import column, insert, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.identifiers import Clock
from storage.keyholder.client import Refused
from storage.keyholder.signing import SignedHead
from storage.ledger.months import month_of
from storage.ledger.row import Row, leaf
from storage.ledger.table import RAW

log = structlog.get_logger()

MOST_LEAVES = 5_000
"""Leaf hashes given to the key holder at a time; it takes 10,000."""


class Head(NamedTuple):
    """A head as stored, in the order of its columns."""

    writer: str
    number: int
    sequence: int
    hash: bytes
    made_at: int
    journal_sequence: int | None = None
    journal: bytes | None = None
    signature: bytes | None = None


HEADS = table("ledger_head", *(column(name) for name in Head._fields))


class HeadSigner(Protocol):
    """The key holder, or nobody until it is connected."""

    async def sign_head(
        self,
        writer: UUID,
        previous: int,
        leaves: Sequence[bytes],
        known: SignedHead | None = None,
    ) -> SignedHead: ...


def writer_id(writer: str) -> UUID:
    """How the key holder knows a writer."""
    return UUID(bytes=sha256(b"ledger writer " + writer.encode()).digest()[:16])


def signed(head: Head) -> SignedHead | None:
    """What the key holder signed, rebuilt from the stored head; None if it did not."""
    if head.signature is None or head.journal_sequence is None or head.journal is None:
        return None
    return SignedHead(
        writer_id(head.writer),
        head.sequence,
        head.hash,
        head.journal_sequence,
        head.journal,
        head.made_at,
        head.signature,
    )


async def newest(
    connection: AsyncConnection, writer: str, *, only_signed: bool = False
) -> Head | None:
    query = select(HEADS).where(HEADS.c.writer == writer)
    if only_signed:
        query = query.where(HEADS.c.signature.is_not(None))
    found = await connection.execute(query.order_by(HEADS.c.number.desc()).limit(1))
    row = found.one_or_none()
    return None if row is None else Head(*row)


class HeadMaker:
    """Makes the next heads of one writer's chain."""

    def __init__(self, database: Database, *, clock: Clock, signer: HeadSigner | None) -> None:
        self._database = database
        self._clock = clock
        self._signer = signer
        self.is_disputed = False
        """The key holder remembers another history of this chain: a rollback, or worse."""

    async def make(self, writer: str) -> int:
        """Bring the heads up to the end of the chain; the number of heads made."""
        made = 0
        if self._signer is not None:
            try:
                while await self._sign_next(writer, self._signer):
                    made += 1
            except Refused:
                self._dispute()
            except Exception as failure:  # noqa: BLE001 - no reason of the signer's stops unsigned heads
                log.warning("ledger head is not signed", reason=type(failure).__name__)
        while await self._note_next(writer):
            made += 1
        return made

    async def _sign_next(self, writer: str, signer: HeadSigner) -> bool:
        async with self._database.read() as connection:
            last = await newest(connection, writer, only_signed=True)
            rows = await _rows_after(connection, writer, last.sequence if last else 0)
        if not rows:
            return False
        end = rows[-1]
        answer = await signer.sign_head(
            writer_id(writer),
            rows[0].sequence - 1,
            [leaf(row) for row in rows],
            signed(last) if last else None,
        )
        if (answer.sequence, answer.chain) != (end.sequence, end.hash):
            self._dispute()
            return False
        self.is_disputed = False
        await self._store(
            writer,
            end,
            answer.signed_at,
            answer.journal_sequence,
            answer.journal_chain,
            answer.signature,
        )
        return True

    def _dispute(self) -> None:
        self.is_disputed = True
        log.error("the key holder sees another ledger than the database")

    async def _note_next(self, writer: str) -> bool:
        async with self._database.read() as connection:
            last = await newest(connection, writer)
            rows = await _rows_after(connection, writer, last.sequence if last else 0)
        if rows:
            await self._store(writer, rows[-1], self._clock())
        return bool(rows)

    async def _store(self, writer: str, end: Row, made_at: int, *proof: int | bytes) -> None:
        async with self._database.begin() as connection:
            last = await newest(connection, writer)
            number = last.number + 1 if last else 1
            head = Head(writer, number, end.sequence, end.hash, made_at, *proof)  # type: ignore[arg-type]
            await connection.execute(insert(HEADS), [head._asdict()])


async def _rows_after(connection: AsyncConnection, writer: str, sequence: int) -> list[Row]:
    """The next rows, up to the end of their month."""
    query = select(RAW).where(RAW.c.writer == writer, RAW.c.sequence > sequence)
    found = await connection.execute(query.order_by(RAW.c.sequence).limit(MOST_LEAVES))
    rows = [Row(*row) for row in found]
    for index, row in enumerate(rows):
        if month_of(row.recorded_at) != month_of(rows[0].recorded_at):
            return rows[:index]
    return rows
