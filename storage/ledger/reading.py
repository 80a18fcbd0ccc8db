"""Reading rows for verification, byte for byte.

On SQLite text is read as bytes: a flipped bit may leave text that is no UTF-8, which must be found
and named, not raise. The two engines differ in how that is asked for.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.ledger.heads import Head
from storage.ledger.mentions import Mention
from storage.ledger.row import Row

CHUNK = 5_000
TEXTS = frozenset({"writer", "action", "outcome", "actor_kind", "subject_kind", "before", "after"})
_TEXT_AT = tuple(index for index, name in enumerate(Row._fields) if name in TEXTS)


class Reader:
    """Rows of the ledger inside one consistent look."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        columns = ", ".join(
            f"CAST({name} AS BLOB)" if self._is_sqlite and name in TEXTS else name
            for name in Row._fields
        )
        self._writer = "CAST(:writer AS TEXT)" if self._is_sqlite else ":writer"
        self._select = f"SELECT {columns} FROM ledger WHERE writer = {self._writer}"  # noqa: S608 - our own constants

    async def writers(self) -> list[str]:
        """A step per writer, not per row: the primary key begins with the writer."""
        column = "CAST(min(writer) AS BLOB)" if self._is_sqlite else "min(writer)"
        found: list[str] = []
        query = f"SELECT {column} FROM ledger"  # noqa: S608 - our own constants
        last = await self._scalar(query, {})
        while last is not None:
            found.append(self._decoded(last))
            last = await self._scalar(
                f"{query} WHERE writer > {self._writer}", {"writer": self._encoded(found[-1])}
            )
        return found

    async def count(self) -> int:
        return int(await self._scalar("SELECT count(*) FROM ledger", {}) or 0)

    async def at(self, writer: str, sequence: int) -> Row | None:
        query = text(f"{self._select} AND sequence = :sequence")
        rows = await self._rows(query, {"writer": writer, "sequence": sequence})
        return rows[0] if rows else None

    async def first_since(self, writer: str, micros: int) -> int | None:
        """The sequence of the first row recorded at or after a moment."""
        query = (
            "SELECT min(sequence) FROM ledger "  # noqa: S608 - our own constants
            f"WHERE writer = {self._writer} AND recorded_at >= :at"
        )
        found = await self._scalar(query, {"writer": self._encoded(writer), "at": micros})
        return None if found is None else int(found)

    async def after(self, writer: str, sequence: int) -> AsyncIterator[Sequence[Row]]:
        """Every row behind a sequence, in order, in chunks."""
        query = text(f"{self._select} AND sequence > :sequence ORDER BY sequence LIMIT {CHUNK}")
        while True:
            rows = await self._rows(query, {"writer": writer, "sequence": sequence})
            if not rows:
                return
            yield rows
            sequence = rows[-1].sequence

    async def heads(self) -> list[Head]:
        columns = ", ".join(Head._fields[1:])
        writer = "CAST(writer AS BLOB)" if self._is_sqlite else "writer"
        query = f"SELECT {writer}, {columns} FROM ledger_head ORDER BY writer, number"  # noqa: S608 - our own constants
        found = await self._connection.execute(text(query))
        return [Head(self._decoded(row[0]), *row[1:]) for row in found]

    async def mentions(self) -> AsyncIterator[Sequence[Mention]]:
        """The whole index, in chunks: each begins behind the last entry of the one before."""
        writer = "CAST(writer AS BLOB)" if self._is_sqlite else "writer"
        query = text(
            f"SELECT id, occurred_at, {writer}, sequence FROM ledger_mention "  # noqa: S608 - our own constants
            f"WHERE (id, occurred_at, writer, sequence) > (:id, :at, {self._writer}, :sequence) "
            f"ORDER BY id, occurred_at, writer, sequence LIMIT {CHUNK}"
        )
        last = Mention(b"", 0, "", 0)
        while True:
            values = {
                "id": last.id, "at": last.occurred_at, "writer": self._encoded(last.writer),
                "sequence": last.sequence,
            }  # fmt: skip
            found = (await self._connection.execute(query, values)).fetchall()
            if not found:
                return
            yield [Mention(row[0], row[1], self._decoded(row[2]), row[3]) for row in found]
            id, at, name, sequence = found[-1]
            last = Mention(id, at, self._decoded(name), sequence)

    async def _scalar(self, query: str, values: dict[str, object]) -> Any:
        return (await self._connection.execute(text(query), values)).scalar()

    async def _rows(self, query: TextClause, values: dict[str, object]) -> list[Row]:
        values["writer"] = self._encoded(str(values["writer"]))
        found = (await self._connection.execute(query, values)).fetchall()
        if not self._is_sqlite:
            return [Row(*row) for row in found]
        return [_decoded_row(row) for row in found]

    def _encoded(self, writer: str) -> str | bytes:
        return writer.encode(errors="surrogateescape") if self._is_sqlite else writer

    def _decoded(self, writer: str | bytes) -> str:
        return writer if isinstance(writer, str) else writer.decode(errors="surrogateescape")


def _decoded_row(row: Any) -> Row:
    values = list(row)
    for index in _TEXT_AT:
        value = values[index]
        if value is not None:
            values[index] = value.decode(errors="surrogateescape")
    return Row(*values)
