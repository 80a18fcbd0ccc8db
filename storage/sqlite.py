"""How every SQLite connection of ours begins: WAL, synchronous=FULL, our own BEGIN."""

from typing import Any

from sqlalchemy import Connection, Engine, event

BUSY_SECONDS = 5.0
"""How long a writer waits for another before it gives up."""


def prepare_sqlite(engine: Engine) -> None:
    """Our transactions instead of the driver's, and durability before speed."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        # The driver must not begin or commit by itself, or savepoints lose their frame.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        cursor.execute("PRAGMA trusted_schema = OFF")
        cursor.close()

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        reading = connection.get_execution_options().get("pbx_mode") == "read"
        # IMMEDIATE: a transaction that reads before it writes must not fail halfway as busy.
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
