"""The migrations make exactly the tables that the program was written for."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

import storage.models  # noqa: F401 - knows all tables
from storage.database import Database
from storage.models.columns import metadata


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_no_table_column_or_index_differs(database: Database) -> None:
    async with database.begin() as connection:
        assert await connection.run_sync(differences) == []
