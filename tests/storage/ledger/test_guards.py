import pytest

from storage.database import Database
from storage.ledger.guards import missing_guards
from tests.support.databases import Urls
from tests.support.ledger import Attacker

SQLITE = {
    "DROP TRIGGER ledger_no_update": "ledger_no_update",
    "DROP TRIGGER ledger_head_no_replace": "ledger_head_no_replace",
}
POSTGRES = {
    "ALTER TABLE ledger DISABLE TRIGGER ledger_no_change": "ledger_no_change",
    "DROP TRIGGER ledger_anchor_no_change ON ledger_anchor": "ledger_anchor_no_change",
}


async def test_a_fresh_database_has_every_guard(database: Database) -> None:
    async with database.read() as connection:
        assert await missing_guards(connection) == []


@pytest.mark.parametrize("index", [0, 1])
async def test_a_guard_that_was_dropped_or_disabled_is_named(
    database: Database, database_urls: Urls, index: int
) -> None:
    attacks = SQLITE if database_urls.is_sqlite else POSTGRES
    statement, name = list(attacks.items())[index]
    attacker = Attacker.armed(database_urls.owner)
    attacker.run(statement)
    attacker.close()

    async with database.read() as connection:
        assert await missing_guards(connection) == [name]


async def test_a_guard_that_refuses_nothing_is_named(
    database: Database, database_urls: Urls
) -> None:
    attacker = Attacker.armed(database_urls.owner)
    if database_urls.is_sqlite:
        attacker.run("DROP TRIGGER ledger_no_delete")
        attacker.run("CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT 1; END")
    else:
        attacker.run(
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN NULL; END $$"
        )
    attacker.close()

    async with database.read() as connection:
        missing = await missing_guards(connection)

    assert set(missing) & {"ledger_no_delete", "ledger_no_change"}
