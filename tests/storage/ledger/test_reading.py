import pytest

from storage.database import Database
from storage.ledger import reading
from storage.ledger.keeper import HeadKeeper
from storage.ledger.mentions import Mention
from storage.ledger.reading import Reader
from tests.support.databases import Urls
from tests.support.ledger import Attacker, TestClock, fill


async def test_rows_come_back_exactly_in_chunks(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 2)
    rows = await fill(database, 5)

    async with database.read() as connection:
        chunks = [list(chunk) async for chunk in Reader(connection).after("exchange", 0)]
        one = await Reader(connection).at("exchange", 3)
        none = await Reader(connection).at("exchange", 9)

    assert [row for chunk in chunks for row in chunk] == rows
    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    assert (one, none) == (rows[2], None)


async def test_every_writer_is_found_and_every_row_counted(database: Database) -> None:
    for writer in ("b", "a", "a.spool.1"):
        await fill(database, 2, writer)

    async with database.read() as connection:
        assert await Reader(connection).writers() == ["a", "a.spool.1", "b"]
        assert await Reader(connection).count() == 6


async def test_a_moment_is_found_in_a_chain(database: Database) -> None:
    rows = await fill(database, 3)

    async with database.read() as connection:
        reader = Reader(connection)
        assert await reader.first_since("exchange", rows[1].recorded_at) == 2
        assert await reader.first_since("exchange", rows[2].recorded_at + 1) is None


async def test_heads_come_in_order(database: Database) -> None:
    keeper = HeadKeeper(database, "exchange", clock=TestClock())
    for _ in range(2):
        await fill(database, 1)
        await keeper.keep()

    async with database.read() as connection:
        heads = await Reader(connection).heads()

    assert [(head.writer, head.number, head.sequence) for head in heads] == [
        ("exchange", 1, 1),
        ("exchange", 2, 2),
    ]


async def test_text_that_is_no_utf_8_is_read_all_the_same(
    database: Database, database_urls: Urls
) -> None:
    if not database_urls.is_sqlite:  # PostgreSQL refuses such text
        return
    await fill(database, 2)
    attacker = Attacker(database_urls.owner)
    attacker.run("UPDATE ledger SET action = CAST(x'ff00' AS TEXT) WHERE sequence = 1")
    attacker.run("UPDATE ledger SET writer = CAST(x'fe' AS TEXT) WHERE sequence = 2")
    attacker.close()

    async with database.read() as connection:
        reader = Reader(connection)
        writers = await reader.writers()
        rows = [row for w in writers async for chunk in reader.after(w, 0) for row in chunk]

    assert writers == ["exchange", "\udcfe"]
    assert [row.action for row in rows] == ["\udcff\0", "system.started"]


async def test_the_whole_index_is_read_in_chunks(
    database: Database, database_urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 2)
    attacker = Attacker.armed(database_urls.owner)
    for row in range(1, 4):
        attacker.run(
            "INSERT INTO ledger_mention VALUES (:id, :at, 'exchange', :row)",
            id=bytes(15) + bytes([row]), at=7, row=row,
        )  # fmt: skip
    attacker.close()

    async with database.read() as connection:
        chunks = [chunk async for chunk in Reader(connection).mentions()]

    assert sorted(len(chunk) for chunk in chunks) == [1, 2]
    found = sorted(one for chunk in chunks for one in chunk)
    assert found == [Mention(bytes(15) + bytes([n]), 7, "exchange", n) for n in range(1, 4)]
