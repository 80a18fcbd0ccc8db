import os
import socket
import stat

import pytest
from sqlalchemy import text

from storage import schema
from storage.config import database_url
from storage.database import POSTGRES, Database
from storage.errors import SchemaNotCurrent, StorageUnavailable, UnsafeRole
from tests.support.databases import Urls


async def test_what_a_block_wrote_is_there_and_what_a_failing_block_wrote_is_not(
    database: Database,
) -> None:
    insert = text("INSERT INTO ledger_anchor VALUES (:at, 'file', :digest)")

    async with database.begin() as connection:
        await connection.execute(insert, {"at": 1, "digest": b"x"})
    with pytest.raises(RuntimeError):
        async with database.begin() as connection:
            await connection.execute(insert, {"at": 2, "digest": b"x"})
            raise RuntimeError

    async with database.read() as connection:
        found = await connection.execute(text("SELECT made_at FROM ledger_anchor"))
        assert found.scalars().all() == [1]


async def test_an_empty_database_is_refused_naming_the_command(tmp_path) -> None:
    with pytest.raises(SchemaNotCurrent, match="pbx db upgrade"):
        await Database.open(f"sqlite:///{tmp_path}/empty.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(SchemaNotCurrent, match="pbx db upgrade"):
        await Database.open(f"sqlite:///{tmp_path}/empty.db")


async def test_a_database_of_a_newer_program_is_refused(database_urls: Urls) -> None:
    engine = schema.owner_engine(database_urls.owner)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()

    with pytest.raises(SchemaNotCurrent, match="newer"):
        await Database.open(database_urls.service)
    with pytest.raises(SchemaNotCurrent, match="newer"):
        schema.upgrade(database_urls.owner)


async def test_the_owner_of_the_tables_is_refused_as_service(database_urls: Urls) -> None:
    if database_urls.is_sqlite:
        await (await Database.open(database_urls.owner)).close()
        return

    with pytest.raises(UnsafeRole):
        await Database.open(database_urls.owner)
    with pytest.raises(UnsafeRole):
        await Database.open(database_urls.service.set(username="postgres"))


async def test_a_database_that_cannot_be_reached_is_unavailable(tmp_path) -> None:
    nowhere = database_url(f"postgresql://role@/name?host={tmp_path}")

    with pytest.raises(StorageUnavailable):
        await Database.open(nowhere)
    with pytest.raises(StorageUnavailable):
        schema.upgrade(nowhere)
    with pytest.raises(StorageUnavailable):
        schema.upgrade(database_url(f"sqlite:///{tmp_path}/missing/pbx.db"))


async def test_a_server_that_has_let_one_wait_in_vain_lets_nobody_else_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes connections and says nothing."""
    monkeypatch.setitem(POSTGRES, "connect_timeout", 2)
    monkeypatch.setattr("storage.database.SPARED", 60.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        host, port = mute.getsockname()
        database = Database.connect(f"postgresql://pbx@{host}:{port}/pbx")
        said = []
        for _ in range(3):
            with pytest.raises(StorageUnavailable) as unavailable:
                async with database.read():
                    pass
            said.append(str(unavailable.value))
        await database.close()

    assert said == ["the database cannot be used at present"] + ["the database does not answer"] * 2


async def test_the_sqlite_file_is_private_durable_and_checks_foreign_keys(tmp_path) -> None:
    path = tmp_path / "pbx.db"
    schema.upgrade(database_url(f"sqlite:///{path}"))
    database = await Database.open(f"sqlite:///{path}")

    async with database.read() as connection:
        pragmas = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert pragmas == ["wal", 2, 1]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    await database.close()


async def test_a_read_cannot_write(database: Database) -> None:
    if database.is_sqlite:
        return
    with pytest.raises(StorageUnavailable):
        async with database.read() as connection:
            await connection.execute(text("INSERT INTO ledger_anchor VALUES (1, 'file', 'x')"))
