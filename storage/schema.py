"""Migrations as a call: `upgrade` brings a database to the schema this program was written for.

The versions are packaged under `migrations/`; there is no alembic.ini. Upgrading needs the owner's
account; on PostgreSQL the service's role then gets its rights, table by table.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

import migrations
import storage.models.ledger as ledger_models
from storage.errors import SchemaNotCurrent, StorageUnavailable
from storage.sqlite import prepare_sqlite

if TYPE_CHECKING:
    from alembic.config import Config

UNTOUCHED = "alembic_version"


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """Where a database is, and where this program wants it."""

    present: str | None
    wanted: str
    is_known: bool

    @property
    def is_current(self) -> bool:
        return self.present == self.wanted

    def require_current(self) -> None:
        if not self.is_known:
            raise SchemaNotCurrent(
                "the database belongs to a newer version of this program; upgrade the program"
            )
        if not self.is_current:
            raise SchemaNotCurrent("the database schema is not current; run: pbx db upgrade")


def upgrade(url: URL, service_role: str | None = None) -> SchemaStatus:
    """Run what is missing as the owner, then give the service's role exactly its rights."""
    try:
        make_private_file(url)
    except OSError as failure:
        raise StorageUnavailable("the database file cannot be created") from failure
    engine = owner_engine(url)
    try:
        with engine.begin() as connection:
            if not status(connection).is_known:
                raise SchemaNotCurrent("the database belongs to a newer version of this program")
            _migrate(connection)
            if service_role is not None:
                _grant(connection, service_role)
            return status(connection)
    except OperationalError as failure:
        raise StorageUnavailable("the database cannot be reached or written") from failure
    finally:
        engine.dispose()


def status(connection: Connection) -> SchemaStatus:
    """Read-only; works for the service's role as well, and without Alembic."""
    known = revisions()
    present = None
    if inspect(connection).has_table(UNTOUCHED):
        present = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return SchemaStatus(present, known[-1], present is None or present in known)


def revisions() -> list[str]:
    """All revisions in their order, as the names of their files have them: v0001_ledger.py."""
    versions = Path(migrations.__file__).parent / "versions"
    return sorted(path.name[1:5] for path in versions.glob("v[0-9][0-9][0-9][0-9]_*.py"))


def status_of(url: URL) -> SchemaStatus:
    """The schema of a database nobody has opened; makes nothing."""
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        raise SchemaNotCurrent("there is no database yet; run: pbx db upgrade")
    engine = owner_engine(url)
    try:
        with engine.connect() as connection:
            return status(connection)
    except OperationalError as failure:
        raise StorageUnavailable("the database cannot be reached") from failure
    finally:
        engine.dispose()


def owner_engine(url: URL) -> Engine:
    """A synchronous engine for migrations and for moving segments off; never the service's."""
    sqlite = url.get_backend_name() == "sqlite"
    engine = create_engine(url.set(drivername="sqlite") if sqlite else url, poolclass=NullPool)
    if sqlite:
        prepare_sqlite(engine)
    return engine


def make_private_file(url: URL) -> None:
    """The database file is readable by its owner alone from its first byte."""
    if url.get_backend_name() == "sqlite" and url.database:
        path = Path(url.database)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _migrate(connection: Connection) -> None:
    # Imported here: whoever only serves has no use for Alembic.
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def _grant(connection: Connection, role: str) -> None:
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    append_only = {table.name for table in ledger_models.APPEND_ONLY}
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {quoted}"))
    for table in inspect(connection).get_table_names():
        rights = "SELECT, INSERT, UPDATE, DELETE"
        if table in append_only:
            rights = "SELECT, INSERT"
        elif table == UNTOUCHED:
            rights = "SELECT"
        connection.execute(text(f'REVOKE ALL ON "{table}" FROM {quoted}, PUBLIC'))
        connection.execute(text(f'GRANT {rights} ON "{table}" TO {quoted}'))
