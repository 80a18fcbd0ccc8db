"""A heap that forgives; checked against a plain sorted list."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sip.deadlines import Deadlines


class Bell:
    def __init__(self, deadlines: Deadlines, deadline: float | None) -> None:
        self.deadlines, self.deadline = deadlines, deadline
        self.rung: list[float] = []
        self.after: float | None = None
        deadlines.changed(self)

    def set(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.deadlines.changed(self)

    def ring(self, now: float) -> None:
        self.rung.append(now)
        self.deadline, self.after = self.after, None


def test_the_earliest_is_next_and_rings_alone():
    deadlines = Deadlines()
    late, early = Bell(deadlines, 2.0), Bell(deadlines, 1.0)
    assert deadlines.next() == 1.0
    deadlines.expire(1.5)
    assert (early.rung, late.rung) == ([1.5], [])
    assert deadlines.next() == 2.0
    deadlines.expire(2.0)
    assert deadlines.next() is None


def test_what_is_over_before_anybody_asks_never_enters_the_heap():
    deadlines = Deadlines()
    Bell(deadlines, 1.0).set(None)
    assert deadlines.next() is None and len(deadlines) == 0


def test_a_deadline_that_moves_there_and_back_rings_once():
    deadlines = Deadlines()
    bell = Bell(deadlines, 5.0)
    for when in (6.0, 5.0, 5.0):
        deadlines.next()
        bell.set(when)
    deadlines.expire(10.0)
    assert bell.rung == [10.0] and deadlines.next() is None


def test_a_bell_that_wants_more_rings_again_in_the_same_turn():
    deadlines = Deadlines()
    bell = Bell(deadlines, 1.0)
    bell.after = 2.0
    deadlines.expire(3.0)
    assert bell.rung == [3.0, 3.0]


def test_what_was_withdrawn_does_not_pile_up():
    deadlines = Deadlines()
    first = Bell(deadlines, 0.5)  # stale entries behind it are not popped on the way
    bell = Bell(deadlines, 1.0)
    for when in range(1000):
        bell.set(float(when + 2))
        deadlines.next()
    assert len(deadlines) < 100
    deadlines.expire(2000.0)
    assert (first.rung, bell.rung) == ([2000.0], [2000.0])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.none() | st.integers(0, 20), st.booleans())))
def test_it_agrees_with_a_sorted_list(steps):
    deadlines = Deadlines()
    bells = [Bell(deadlines, None) for _ in range(5)]
    for which, when, ask in steps:
        bells[which].set(when)
        wanted = [b.deadline for b in bells if b.deadline is not None]
        if ask:
            assert deadlines.next() == min(wanted, default=None)
    due = [b for b in bells if b.deadline is not None and b.deadline <= 10]
    deadlines.expire(10)
    assert [b for b in bells if b.rung] == due
