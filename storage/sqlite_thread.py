"""SQLite on a thread of its own for each connection: a statement and its rows are one turn of it.

`aiosqlite` takes a turn to make a cursor, one to execute, one to fetch and one to close; each is
two changes of threads, which cost more than most of our statements. What begins a transaction or a
savepoint, or releases one, has no rows: it waits for the statement that follows and goes with it.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

import aiosqlite

FIRST = 100
"""Rows that come with their statement; there are seldom more, and a slice is as long."""
_GO_WITH_THE_NEXT = ("BEGIN", "SAVEPOINT", "RELEASE")


class Connection(aiosqlite.Connection):
    """As SQLAlchemy's adapter uses it."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=FIRST)
        self._thread.daemon = True  # as SQLAlchemy wants it: nobody waits for it at exit
        self._deferred: list[str] = []

    def cursor(self) -> "Cursor":  # type: ignore[override]  # nothing to wait for
        return Cursor(self)

    async def begin_turn(self, sql: str, parameters: Any, *, many: bool = False) -> "Turn | None":
        """What was deferred, then this; nothing yet, if it can wait itself."""
        if sql.startswith(_GO_WITH_THE_NEXT):
            self._deferred.append(sql)
            return None
        turn: Turn = await self.turn(Turn, self._conn, self._deferred, sql, parameters, many)
        return turn

    async def turn(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Let the thread do it."""
        return await self._execute(work, *arguments)  # type: ignore[no-untyped-call]

    async def commit(self) -> None:
        if self.in_transaction:
            self._deferred.clear()  # at most the release of a savepoint, which a commit does
            await super().commit()
        self._deferred.clear()

    async def rollback(self) -> None:
        self._deferred.clear()
        if self.in_transaction:
            await super().rollback()


class Turn:
    """A statement that was executed, with its first rows."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        before: list[str],
        sql: str,
        parameters: Any,
        many: bool,
    ) -> None:
        while before:  # one that fails is tried again: nothing may be done without its BEGIN
            connection.execute(before[0]).close()
            del before[0]
        self.cursor = connection.cursor()
        if many:
            self.cursor.executemany(sql, parameters)
        else:
            self.cursor.execute(sql, parameters)
        self.description, self.rowcount = self.cursor.description, self.cursor.rowcount
        self.rows = self.cursor.fetchmany(FIRST) if self.description else []
        self.is_over = len(self.rows) < FIRST
        if self.is_over:
            self.cursor.close()


class Cursor:
    """One statement at a time."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._turn: Turn | None = None

    async def __aenter__(self) -> "Cursor":
        return self

    @property
    def description(self) -> Any:
        return self._turn.description if self._turn else None

    @property
    def rowcount(self) -> int:
        return self._turn.rowcount if self._turn else -1

    @property
    def lastrowid(self) -> int | None:
        return self._turn.cursor.lastrowid if self._turn else None

    async def execute(self, sql: str, parameters: Any = ()) -> None:
        self._turn = await self._connection.begin_turn(sql, parameters)

    async def executemany(self, sql: str, parameters: Any) -> None:
        self._turn = await self._connection.begin_turn(sql, parameters, many=True)

    async def fetchone(self) -> Any:
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    async def fetchmany(self, size: int = 1) -> list[Any]:
        turn = self._turn
        if turn is None:
            return []
        if not turn.rows and not turn.is_over:
            turn.rows = await self._connection.turn(turn.cursor.fetchmany, max(size, FIRST))
            turn.is_over = not turn.rows
        rows, turn.rows = turn.rows[:size], turn.rows[size:]
        return rows

    async def fetchall(self) -> list[Any]:
        turn = self._turn
        if turn is None:
            return []
        rows, turn.rows = turn.rows, []
        if not turn.is_over:
            rows += await self._connection.turn(turn.cursor.fetchall)
            turn.is_over = True
        return rows

    async def close(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None and not turn.is_over:
            await self._connection.turn(turn.cursor.close)


def connect(database: str, **options: Any) -> Connection:
    """For SQLAlchemy (`async_creator_fn`)."""
    return Connection(lambda: sqlite3.connect(database, **options))
