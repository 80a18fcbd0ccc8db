"""The migrations make exactly the tables that the program was written for."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import migrations
import storage.models  # noqa: F401 - knows all tables
from storage.database import Database
from storage.models.columns import metadata
from storage.schema import revisions


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_no_table_column_or_index_differs(database: Database) -> None:
    async with database.begin() as connection:
        assert await connection.run_sync(differences) == []


def test_the_names_of_the_files_are_the_revisions_alembic_knows() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)

    assert scripts.get_heads() == [revisions()[-1]]
    assert revisions() == sorted(script.revision for script in scripts.walk_revisions())
