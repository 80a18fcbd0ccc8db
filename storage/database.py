"""One database, two engines: SQLite beside us or PostgreSQL by URL, always through this door.

`begin` is one write transaction, `read` one consistent look. SQLite runs in WAL mode with
synchronous=FULL: what was committed survives a crash of the machine.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage import schema, sqlite_thread
from storage.config import database_url
from storage.errors import SchemaNotCurrent, StorageUnavailable, UnsafeRole
from storage.failures import is_storage_failure
from storage.sqlite import BUSY_SECONDS, prepare_sqlite

POSTGRES = {
    "connect_timeout": 5,
    "tcp_user_timeout": 5_000,
    "options": "-c lock_timeout=5s -c statement_timeout=60s -c synchronous_commit=on",
}
"""A server that has gone silent must not hold up the exchange for longer than this."""

SLOW, SPARED = 1.0, 3.0
"""Where the server has let us wait for so long in vain, nobody else waits for so long: an exchange
that starts would ask it four times before it lets phones in."""


class Database:
    """The service's connections; made with `open` (checked) or `connect` (not yet)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._writing = asyncio.Lock()
        self._asked_again_at = 0.0
        self.is_sqlite = engine.dialect.name == "sqlite"

    @classmethod
    def connect(cls, url: str | URL) -> Self:
        """No connection is made yet: for a start while the database may be gone."""
        url = database_url(url) if isinstance(url, str) else url
        options: dict[str, Any] = {}
        if url.get_backend_name() == "postgresql":
            options = {"pool_pre_ping": True, "connect_args": POSTGRES}
        else:
            options = {"connect_args": {"async_creator_fn": sqlite_thread.connect}}
        engine = create_async_engine(url, hide_parameters=True, **options)
        if url.get_backend_name() == "sqlite":
            prepare_sqlite(engine.sync_engine)
        return cls(engine)

    @classmethod
    async def open(cls, url: str | URL) -> Self:
        """For service: refuses a schema that is not current and a role that could rewrite."""
        database = cls.connect(url)
        try:
            await database.check()
        except BaseException:
            await database.close()
            raise
        return database

    async def check(self) -> None:
        """Raise unless the schema is current and our role owns nothing it must only append to."""
        if self._is_missing():
            raise SchemaNotCurrent("there is no database yet; run: pbx db upgrade")
        async with self.read() as connection:
            (await connection.run_sync(schema.status)).require_current()
            if not self.is_sqlite and (await connection.execute(text(OWNS_LEDGER))).scalar():
                raise UnsafeRole(
                    "the service's database role owns the ledger or is a superuser; "
                    "give [storage] url a role of its own"
                )

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One write transaction: committed when the block ends, rolled back when it raises."""
        if not self.is_sqlite:
            async with self._transaction("write") as connection:
                yield connection
            return
        try:
            # SQLite has one writer; waiting here is fairer than its busy handler's polling.
            await asyncio.wait_for(self._writing.acquire(), BUSY_SECONDS)
        except TimeoutError:
            raise StorageUnavailable("the database is busy") from None
        try:
            async with self._transaction("write") as connection:
                yield connection
        finally:
            self._writing.release()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One consistent look at the whole database; cannot write."""
        async with self._transaction("read") as connection:
            if not self.is_sqlite:
                await connection.execute(
                    text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                )
            yield connection

    async def close(self) -> None:
        await self.engine.dispose()

    def _is_missing(self) -> bool:
        # SQLite would quietly make an empty database.
        return self.is_sqlite and not Path(str(self.engine.url.database)).is_file()

    @asynccontextmanager
    async def _transaction(self, mode: str) -> AsyncIterator[AsyncConnection]:
        began = time.monotonic()
        if began < self._asked_again_at:
            raise StorageUnavailable("the database does not answer")
        is_there = False
        try:
            async with self.engine.connect() as connection:
                is_there = True
                await connection.execution_options(pbx_mode=mode)
                async with connection.begin():
                    yield connection
        except DBAPIError as failure:
            if not is_storage_failure(failure):
                raise
            now = time.monotonic()
            if not is_there and not self.is_sqlite and now - began > SLOW:
                self._asked_again_at = now + SPARED
            raise StorageUnavailable("the database cannot be used at present") from failure


OWNS_LEDGER = """
SELECT pg_has_role(current_user, c.relowner, 'MEMBER')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'ledger' AND n.nspname = current_schema()
"""
