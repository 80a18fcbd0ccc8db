"""A key store whose disk takes nothing more, for as long as a test needs it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def full(store: Path) -> Iterator[None]:
    """Every write is refused by the database itself; `store` is the store's file."""
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON header BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        try:
            yield
        finally:
            other.execute("DROP TRIGGER full")
