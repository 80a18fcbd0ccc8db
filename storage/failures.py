"""Which database errors mean "the store is in trouble", and which are the statement's own fault."""

import sqlite3
import sys

from sqlalchemy.exc import DBAPIError

# Result codes of SQLite (low byte) under which nothing can be written until somebody acts.
SQLITE_TROUBLE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)

# PostgreSQL error classes: connection, authorisation, resources, operator, system, corruption.
POSTGRES_TROUBLE = ("08", "28", "53", "57", "58", "XX", "25006")


def is_storage_failure(failure: BaseException) -> bool:
    """True for a full disk, a lost connection, a read-only or damaged database, and the like."""
    cause = failure.orig if isinstance(failure, DBAPIError) else failure
    if isinstance(failure, DBAPIError) and failure.connection_invalidated:
        return True
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in SQLITE_TROUBLE
    # Where SQLite serves, psycopg was never imported, and no failure can be one of its own.
    psycopg = sys.modules.get("psycopg")
    if psycopg is None or not isinstance(cause, psycopg.Error):
        return False
    if cause.sqlstate is None:
        return isinstance(cause, psycopg.OperationalError)
    return bool(cause.sqlstate.startswith(POSTGRES_TROUBLE))
