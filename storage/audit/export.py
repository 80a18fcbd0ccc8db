"""Rows of the ledger in a file that a stranger can verify (SECURITY.md, questions to the ledger).

The export is a row itself: it names where every other chain stood, stands in the exchange's own
chain, and the file ends with the first signed head at or after it. So nothing can be left out, at
the end or in between, added or changed without breaking a hash or the signature.

Lines are JSON in one form only: ASCII, members sorted, no spaces; bytes are small hexadecimals.
"""

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.ledger.actions import Action, Outcome
from storage.ledger.heads import HEADS, Head, signed
from storage.ledger.row import GENESIS, Row
from storage.ledger.segments import SEGMENTS
from storage.ledger.table import RAW

FORMAT: Final = "hipaa-pbx ledger export 1"
PAGE: Final = 2_000


class Chain(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an export has of one chain; of the exchange's own, the head says the end."""

    first: int
    previous: str
    """The value of the chain before `first`."""
    last: int = 0
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """An export that was begun, as its row tells it."""

    operation: UUID
    person: UUID
    writer: str
    chains: dict[str, Chain]
    head: Head | None
    """None: the key holder has not signed beyond the row yet."""

    def spans(self) -> list[tuple[str, int, int]]:
        """Writer, first and last row, in the order of the file."""
        own = 0 if self.head is None else self.head.sequence
        return [
            (writer, chain.first, own if writer == self.writer else chain.last)
            for writer, chain in sorted(self.chains.items())
        ]


async def chains_of(connection: AsyncConnection, own: str, since: int) -> dict[str, Chain]:
    """Where each chain begins in an export of rows recorded since then, and where it stands."""
    query = select(RAW.c.writer, func.max(RAW.c.sequence)).group_by(RAW.c.writer)
    found = {}
    for writer, last in (await connection.execute(query)).all():
        of_writer = RAW.c.writer == writer
        begins = select(func.min(RAW.c.sequence)).where(of_writer, RAW.c.recorded_at >= since)
        first = await connection.scalar(begins)
        if first is None:
            if writer != own:
                continue
            first = last + 1
        previous = await _hash_at(connection, writer, first - 1)
        if writer == own:
            found[writer] = Chain(first=first, previous=previous.hex())
        else:
            end = await _hash_at(connection, writer, last)
            found[writer] = Chain(first=first, previous=previous.hex(), last=last, hash=end.hex())
    return found


async def _hash_at(connection: AsyncConnection, writer: str, sequence: int) -> bytes:
    row = select(RAW.c.hash).where(RAW.c.writer == writer, RAW.c.sequence == sequence)
    moved = select(SEGMENTS.c.hash).where(SEGMENTS.c.writer == writer, SEGMENTS.c.last == sequence)
    return await connection.scalar(row) or await connection.scalar(moved) or GENESIS


async def find(connection: AsyncConnection, operation: UUID) -> Export | None:
    """An export by its operation."""
    query = select(RAW).where(
        RAW.c.action == Action.AUDIT_EXPORTED,
        RAW.c.outcome == Outcome.DONE,
        RAW.c.operation == operation.bytes,
    )
    found = (await connection.execute(query)).first()
    if found is None:
        return None
    row = Row(*found)
    heads = select(HEADS).where(
        HEADS.c.writer == row.writer,
        HEADS.c.sequence >= row.sequence,
        HEADS.c.signature.is_not(None),
    )
    head = (await connection.execute(heads.order_by(HEADS.c.number).limit(1))).one_or_none()
    chains = msgspec.json.decode(row.after or "{}", type=dict[str, Any])["chains"]
    return Export(
        operation,
        UUID(bytes=row.actor_id or bytes(16)),
        row.writer,
        msgspec.convert(chains, type=dict[str, Chain]),
        None if head is None else Head(*head),
    )


async def lines(connection: AsyncConnection, export: Export, at: int) -> tuple[list[str], int]:
    """A page of the file from its row number `at` on, and where the next begins; 0: the end."""
    rows: list[str] = []
    total = 0
    for writer, first, last in export.spans():
        start = first + max(at + len(rows) - total, 0)
        total += last - first + 1
        if start <= last and len(rows) < PAGE:
            query = (
                select(RAW)
                .where(RAW.c.writer == writer, RAW.c.sequence.between(start, last))
                .order_by(RAW.c.sequence)
                .limit(PAGE - len(rows))
            )
            rows += [row_line(Row(*row)) for row in (await connection.execute(query)).all()]
    header = [_line({"format": FORMAT, "operation": str(export.operation)})] if at == 0 else []
    if at + len(rows) < total:
        return header + rows, at + len(rows)
    return [*header, *rows, _end(export)], 0


def row_line(row: Row) -> str:
    return _line([value.hex() if isinstance(value, bytes) else value for value in row])


def _end(export: Export) -> str:
    head = None if export.head is None else signed(export.head)
    if head is None:
        raise ValueError("export: the key holder has not signed it yet")
    fields = {name: getattr(head, name) for name in head.__struct_fields__}
    shown = {
        name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()
    }
    return _line({"head": shown | {"writer": str(head.writer)}})


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
