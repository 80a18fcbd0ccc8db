"""storage/keyholder/segments.py"""

import os
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from storage.keyholder import journal, segments
from storage.keyholder.books import going_on
from storage.keyholder.journal import Entry, Event, Journal, JournalError
from storage.keyholder.segments import Pages, closed, cut, finish, surviving, walk
from storage.sealed.primitives import generate_signing_key, verifying_key
from tests.support.journal import verified

KEY = generate_signing_key()
PIN = verifying_key(KEY)
STEPS = ("next part prepared", "part closed, none in its place", "part cut")


class Stop(BaseException):
    """The process ends here."""


def stop_at(step: str) -> Any:
    def at(point: str) -> None:
        if point == step:
            raise Stop

    return at


def write(into: Journal, count: int) -> None:
    for _ in range(count):
        into.append(Entry(event=Event.STARTED, subject=UUID(int=into.position.sequence + 1)))
        into.settle(applied=True)


def in_parts(path: Path, *counts: int) -> Journal:
    made = Journal(path)
    made.start(journal.Position())
    for number, count in enumerate(counts):
        if number:
            cut(made, KEY, going_on)
        write(made, count)
    return made


def subjects(path: Path) -> list[int]:
    return [entry.subject.int for entry in surviving(path) if entry.subject]


def test_a_start_reads_the_part_that_is_written_and_verify_walks_all(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    in_parts(path, 3, 2, 4).close()

    again = Journal(path)
    again.load()

    assert (again.base.sequence, again.position.sequence) == (5, 9)
    assert [part.name for part in closed(path)] == ["journal.000000000003", "journal.000000000005"]
    assert subjects(path) == list(range(1, 10))
    places = [(part.base.sequence, part.position.sequence) for part in walk(path, PIN)]
    assert places == [(0, 3), (3, 5), (5, 9)]
    write(again, 1)
    assert subjects(path)[-1] == 10
    again.close()


def test_pages_go_through_all_parts_as_one_chain(tmp_path: Path) -> None:
    made = in_parts(tmp_path / "journal", 3, 2, 4)
    pages, records = Pages(made), []
    while page := pages.page(len(records) + 1):
        records += page

    assert len(records) == 9
    assert verified(records) == made.position.chain
    assert len(pages.page(2)) == 2
    assert len(pages.page(3)) == 1
    pages.close()
    pages.close()
    for part in closed(made.path):
        part.unlink()
    assert Pages(made).page(1) == made.page(6), "what has moved off is not there"
    made.close()


@pytest.mark.parametrize("step", STEPS)
def test_whatever_a_crash_leaves_of_a_cut_is_finished(tmp_path: Path, step: str) -> None:
    path = tmp_path / "journal"
    made = in_parts(path, 3)
    with pytest.raises(Stop):
        cut(made, KEY, stop_at(step))

    finish(path)

    again = Journal(path)
    again.load()
    assert again.position.sequence == 3
    assert len(closed(path)) == (0 if step == STEPS[0] else 1)
    assert not path.with_name("journal.next").exists()
    write(again, 1)
    cut(again, KEY, going_on)
    assert subjects(path) == [1, 2, 3, 4]
    again.close()
    made.close()


def test_a_journal_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="missing or not readable"):
        surviving(tmp_path / "journal")


def test_where_nothing_was_begun_nothing_is_finished(tmp_path: Path) -> None:
    finish(tmp_path / "journal")

    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_leaves_the_part_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, replace = tmp_path / "journal", os.replace
    made = in_parts(path, 3)

    def refuse(*_: object) -> None:
        raise OSError("no")

    for name in ("replace", "rename"):
        with monkeypatch.context() as refusing, pytest.raises(OSError, match="no"):
            refusing.setattr(segments.os, name, refuse)
            cut(made, KEY, going_on)
        assert closed(path) == []
        write(made, 1)
    assert os.replace is replace
    cut(made, KEY, going_on)
    assert subjects(path) == [1, 2, 3, 4, 5]
    made.close()


def test_a_part_that_is_missing_altered_or_another_s_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    in_parts(path, 3, 2, 4).close()
    first, second = closed(path)
    whole = first.read_bytes()

    with pytest.raises(JournalError, match="not signed"):
        list(walk(path, verifying_key(generate_signing_key())))
    flipped = bytearray(whole)
    flipped[-2] ^= 1
    for content in (bytes(flipped), whole[: len(whole) // 2]):
        first.write_bytes(content)
        with pytest.raises(JournalError):
            surviving(path)
    first.write_bytes(whole)
    moved = second.rename(tmp_path / "elsewhere")
    with pytest.raises(JournalError, match="missing or was altered"):
        surviving(path)
    moved.rename(second)
    first.unlink()
    with pytest.raises(JournalError, match="missing or was altered"):
        surviving(path)


def test_a_cut_in_the_middle_of_a_walk_loses_nothing(tmp_path: Path) -> None:
    made = in_parts(tmp_path / "journal", 3, 2)
    seen: list[int] = []
    for number, part in enumerate(walk(made.path)):
        seen += [entry.sequence for entry in part.entries()]
        if number == 0:
            cut(made, KEY, going_on)
            write(made, 1)

    assert seen == [1, 2, 3, 4, 5, 6]
    made.close()


def test_a_part_cut_between_listing_and_opening_is_read_under_its_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, real, waiting = in_parts(tmp_path / "journal", 3), segments.closed, [True]

    def listing(path: Path) -> list[Path]:
        found = real(path)
        if waiting.pop() if waiting else False:
            cut(made, KEY, going_on)
            write(made, 1)
        return found

    monkeypatch.setattr(segments, "closed", listing)

    assert [entry.sequence for entry in surviving(made.path)] == [1, 2, 3, 4]
    made.close()
