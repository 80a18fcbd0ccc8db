import os
from pathlib import Path

import pytest

from storage.errors import StorageUnavailable
from storage.ledger import spool_file
from storage.ledger.actions import Action
from storage.ledger.entry import json_text
from storage.ledger.spool import Spool
from tests.support.ledger import TestClock, entry

SIZE, RESERVED = 64 * 1024, 16 * 1024
CALL = Action.EMERGENCY_CALL_STARTED


def spool_at(path: Path) -> Spool:
    return Spool.open(path, "exchange", size=SIZE, reserved=RESERVED)


def fill_up(spool: Spool, action: Action = Action.SYSTEM_STARTED) -> int:
    clock, count = TestClock(), 0
    while spool.append([entry(count, action)], clock).spooled:
        count += 1
    return count


def test_what_was_appended_is_there_after_a_restart(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "s")
    taken = spool.append([entry(1), entry(2)], TestClock())
    spool.append([entry(3)], TestClock())
    rows = spool.rows
    spool.close()

    again = spool_at(tmp_path / "s")

    assert taken.spooled == 2
    assert again.rows == rows
    assert [row.sequence for row in rows] == [1, 2, 3]
    assert again.writer == spool.writer
    assert again.writer.startswith("exchange.spool.")
    assert not again.was_torn
    again.close()


def test_the_file_has_its_full_size_from_the_beginning(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "s")

    stat = (tmp_path / "s").stat()

    assert stat.st_size == SIZE
    assert stat.st_blocks * 512 >= SIZE
    assert stat.st_mode & 0o777 == 0o600
    spool.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "s")

    with pytest.raises(StorageUnavailable, match="in use"):
        spool_at(tmp_path / "s")

    spool.close()


def test_a_spool_that_cannot_be_made_or_read_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "rubbish").write_bytes(b"x" * SIZE)

    with pytest.raises(StorageUnavailable, match="set aside"):
        spool_at(tmp_path / "missing" / "s")
    with pytest.raises(StorageUnavailable, match="header"):
        spool_at(tmp_path / "rubbish")


def test_the_reserved_part_takes_emergency_calls_only(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "s")

    others = fill_up(spool)
    calls = fill_up(spool, CALL)

    assert others > 20
    assert calls > 20
    assert spool.append([entry()], TestClock()).lost == 1
    spool.close()


def test_what_does_not_fit_is_counted_by_kind_and_survives_a_restart(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "s")
    fill_up(spool)
    clock = TestClock(5_000_000_000_000_000)
    spool.append([entry(), entry(0, Action.SYSTEM_STOPPED)], clock)
    spool.close()

    again = spool_at(tmp_path / "s")

    assert again.gap is not None
    assert again.gap.count == 3
    assert again.gap.kinds == {"system.started": 2, "system.stopped": 1}
    assert again.gap.first < again.gap.last <= clock.now
    again.close()


def test_a_gap_becomes_a_row_once_there_is_room(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "s")
    count = fill_up(spool)
    gap = spool.gap
    assert gap is not None
    spool.clear()

    spool.record_gap(TestClock())
    spool.record_gap(TestClock())

    (row,) = spool.rows
    assert spool.gap is None
    assert (row.sequence, row.action) == (count + 1, "ledger.gap")
    assert row.after == json_text(
        "after", {"count": 1, "kinds": gap.kinds, "from": gap.first, "to": gap.last}
    )
    spool.close()


def test_a_crash_between_the_gaps_row_and_the_header_records_it_once(tmp_path: Path) -> None:
    path = tmp_path / "s"
    spool = spool_at(path)
    fill_up(spool)
    spool.clear()
    headers = path.read_bytes()[: spool_file.BODY]
    spool.record_gap(TestClock())
    spool.close()
    with path.open("r+b") as file:
        file.write(headers)

    again = spool_at(path)

    assert again.gap is None
    assert [row.action for row in again.rows] == ["ledger.gap"]
    again.close()


def test_after_clearing_old_rows_do_not_come_back(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "s")
    spool.append([entry(n) for n in range(5)], TestClock())
    spool.clear()
    spool.append([entry(9)], TestClock())
    spool.close()

    again = spool_at(tmp_path / "s")

    assert [row.sequence for row in again.rows] == [6]
    assert not again.was_torn
    again.close()


def test_a_clock_that_ran_backwards_does_not_order_rows_backwards(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "s")
    spool.append([entry(1)], lambda: 2_000)
    spool.append([entry(1)], lambda: 1_000)

    assert [(row.occurred_at, row.recorded_at) for row in spool.rows] == [
        (2_000, 2_000),
        (1_000, 2_000),
    ]
    spool.close()


def test_a_device_that_fails_loses_rows_but_not_their_count(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "s")
    spool.append([entry(1)], TestClock())
    spool.close()  # every write from here on fails

    taken = spool.append([entry(2), entry(3)], TestClock())

    assert (taken.spooled, taken.lost) == (0, 2)
    assert len(spool.rows) == 1
    assert spool.gap is not None
    assert spool.gap.count == 2
    spool.record_gap(TestClock())
    assert spool.gap is not None
    with pytest.raises(StorageUnavailable):
        spool.clear()


@pytest.mark.parametrize("reaches_the_disk", [False, True])
def test_rows_after_a_clearing_that_failed_are_there_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, reaches_the_disk: bool
) -> None:
    """An error while syncing says nothing about what the disk holds."""
    spool = spool_at(tmp_path / "s")
    spool.append([entry(1)], TestClock())

    def fails(descriptor: int, data: bytes, offset: int) -> int:
        if reaches_the_disk:
            write(descriptor, data, offset)
        raise OSError(5, "EIO")

    with monkeypatch.context() as broken:
        write = os.pwrite
        broken.setattr(os, "pwrite", fails)
        with pytest.raises(StorageUnavailable):
            spool.clear()
        assert spool.append([entry(2)], TestClock()).lost == 1
    assert spool.append([entry(3), entry(4)], TestClock()).spooled == 2
    rows = spool.rows
    spool.close()

    again = spool_at(tmp_path / "s")
    assert again.rows == rows
    assert len(rows) == 3
    assert not again.was_torn
    again.close()
