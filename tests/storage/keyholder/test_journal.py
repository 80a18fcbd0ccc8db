"""storage/keyholder/journal.py"""

import os
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.keyholder import journal, segments
from storage.keyholder.journal import Entry, Event, Journal, JournalError, Position
from tests.support.journal import verified

HEADER = 48


def written(path: Path, count: int = 3) -> Journal:
    made = Journal(path)
    made.start(Position())
    for number in range(count):
        made.append(Entry(event=Event.CHANGED, subject=UUID(int=number)))
        made.settle(applied=number != 1)
    return made


def loaded(path: Path) -> Journal:
    found = Journal(path)
    found.load()
    return found


def test_what_was_appended_is_there_again(tmp_path: Path) -> None:
    made = written(tmp_path / "j")
    made.close()

    found = loaded(tmp_path / "j")

    assert found.position == made.position == found.applied
    assert [entry.subject for entry in found.entries()] == [UUID(int=0), UUID(int=2)]
    assert not found.is_pending
    found.close()


def test_a_pending_entry_waits_for_the_word_of_the_store(tmp_path: Path) -> None:
    made = written(tmp_path / "j", 1)
    before = made.position
    made.append(Entry(event=Event.CHANGED))
    made.close()

    found = loaded(tmp_path / "j")

    assert found.is_pending
    assert found.applied == before
    found.settle(applied=True)
    assert found.applied == found.position
    found.close()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_flipped_byte_but_the_last_is_found(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "j"
    path.unlink(missing_ok=True)
    made = written(path)
    made.close()
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 2))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)

    found = Journal(path)
    with pytest.raises(JournalError):
        found.load(made.applied)
    found.close()

    assert path.read_bytes() == content, "the evidence stays"


@pytest.mark.parametrize("rest", [b"\0", b"\0" * 20, b"\0" * 300, b"\xff" * 50])
def test_a_torn_end_is_cut_off_where_the_store_stands(tmp_path: Path, rest: bytes) -> None:
    """After a power cut a file may end in part of a record, zeros or noise."""
    path = tmp_path / "j"
    made = written(path)
    made.close()
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(rest)

    found = Journal(path)
    found.load(made.applied)

    assert found.position == made.position
    assert path.stat().st_size == whole
    found.close()


def test_half_a_record_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "j"
    made = written(path)
    whole, position = path.stat().st_size, made.position
    made.append(Entry(event=Event.CHANGED))
    made.close()
    os.truncate(path, path.stat().st_size - 1)

    found = loaded(path)

    assert found.position == position
    assert path.stat().st_size == whole
    found.close()


def test_reading_evidence_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j"
    made = written(path)
    made.close()
    torn = path.read_bytes()[:-1]
    path.write_bytes(torn)

    assert len(segments.surviving(path)) == 1
    assert path.read_bytes() == torn
    broken = bytearray(torn + b"\0")
    broken[60] ^= 1
    path.write_bytes(broken)
    with pytest.raises(JournalError, match="chain"):
        segments.surviving(path)
    with pytest.raises(JournalError, match="missing"):
        segments.surviving(tmp_path / "none")


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"x" * HEADER):
        (tmp_path / "j").write_bytes(content)
        with pytest.raises(JournalError, match="not a journal"):
            loaded(tmp_path / "j")


def test_a_repeated_sequence_and_an_unreadable_entry_are_refused(tmp_path: Path) -> None:
    for body, rule in ((b"\xc1", "not readable"), (encoded(5), "sequence is missing")):
        path = tmp_path / "j"
        path.unlink(missing_ok=True)
        made = Journal(path)
        made.start(Position())
        made.close()
        chain = journal.link(journal.GENESIS, b"\1", body)
        with path.open("ab") as file:
            file.write(len(body).to_bytes(4, "big") + body + chain + b"\1")
        with pytest.raises(JournalError, match=rule):
            loaded(path)


def encoded(sequence: int) -> bytes:
    import msgspec

    return msgspec.msgpack.encode(Entry(event=Event.CHANGED, sequence=sequence))


def test_a_failed_append_leaves_nothing(tmp_path: Path) -> None:
    calls = []

    def sync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError("no space")

    made = Journal(tmp_path / "j", sync)
    made.start(Position())
    made.append(Entry(event=Event.CHANGED))
    made.settle(applied=True)
    size, position = (tmp_path / "j").stat().st_size, made.position

    with pytest.raises(OSError, match="no space"):
        made.append(Entry(event=Event.CHANGED))

    assert (tmp_path / "j").stat().st_size == size
    assert made.append(Entry(event=Event.CHANGED)).sequence == position.sequence + 1
    made.close()


def test_a_short_write_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = written(tmp_path / "j", 1)
    monkeypatch.setattr(os, "pwrite", lambda *_: 1)

    with pytest.raises(OSError, match="short"):
        made.append(Entry(event=Event.CHANGED))
    made.close()


def test_pages_are_verified_by_whoever_reads_them(tmp_path: Path) -> None:
    made = written(tmp_path / "j", 7)
    first, second = made.page(1, 4), made.page(5, 4)

    assert verified(first + second) == made.position.chain
    assert len(first) + len(second) == 7
    assert made.page(8) == ()
    entry, _, _, took_effect = journal.parse_record(first[1])
    assert (entry.sequence, took_effect) == (2, False)
    with pytest.raises(AssertionError):
        verified(second + first)
    made.close()


def test_a_journal_cut_while_in_use_is_noticed(tmp_path: Path) -> None:
    made = written(tmp_path / "j")
    os.truncate(tmp_path / "j", (tmp_path / "j").stat().st_size - 1)

    with pytest.raises(JournalError, match="cut"):
        made.page(3)
    made.close()


def test_a_new_journal_goes_on_after_a_restored_place(tmp_path: Path) -> None:
    base = Position(41, b"c" * 32)
    made = Journal(tmp_path / "j")
    made.start(base)

    assert made.append(Entry(event=Event.RESTORED)).sequence == 42
    made.close()
    found = loaded(tmp_path / "j")
    assert found.base == base
    assert [journal.parse_record(r)[0].sequence for r in found.page(1)] == [42]
    found.close()


def test_a_part_goes_on_in_the_next_with_its_signature(tmp_path: Path) -> None:
    first = written(tmp_path / "1", 1)
    place, size = first.position, first.size
    following = Journal(tmp_path / "2")
    following.start(place, b"s" * 64)
    first.flush()
    first.go_on_in(following)

    first.append(Entry(event=Event.CHANGED))
    first.settle(applied=True)
    first.close()

    assert (tmp_path / "1").stat().st_size == size
    again = loaded(tmp_path / "2")
    assert (again.base, again.signature, again.position.sequence) == (place, b"s" * 64, 2)
    again.close()
