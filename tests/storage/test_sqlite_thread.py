import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storage.sqlite_thread import FIRST, Connection, connect


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Connection]:
    connection = connect(
        str(path / "x.db"), check_same_thread=False, isolation_level=None, timeout=0
    )
    await connection
    await run(connection, "PRAGMA synchronous = OFF")  # not what is tested here
    try:
        yield connection
    finally:
        await connection.close()


async def run(connection: Connection, sql: str, *parameters: object) -> list[object]:
    cursor = connection.cursor()
    await cursor.execute(sql, parameters)
    return await cursor.fetchall()


async def test_rows_come_with_their_statement_and_the_rest_when_it_is_asked_for(tmp_path) -> None:
    numbers = [(n,) for n in range(2 * FIRST + 50)]
    async with connected(tmp_path) as connection:
        await run(connection, "CREATE TABLE t (n INTEGER)")
        cursor = connection.cursor()
        await cursor.executemany("INSERT INTO t VALUES (?)", numbers)
        assert cursor.rowcount == len(numbers)
        assert cursor.description is None
        assert cursor.lastrowid is None
        assert await run(connection, "SELECT n FROM t") == numbers
        assert await run(connection, "SELECT n FROM t WHERE n < 3") == numbers[:3]

        cursor = connection.cursor()
        await cursor.execute("SELECT n FROM t")
        assert cursor.description[0][0] == "n"
        found = [await cursor.fetchone()]
        while slice := await cursor.fetchmany(60):
            found += slice
        assert found == numbers
        assert await cursor.fetchone() is None
        await cursor.close()
        assert await cursor.fetchmany() == await cursor.fetchall() == []

        cursor = connection.cursor()
        await cursor.execute("SELECT n FROM t")
        await cursor.close()  # nobody wants the rest
        await run(connection, "DROP TABLE t")


async def test_what_begins_a_transaction_goes_with_the_statement_that_follows(tmp_path) -> None:
    async with connected(tmp_path) as one, connected(tmp_path) as other:
        await run(one, "CREATE TABLE t (n INTEGER)")
        await run(one, "BEGIN IMMEDIATE")
        await run(one, "SAVEPOINT s")
        await run(other, "INSERT INTO t VALUES (1)")  # nobody has the lock yet
        await run(one, "INSERT INTO t VALUES (2)")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await run(other, "INSERT INTO t VALUES (3)")
        await run(one, "ROLLBACK TO s")
        await run(one, "INSERT INTO t VALUES (4)")
        await run(one, "RELEASE s")
        await one.commit()

        assert await run(other, "SELECT n FROM t") == [(1,), (4,)]


async def test_nothing_is_done_without_the_transaction_it_belongs_to(tmp_path) -> None:
    async with connected(tmp_path) as one, connected(tmp_path) as other:
        await run(one, "CREATE TABLE t (n INTEGER)")
        await run(one, "BEGIN IMMEDIATE")
        await run(one, "INSERT INTO t VALUES (1)")
        await run(other, "BEGIN IMMEDIATE")
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                await run(other, "INSERT INTO t VALUES (2)")
        await one.commit()
        await run(other, "INSERT INTO t VALUES (3)")
        assert other.in_transaction
        await other.rollback()

        assert await run(one, "SELECT n FROM t") == [(1,)]


async def test_a_transaction_in_which_nothing_was_done_leaves_nothing_behind(tmp_path) -> None:
    async with connected(tmp_path) as connection:
        for end in (connection.commit, connection.rollback):
            await run(connection, "BEGIN")
            await end()
            assert await run(connection, "SELECT 1") == [(1,)]
            assert not connection.in_transaction
