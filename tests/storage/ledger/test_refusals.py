"""Tampering by SQL through the service's own account is refused, on both engines."""

import subprocess

import pytest

from storage.database import Database
from storage.ledger.verify import Scope, verify
from storage.models.ledger import APPEND_ONLY
from tests.support.databases import Urls
from tests.support.ledger import fill
from tests.support.postgres import SERVICE, Cluster

COLUMNS = (
    "writer, sequence, occurred_at, recorded_at, operation, action, outcome, actor_kind, "
    "actor_id, session_id, subject_kind, subject_id, before, after, detail, hash"
)
SQLITE_VALUES = (
    "SELECT writer, {sequence}, occurred_at, recorded_at, operation, action, 'done', actor_kind, "
    "actor_id, session_id, subject_kind, subject_id, before, after, detail, hash "
    "FROM ledger WHERE sequence = 2"
)
ANY_ENGINE = [
    "UPDATE ledger SET outcome = 'done' WHERE sequence = 2",
    "UPDATE ledger SET hash = hash",
    "DELETE FROM ledger WHERE sequence = 2",
    "DELETE FROM ledger",
    "UPDATE ledger_head SET sequence = 1",
    "DELETE FROM ledger_head",
    "DELETE FROM ledger_segment",
    "DELETE FROM ledger_departure",
    "UPDATE ledger_anchor SET place = 'x'",
    f"INSERT INTO ledger ({COLUMNS}) {SQLITE_VALUES.format(sequence=2)} "
    "ON CONFLICT (writer, sequence) DO UPDATE SET outcome = 'done'",
]
ONLY_SQLITE = [
    f"INSERT OR REPLACE INTO ledger ({COLUMNS}) {SQLITE_VALUES.format(sequence=2)}",
    f"REPLACE INTO ledger ({COLUMNS}) {SQLITE_VALUES.format(sequence=1)}",
    f"INSERT INTO ledger ({COLUMNS}) {SQLITE_VALUES.format(sequence=2)}",
    "UPDATE OR REPLACE ledger SET sequence = 3 WHERE sequence = 2",
    "INSERT OR REPLACE INTO ledger_head SELECT * FROM ledger_head",
]
ONLY_POSTGRES = [
    *(f"TRUNCATE {table.name}" for table in APPEND_ONLY),
    "TRUNCATE ledger CASCADE",
    "ALTER TABLE ledger DISABLE TRIGGER ledger_no_change",
    "DROP TRIGGER ledger_no_change ON ledger",
    "DROP TABLE ledger",
    "SET session_replication_role = replica",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RETURN NULL; END $$",
    "SELECT * FROM ledger FOR UPDATE",
    "LOCK TABLE ledger IN EXCLUSIVE MODE",
    "UPDATE alembic_version SET version_num = '0'",
]
HEAD = (
    "INSERT INTO ledger_head (writer, number, sequence, hash, made_at) "
    "SELECT writer, 1, sequence, hash, 1 FROM ledger WHERE sequence = 3"
)


def by_sqlite(urls: Urls, statement: str) -> subprocess.CompletedProcess[str]:
    command = ["sqlite3", "-bail", str(urls.service.database), statement]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def by_psql(urls: Urls, server: Cluster, statement: str) -> subprocess.CompletedProcess[str]:
    place = ["-h", str(server.sockets), "-U", SERVICE, "-d", str(urls.service.database)]
    command = ["psql", "-X", "-v", "ON_ERROR_STOP=1", *place, "-c", statement]
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def test_the_service_account_cannot_change_what_it_wrote(
    database: Database, database_urls: Urls, request: pytest.FixtureRequest
) -> None:
    await fill(database, 4)
    if database_urls.is_sqlite:
        statements = ANY_ENGINE + ONLY_SQLITE

        def run(statement: str) -> subprocess.CompletedProcess[str]:
            return by_sqlite(database_urls, statement)
    else:
        server = request.getfixturevalue("postgres_cluster")
        statements = ANY_ENGINE + ONLY_POSTGRES

        def run(statement: str) -> subprocess.CompletedProcess[str]:
            return by_psql(database_urls, server, statement)

    assert run(HEAD).returncode == 0, run(HEAD).stderr
    allowed = [s for s in statements if _touches_rows(s) and run(s).returncode == 0]

    assert allowed == []
    assert run("SELECT count(*) FROM ledger").returncode == 0
    report = await verify(database, Scope())
    assert report.is_whole
    assert report.rows == 4


def _touches_rows(statement: str) -> bool:
    """SQLite's row triggers have nothing to refuse in an empty table."""
    empty = ("ledger_segment", "ledger_departure", "ledger_anchor")
    return statement.startswith("TRUNCATE") or not any(name in statement for name in empty)
