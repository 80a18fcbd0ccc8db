"""What anybody can cause is counted: a few rows, then numbers, and nothing lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.access.floods import SECOND, FloodLimits, Floods, network_of

LIMITS = FloodLimits(alone=3, altogether=8, kinds=4, window=600 * SECOND, report=60 * SECOND)


def floods() -> Floods[str]:
    return Floods(lambda _: "rest", LIMITS)


def test_the_first_stand_alone_and_the_others_are_a_number() -> None:
    flood = floods()

    alone = [flood.stands_alone("a", at) for at in range(10)]

    assert alone == [True] * 3 + [False] * 7
    assert flood.is_flooded("a", 10)
    assert not flood.is_flooded("b", 10)
    [counted] = flood.due(60 * SECOND + 3)
    assert (counted.kind, counted.count) == ("a", 7)
    assert (counted.first_at, counted.last_at) == (3, 9)
    assert counted.number == {"count": 7, "first": 3, "last": 9}
    assert flood.due(10**12) == []


def test_a_count_is_reported_when_it_is_due_or_at_the_end() -> None:
    flood = floods()
    for at in range(4):
        flood.stands_alone("a", at)

    assert flood.due(60 * SECOND) == []
    assert [counted.count for counted in flood.due(4, all_=True)] == [1]


def test_a_new_window_lets_them_stand_alone_again_and_a_clock_set_back_does_not() -> None:
    flood = floods()
    for _ in range(4):
        flood.stands_alone("a", 700 * SECOND)

    assert not flood.stands_alone("a", 0)
    assert flood.stands_alone("a", 1400 * SECOND)


def test_many_kinds_are_one_kind_and_have_one_limit() -> None:
    flood = floods()

    alone = [flood.stands_alone(f"source {number}", number) for number in range(1000)]

    assert sum(alone) == 4 + 3
    counts = {counted.kind: counted.count for counted in flood.due(0, all_=True)}
    assert counts == {"rest": 1000 - 7}


def test_all_kinds_together_have_a_limit() -> None:
    flood = floods()

    assert sum(flood.stands_alone("abcd"[at % 4], at) for at in range(100)) == 8


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 2000))), st.booleans())
@settings(max_examples=200, deadline=None)
def test_nothing_is_lost(events: list[tuple[str, int]], sorted_: bool) -> None:
    flood, alone, counted = floods(), 0, 0

    for kind, seconds in sorted(events, key=lambda e: e[1]) if sorted_ else events:
        alone += flood.stands_alone(kind, seconds * SECOND)
        counted += sum(one.count for one in flood.due(seconds * SECOND))
    counted += sum(one.count for one in flood.due(0, all_=True))

    assert alone + counted == len(events)


@pytest.mark.parametrize(
    ("source", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("uid 0", "uid 0"),
    ],
)
def test_a_source_is_its_network(source: str, network: str) -> None:
    assert network_of(source) == network
