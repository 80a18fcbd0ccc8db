"""storage/ledger/journalled.py"""

from pathlib import Path
from uuid import UUID

import pytest

from storage.keyholder.journal import Event, JournalError, Position
from storage.ledger.journalled import OPENINGS, Journalled, read_file
from tests.support.journal import Notebook

ONE, TWO = UUID(int=1), UUID(int=2)


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    return Notebook(tmp_path / "journal")


def test_openings_checkpoints_and_what_was_asked_for_are_kept(notebook: Notebook) -> None:
    notebook.write(Event.CREATED)
    place = notebook.write(Event.CHANGED, operation=ONE, ledger_row=b"row")
    notebook.write(Event.MESSAGE_OPENED, at=5, operation=TWO, ledger_row=b"two")
    for sequence in (7, 9):
        notebook.write(Event.HEAD_SIGNED, writer=ONE, head_sequence=sequence, head_chain=b"c")

    seen = notebook.read(Journalled(frozenset((2, 99)), frozenset((ONE,))))

    assert (seen.first, seen.begins, seen.end) == (1, 1, 5)
    assert seen.chains == {2: place.chain}
    assert seen.answers == {(ONE, b"row"): Event.CHANGED}
    assert [(o.sequence, o.event, o.operation) for o in seen.openings] == [
        (3, Event.MESSAGE_OPENED, TWO)
    ]
    assert (seen.checkpoints[ONE].sequence, seen.checkpoints[ONE].place) == (9, 5)
    assert seen.restored_at is None


def test_destructions_and_proved_changes_need_rows_and_endings_by_the_clock_do_not(
    notebook: Notebook,
) -> None:
    notebook.write(Event.MESSAGE_DESTROYED, operation=ONE)
    notebook.write(Event.KEY_DESTROYED, operation=ONE)
    notebook.write(Event.CHANGED, act="grant-role", person=TWO, operation=ONE)
    notebook.write(Event.CHANGED, act="leave", reason="end date")
    notebook.write(Event.CHANGED, act="end-break-glass", person=TWO, reason="end date")
    notebook.write(Event.CHANGED, act="enrol", person=TWO, operation=ONE)
    notebook.write(Event.CHANGED, act="enrol", person=TWO, operation=ONE, ledger_row=b"row")
    notebook.write(Event.CHANGED, act="break-glass", person=TWO, operation=ONE)
    notebook.write(Event.CHANGED, act="break-glass", person=TWO, operation=ONE, ledger_row=b"row")

    seen = notebook.read(Journalled())

    assert [opening.sequence for opening in seen.openings] == [1, 2, 3, 7, 8, 9]
    assert [opening.sequence for opening in seen.openings if opening.stands_alone] == [8]


def test_an_abandoned_entry_opened_nothing(notebook: Notebook) -> None:
    from storage.keyholder.journal import Entry

    notebook.journal.append(Entry(event=Event.RECORDS_OPENED, operation=ONE))
    notebook.journal.settle(applied=False)

    seen = notebook.read(Journalled())

    assert (seen.end, seen.openings) == (1, [])


def test_reading_goes_on_where_it_ended(notebook: Notebook) -> None:
    for _ in range(3):
        notebook.write(Event.STARTED)
    seen = notebook.read(Journalled(end=2), start=3)
    assert (seen.begins, seen.end) == (3, 3)
    notebook.write(Event.RESTORED, at=77)

    notebook.read(seen, start=4)

    assert (seen.end, seen.restored_at) == (4, 77)
    with pytest.raises(JournalError, match="a sequence is missing"):
        notebook.read(seen, start=4)


def test_the_file_is_read_and_verified(notebook: Notebook) -> None:
    for _ in range(1_005):
        notebook.journal.append(_started())
    seen = Journalled()

    read_file(notebook.path, seen)

    assert seen.end == 1_005
    content = bytearray(notebook.path.read_bytes())
    content[80] ^= 1
    notebook.path.write_bytes(content)
    with pytest.raises(JournalError, match="broken"):
        read_file(notebook.path, Journalled())
    with pytest.raises(JournalError, match="missing"):
        read_file(notebook.path.with_name("none"), Journalled())


def test_a_restored_journal_without_entries_begins_behind_its_base(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path / "journal", Position(40, bytes(32)))
    seen = Journalled()

    read_file(notebook.path, seen)

    assert (seen.begins, seen.end) == (41, 40)


def test_only_what_lets_content_out_is_an_opening() -> None:
    assert {str(event) for event in OPENINGS} == {
        "message-opened",
        "records-opened",
        "number-looked-up",
    }


def _started() -> object:
    from storage.keyholder.journal import Entry

    return Entry(event=Event.STARTED)


def test_break_glass_without_a_row_stands_alone_and_is_kept_whatever_it_changed(
    notebook: Notebook,
) -> None:
    notebook.write(Event.CHANGED, act="break-glass", operation=ONE, person=TWO, subject=ONE)
    notebook.write(Event.CHANGED, act="break-glass", operation=TWO, ledger_row=b"row")
    notebook.write(Event.MESSAGE_OPENED, act="break-glass", operation=TWO, ledger_row=b"row")

    seen = notebook.read(Journalled())

    kept = [(o.sequence, o.stands_alone, o.person, o.subject) for o in seen.openings]
    assert kept == [(1, True, TWO, ONE), (3, False, None, None)]
