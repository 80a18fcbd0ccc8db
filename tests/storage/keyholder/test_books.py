"""storage/keyholder/books.py"""

import asyncio
import shutil
import sqlite3
from pathlib import Path
from uuid import UUID

import pytest

from storage.keyholder import segments
from storage.keyholder.books import Books, CannotWrite, RolledBack, going_on
from storage.keyholder.journal import Entry, Event, Journal, Position
from storage.keyholder.records import SETTINGS, Settings, Tombstone
from storage.keyholder.store import Change, Store
from tests.support.full_store import full
from tests.support.keyholder import House

KEY = b"k" * 32
ENTRY = Entry(event=Event.CHANGED)


class Stop(BaseException):
    """The process ends here."""


def create(directory: Path) -> Books:
    directory.mkdir()
    chain = Journal(directory / "journal")
    chain.start(Position())
    store = Store.create(directory / "store", KEY, b"w", Position())
    books = Books(store, chain, lambda: 5)
    for number in range(3):
        books.write_now(ENTRY, bury(number))
    return books


def bury(number: int) -> Change:
    return Change(put=[Tombstone(UUID(int=number), 0)])


def reopened(directory: Path, at: object = going_on) -> Books:
    chain, store = Journal(directory / "journal"), Store(directory / "store", KEY)
    try:
        return Books.open(store, chain, lambda: 6, at)  # type: ignore[arg-type]
    except BaseException:
        store.close()
        chain.close()
        raise


async def test_journal_and_store_meet_after_every_write(tmp_path: Path) -> None:
    books = create(tmp_path / "k")

    position = await books.write(ENTRY, bury(7))

    assert books.store.state.position == position == books.journal.applied
    assert books.store.get(Tombstone, UUID(int=7)) is not None
    books.close()
    again = reopened(tmp_path / "k")
    assert again.journal.position == position
    again.close()


POINTS = {
    "before the journal": False,
    "journal written, store not": False,
    "store written, journal not marked": True,
    "both written, nothing answered": True,
}


@pytest.mark.parametrize("point", POINTS)
def test_a_stop_at_any_named_point_leaves_both_whole(tmp_path: Path, point: str) -> None:
    create(tmp_path / "k").close()

    def stop(name: str) -> None:
        if name == point:
            shutil.copytree(tmp_path / "k", tmp_path / "copy")

    books = reopened(tmp_path / "k", stop)
    books.write_now(ENTRY, bury(7))
    books.close()

    found = reopened(tmp_path / "copy")  # as it was on the disk at that moment
    assert (found.store.get(Tombstone, UUID(int=7)) is not None) is POINTS[point]
    found.write_now(ENTRY, bury(8))
    found.close()
    last = reopened(tmp_path / "copy")
    assert last.store.state.position == last.journal.position
    last.close()


@pytest.mark.parametrize("back", ["store", "journal"])
@pytest.mark.parametrize("count", [1, 3])
def test_one_of_them_put_back_is_an_alarm(tmp_path: Path, back: str, count: int) -> None:
    create(tmp_path / "k").close()
    shutil.copy(tmp_path / "k" / back, tmp_path / "old")
    books = reopened(tmp_path / "k")
    for number in range(count):
        books.write_now(ENTRY, bury(10 + number))
    books.close()

    shutil.copy(tmp_path / "old", tmp_path / "k" / back)

    with pytest.raises(RolledBack, match="older copy"):
        reopened(tmp_path / "k")


def test_an_altered_journal_is_an_alarm(tmp_path: Path) -> None:
    create(tmp_path / "k").close()
    path = tmp_path / "k" / "journal"
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)

    with pytest.raises(RolledBack, match="chain"):
        reopened(tmp_path / "k")


def test_an_altered_store_is_an_alarm(tmp_path: Path) -> None:
    create(tmp_path / "k").close()
    with sqlite3.connect(tmp_path / "k" / "store") as connection:
        connection.execute("DELETE FROM rows")

    with pytest.raises(RolledBack, match="removed"):
        reopened(tmp_path / "k")


def test_a_full_disk_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    failing = []

    def sync(_: int) -> None:
        if failing:
            raise OSError("no space left on device")

    (tmp_path / "k").mkdir()
    chain = Journal(tmp_path / "k" / "journal", sync)
    chain.start(Position())
    store = Store.create(tmp_path / "k" / "store", KEY, b"w", Position())
    books = Books(store, chain, lambda: 5)
    failing.append(True)

    with pytest.raises(CannotWrite, match="journal"):
        books.write_now(ENTRY, bury(1))
    failing.clear()
    books.write_now(ENTRY, bury(2))

    assert store.get(Tombstone, UUID(int=1)) is None
    books.close()
    reopened(tmp_path / "k").close()


def test_a_store_that_refuses_abandons_the_entry(tmp_path: Path) -> None:
    books = create(tmp_path / "k")
    with full(tmp_path / "k" / "store"), pytest.raises(CannotWrite, match="key store"):
        books.write_now(ENTRY, bury(8))
    with pytest.raises(AttributeError):
        books.write_now(ENTRY, Change(put=[object()]))  # type: ignore[list-item]
    books.close()

    again = reopened(tmp_path / "k")
    assert len(again.journal.entries()) == 3
    assert again.journal.position.sequence == 5
    again.write_now(ENTRY, bury(9))
    again.close()
    reopened(tmp_path / "k").close()


async def test_a_new_store_key_is_one_step_too(tmp_path: Path) -> None:
    books = create(tmp_path / "k")

    await books.rekey(b"n" * 32, b"new", ENTRY)

    books.close()
    store, chain = Store(tmp_path / "k" / "store", b"n" * 32), Journal(tmp_path / "k" / "journal")
    again = Books.open(store, chain, lambda: 6)
    assert again.store.get(Tombstone, UUID(int=1)) is not None
    again.close()


async def test_a_long_journal_goes_on_in_a_new_part_and_a_start_reads_that_alone(
    house: House,
) -> None:
    await house.administrator()
    books = house.core.books
    books.longest = 2_000
    while len(segments.closed(books.journal.path)) < 3:
        await books.write(Entry(event=Event.STARTED))
    end, base = books.journal.position, books.journal.base

    house.reopen()

    again = house.core.books.journal
    assert (again.base, again.position.sequence) == (base, end.sequence + 1)
    assert again.size < 2_000
    assert house.pin is not None
    *_, last = segments.walk(again.path, house.pin.signing_key)
    assert last.position == again.position
    checkpoints = [e for e in segments.surviving(again.path) if e.event is Event.CHECKPOINTED]
    assert len(checkpoints) == 3


async def test_a_disk_that_refuses_a_new_part_stops_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = house.core.books
    books.longest = 0

    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(segments, "cut", refuse)
    await books.write(Entry(event=Event.STARTED))
    assert segments.closed(books.journal.path) == []
    monkeypatch.undo()
    await books.write(Entry(event=Event.STARTED))
    assert len(segments.closed(books.journal.path)) == 1


async def test_without_settings_there_is_nothing_to_sign_with(house: House) -> None:
    books = house.core.books
    books.longest = 0
    store = books.store
    store.commit(Change(delete=[(Settings, SETTINGS)]), store.state.position, 0)

    await books.write(Entry(event=Event.STARTED))

    assert segments.closed(books.journal.path) == []


async def test_of_two_who_find_it_long_one_cuts(house: House) -> None:
    books = house.core.books
    books.longest = books.journal.size + 100

    await asyncio.gather(*(books.write(Entry(event=Event.STARTED)) for _ in range(4)))

    assert len(segments.closed(books.journal.path)) == 1
