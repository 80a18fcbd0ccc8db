from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import SYSTEM, Entry
from storage.ledger.report import Fault
from storage.ledger.row import Row, Tip
from storage.ledger.walk import Mark, Walk, chained
from tests.support.ledger import TestClock, entry, some_operation


def rows_of(count: int) -> list[Row]:
    tip, rows = Tip.start("w"), []
    for number in range(count):
        row, tip = tip.extend(entry(number), TestClock()())
        rows.append(row)
    return rows


def found(walk: Walk) -> tuple[Fault, int, int | None] | None:
    return walk.fault and (walk.fault.fault, walk.fault.sequence, walk.fault.last)


def test_a_whole_chain_has_no_fault() -> None:
    rows, walk = rows_of(5), Walk("w")
    walk.expect([Mark(3, rows[2].hash, "head 1"), Mark(5, rows[4].hash, "head 2")])

    walk.feed(rows[:2])
    walk.feed(rows[2:])
    walk.finish()

    assert (found(walk), walk.rows, walk.agreed) == (None, 5, 5)


def test_a_missing_row_is_named() -> None:
    rows, walk = rows_of(5), Walk("w")

    walk.feed([*rows[:2], *rows[3:]])

    assert found(walk) == (Fault.MISSING, 3, None)


def test_a_row_before_the_first_cannot_exist() -> None:
    rows, walk = rows_of(2), Walk("w")

    walk.feed([rows[1]._replace(sequence=-3), rows[0]])

    assert found(walk) == (Fault.ALTERED, -3, None)


def test_an_altered_row_is_named_and_is_not_reordered() -> None:
    rows, walk = rows_of(5), Walk("w")
    rows[2] = rows[2]._replace(outcome="x")

    walk.feed(rows)

    assert found(walk) == (Fault.ALTERED, 3, None)
    assert not walk.reordered(rows[3:], rows[2])


def test_rows_that_changed_places_are_called_reordered() -> None:
    rows, walk = rows_of(5), Walk("w")
    rows[1], rows[3] = rows[3]._replace(sequence=2), rows[1]._replace(sequence=4)
    walk.feed(rows)

    assert walk.reordered(rows[2:], rows[1])
    assert found(walk) == (Fault.REORDERED, 2, None)
    assert not walk.reordered(rows[2:], rows[1])
    assert not Walk("w").reordered(rows, rows[0])


def test_a_mark_that_disagrees_names_the_rows_since_the_last_that_agreed() -> None:
    rows, walk = rows_of(6), Walk("w")
    walk.expect([Mark(2, rows[1].hash, "head 1"), Mark(5, b"x" * 32, "head 2")])

    walk.feed(rows)
    walk.finish()

    assert found(walk) == (Fault.ALTERED, 3, 5)


def test_a_mark_beyond_the_end_means_missing_rows() -> None:
    rows, walk = rows_of(3), Walk("w")
    walk.expect([Mark(5, b"x" * 32, "head 1"), Mark(9, b"y" * 32, "an anchor")])

    walk.feed(rows)
    walk.finish()

    assert found(walk) == (Fault.MISSING, 4, None)
    assert walk.fault and "an anchor" in walk.fault.sentence and "9" in walk.fault.sentence


def test_a_gap_is_no_fault() -> None:
    after = {"count": 3, "kinds": {"system.started": 3}, "from": 1, "to": 2}
    lost = Entry(
        action=Action.LEDGER_GAP,
        outcome=Outcome.FAILED,
        actor=SYSTEM,
        operation=some_operation(),
        after=after,
    )
    row, _ = Tip.start("w").extend(lost, 5)
    walk = Walk("w")

    walk.feed([row])

    assert walk.fault is None
    (gap,) = walk.gaps
    assert (gap.sequence, gap.count, gap.first, gap.last) == (1, 3, 1, 2)


def test_what_can_never_have_been_written_has_no_chain_value() -> None:
    (row,) = rows_of(1)

    assert chained(b"", row._replace(action="\udcff")) is None
    assert chained(b"", row) is not None
