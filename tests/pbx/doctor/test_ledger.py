"""The ledger as the doctor sees it: whole or not, anchored lately or not."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from pbx.doctor import ledger
from pbx.doctor.finding import Finding, Verdict
from pbx.doctor.ledger import DAY, Books
from storage.database import Database
from storage.keyholder.signing import Pin
from storage.ledger import anchors
from storage.ledger.anchors import FilePlace
from storage.sealed import primitives
from tests.support.databases import sqlite_urls
from tests.support.ledger import START, Attacker, fill


@pytest.fixture
def books(tmp_path: Path, sqlite_template: Path) -> Books:
    path = tmp_path / "pbx.db"
    path.write_bytes(sqlite_template.read_bytes())
    Pin(primitives.random(32)).write(tmp_path / "pin")
    return Books(sqlite_urls(path).service, tmp_path / "spool", tmp_path / "pin", lambda: START)


def written(url: URL, *, anchored: Path | None = None) -> None:
    async def run() -> None:
        database = await Database.open(url)
        try:
            await fill(database, 5)
            if anchored is not None:
                anchor = await anchors.take(database, lambda: START)
                await anchors.keep(database, anchor, FilePlace(anchored))
        finally:
            await database.close()

    asyncio.run(run())


def look(books: Books) -> list[Finding]:
    return list(ledger.findings(books))


def test_a_whole_ledger_anchored_lately_holds(books: Books, tmp_path: Path) -> None:
    written(books.url, anchored=tmp_path / "anchor")

    verifies, anchored = look(books)

    assert verifies.verdict is anchored.verdict is Verdict.HOLDS
    assert verifies.evidence == "5 rows of 1 chains are whole"


def test_an_altered_row_is_found(books: Books) -> None:
    written(books.url)
    attacker = Attacker(books.url)
    attacker.run("UPDATE ledger SET outcome = 'failed' WHERE sequence = 3")
    attacker.close()

    verifies, _ = look(books)

    assert verifies.verdict is Verdict.BROKEN
    assert "3" in verifies.evidence


def test_a_ledger_never_anchored_is_found(books: Books) -> None:
    written(books.url)

    assert look(books)[1].verdict is Verdict.BROKEN


def test_an_old_anchor_is_found(books: Books, tmp_path: Path) -> None:
    written(books.url, anchored=tmp_path / "anchor")

    _, anchored = look(replace(books, clock=lambda: START + 32 * DAY))

    assert anchored.verdict is Verdict.BROKEN
    assert anchored.evidence.startswith("32 days ago")


def test_without_database_or_pin_nothing_can_be_told(books: Books, tmp_path: Path) -> None:
    gone = replace(books, url=sqlite_urls(tmp_path / "none.db").service)
    assert {one.verdict for one in look(gone)} == {Verdict.UNKNOWN}

    (tmp_path / "pin").unlink()
    assert look(books)[0].verdict is Verdict.UNKNOWN
