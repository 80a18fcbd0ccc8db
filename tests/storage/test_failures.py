import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from storage.failures import is_storage_failure


def sqlite_error(code: int | None) -> sqlite3.Error:
    error = sqlite3.OperationalError("x")
    if code is not None:
        error.sqlite_errorcode = code
    return error


class Postgres(psycopg.OperationalError):
    def __init__(self, state: str | None) -> None:
        super().__init__("x")
        self.sqlstate = state


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (sqlite_error(sqlite3.SQLITE_FULL), True),
        (sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), True),
        (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), True),
        (sqlite_error(sqlite3.SQLITE_CONSTRAINT), False),
        (sqlite_error(sqlite3.SQLITE_ERROR), False),
        (sqlite_error(None), False),
        (Postgres(None), True),
        (Postgres("53100"), True),
        (Postgres("57P01"), True),
        (Postgres("08006"), True),
        (Postgres("40001"), False),
        (Postgres("23505"), False),
        (ValueError(), False),
        (TimeoutError(), False),
    ],
)
def test_trouble_of_the_store_is_told_from_the_statements_own_fault(
    error: Exception, expected: bool
) -> None:
    assert is_storage_failure(error) is expected
    assert is_storage_failure(DBAPIError("SELECT", {}, error)) is expected


def test_a_lost_connection_is_trouble() -> None:
    lost = DBAPIError("SELECT", {}, ValueError(), connection_invalidated=True)

    assert is_storage_failure(lost)
