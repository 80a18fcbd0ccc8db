"""Deadlines of one interval, in order."""

from pbx.transport.intervals import Interval


def test_those_whose_time_is_over_are_told_once_in_order() -> None:
    interval: Interval[str] = Interval(10)
    interval.begin("a", 0)
    interval.begin("b", 1)
    interval.begin("c", 2)
    interval.begin("a", 5)  # it is running already
    interval.end("b")

    assert interval.overdue(9.9, 5) == []
    assert interval.overdue(12, 5) == ["a", "c"]
    assert interval.overdue(12, 5) == []
    assert len(interval) == 0


def test_of_many_the_first_are_told_first() -> None:
    interval: Interval[int] = Interval(10)
    for number in range(5):
        interval.begin(number, number)

    assert interval.overdue(12, 2) == [0, 1]
    assert interval.overdue(12, 0) == []
    assert interval.overdue(12, 2) == [2]
