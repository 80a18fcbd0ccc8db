"""Reading a span of the journal without the years before it."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from storage.audit.journal import NEAR, between
from storage.keyholder.journal import Entry, Event, Journal, Position
from storage.keyholder.protocol import JournalPage

MINUTE = 60_000_000
PAGE = 100
COUNT = 5 * NEAR


class Books:
    """A real journal behind the client's one verb; counts what is asked of it."""

    def __init__(self, kept: Journal) -> None:
        self._kept = kept
        self.asked = 0

    async def journal(self, start: int) -> JournalPage:
        self.asked += 1
        return JournalPage(self._kept.page(start, PAGE), self._kept.position.sequence)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    kept = Journal(tmp_path / "journal", sync=lambda _: None)
    kept.start(Position())
    for minute in range(COUNT):
        kept.append(Entry(event=Event.STARTED, at=minute * MINUTE, subject=UUID(int=minute)))
        kept.settle(applied=minute % 7 != 0)
    yield Books(kept)
    kept.close()


async def minutes(books: Books, since: int, until: int) -> list[int]:
    found = between(books, since * MINUTE, until * MINUTE)
    return [entry.subject.int async for entry in found if entry.subject is not None]


async def test_a_span_has_what_took_effect_in_it(books: Books) -> None:
    assert await minutes(books, 4_000, 4_020) == [
        minute for minute in range(4_000, 4_020) if minute % 7
    ]


async def test_years_before_the_span_are_not_read(books: Books) -> None:
    await minutes(books, COUNT - 10, COUNT)

    assert books.asked < 10 + (NEAR + 120) / PAGE


async def test_the_whole_journal_and_nothing_beyond_it(books: Books) -> None:
    assert len(await minutes(books, 0, COUNT)) == COUNT - (COUNT + 6) // 7
    assert await minutes(books, COUNT, 2 * COUNT) == []


async def test_an_empty_journal_has_nothing(tmp_path: Path) -> None:
    kept = Journal(tmp_path / "journal")
    kept.start(Position())

    assert await minutes(Books(kept), 0, 10) == []
    kept.close()
