from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import StorageUnavailable
from storage.ledger import spool_file
from storage.ledger.row import GENESIS, Tip
from storage.ledger.spool_file import BODY, RECORD, SLOT, Contents, Gap, Header
from tests.support.ledger import TestClock, entry

SIZE = 64 * 1024
HEADER = Header(4, 7, "exchange.spool.1", 0, GENESIS, 0)


def written(path: Path, count: int = 4) -> list[int]:
    """A spool with rows; returns where each begins."""
    spool_file.create(path, SIZE, HEADER)
    tip, place, places = Tip.start(HEADER.writer), BODY, []
    with path.open("r+b") as file:
        for number in range(count):
            row, tip = tip.extend(entry(number), TestClock()())
            file.seek(place)
            places.append(place)
            place += file.write(spool_file.encode_record(HEADER.epoch, row))
    return [*places, place]


def put(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data)


def test_reading_returns_what_was_written(tmp_path: Path) -> None:
    places = written(tmp_path / "s")

    contents = spool_file.read(tmp_path / "s")

    assert len(contents.rows) == 4
    assert contents.end == places[-1]
    assert contents.tip.sequence == 4
    assert (contents.is_torn, contents.is_broken) == (False, False)


def test_an_empty_spool_ends_where_its_header_says(tmp_path: Path) -> None:
    header = Header(1, 1, "w", 9, b"h" * 32, 5)

    assert Contents(header).tip == Tip("w", 9, b"h" * 32, 5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(1, 40), index=st.integers(0, 3))
def test_a_row_cut_by_a_crash_ends_the_spool_before_it(
    tmp_path: Path, cut: int, index: int
) -> None:
    path = tmp_path / "s"
    path.unlink(missing_ok=True)
    places = written(path, index + 1)
    put(path, places[-1] - cut, bytes(cut))

    contents = spool_file.read(path)

    assert len(contents.rows) == index
    assert contents.is_torn
    assert not contents.is_broken


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7), index=st.integers(0, 2))
def test_an_altered_row_is_told_from_the_end(
    tmp_path: Path, place: int, bit: int, index: int
) -> None:
    path = tmp_path / "s"
    path.unlink(missing_ok=True)
    places = written(path)
    data = bytearray(path.read_bytes())
    data[places[index] + place % (places[index + 1] - places[index])] ^= 1 << bit
    path.write_bytes(data)

    contents = spool_file.read(path)

    assert len(contents.rows) == index
    assert contents.is_broken


def test_a_row_of_another_place_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "s"
    places = written(path)
    put(path, places[0], path.read_bytes()[places[2] : places[3]])

    assert spool_file.read(path).rows == []


def test_the_newer_valid_header_counts(tmp_path: Path) -> None:
    path = tmp_path / "s"
    spool_file.create(path, SIZE, HEADER)
    newer = Header(5, 8, "exchange.spool.1", 3, b"x" * 32, 1, Gap(b"o", 1, {"a": 1}, 1, 1))
    put(path, SLOT, spool_file.encode_header(newer))
    assert spool_file.read(path).header == newer

    put(path, SLOT + 60, b"\xff\xff\xff")  # a write of the second slot, cut short

    assert spool_file.read(path).header == HEADER


def test_a_file_that_is_no_spool_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"x", b"x" * SIZE):
        (tmp_path / "s").write_bytes(data)
        with pytest.raises(StorageUnavailable, match="header"):
            spool_file.read(tmp_path / "s")
    with pytest.raises(StorageUnavailable, match="read"):
        spool_file.read(tmp_path / "missing")


def test_rubbish_behind_a_record_head_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "s"
    written(path, 0)
    for body in (b"\xc1", b"\x01"):
        put(path, BODY, RECORD.pack(b"SPL1", HEADER.epoch, len(body)) + body)
        assert spool_file.read(path).rows == []
    put(path, BODY, RECORD.pack(b"SPL1", HEADER.epoch, 2**31))
    assert spool_file.read(path).rows == []


def test_a_full_spool_ends_at_the_end_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s"
    places = written(path)
    with path.open("r+b") as file:
        file.truncate(places[-1] + 3)

    assert len(spool_file.read(path).rows) == 4


def test_a_spool_that_cannot_be_set_aside_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        spool_file.create(tmp_path / "s", -1, HEADER)

    assert list(tmp_path.iterdir()) == []


def test_a_gap_grows_by_kind_and_in_time() -> None:
    gap = Gap(b"o", 0, {}, 5, 0).and_one_more("a", 7).and_one_more("b", 3).and_one_more("a", 9)

    assert gap == Gap(b"o", 3, {"a": 2, "b": 1}, 3, 9)
    assert msgspec.structs.replace(HEADER, gap=gap).without_gap() == HEADER
