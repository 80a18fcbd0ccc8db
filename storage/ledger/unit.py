"""A unit of work: a change and the rows that record it, committed together or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.ledger.entry import Entry
from storage.ledger.row import Row


class Unit:
    """What a unit of work gets: a connection inside its own savepoint, and a place for its rows.

    A unit must let database errors pass: one that swallows "disk full" would go on outside the
    transaction that SQLite has already rolled back.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.entries: list[Entry] = []
        self.rows: tuple[Row, ...] = ()
        """The rows as numbered and hashed; there once `run` returns."""

    def record(self, entry: Entry) -> None:
        self.entries.append(entry)


Work = Callable[[Unit], Awaitable[Any]]


@dataclass(slots=True, eq=False)
class Pending:
    """A unit (or a note: rows without a change) waiting for the next transaction."""

    work: Work | None
    entries: list[Entry] = field(default_factory=list)
    answer: asyncio.Future[Any] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    unit: Unit | None = None
    result: Any = None
    is_probe: bool = False
    """Asks only whether the ledger can be written."""

    @property
    def is_note(self) -> bool:
        return self.work is None

    @property
    def is_abandoned(self) -> bool:
        """Nobody waits for it any more; a note is written all the same."""
        return self.answer.cancelled() and not self.is_note

    def succeed(self, result: Any) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, failure: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(failure)
