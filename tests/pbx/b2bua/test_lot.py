"""Places for parked calls: each for one call, and none given again before the others."""

from typing import cast

from pbx.b2bua.call import Call
from pbx.b2bua.lot import Lot


def calls(count: int) -> list[Call]:
    """A place needs nothing of a call but that it is one."""
    return [cast(Call, object()) for _ in range(count)]


def test_places_are_given_in_turn_and_the_last_one_left_is_not_the_next_one_given() -> None:
    lot, (one, two, three, four) = Lot(), calls(4)

    assert [lot.take(one, 3), lot.take(two, 3)] == [1, 2]
    lot.leave(two)
    assert [lot.take(three, 3), lot.take(four, 3)] == [3, 2]
    assert [lot.at(1), lot.at(2), lot.at(3)] == [one, four, three]


def test_a_full_lot_and_a_taken_place_are_refused() -> None:
    lot, (one, two, three) = Lot(), calls(3)

    assert lot.take(one, 2, 2) == 2
    assert lot.take(two, 2, 2) == 0
    assert lot.take(two, 2, 3) == 0
    assert lot.take(two, 2) == 1
    assert lot.take(three, 2) == 0
    assert len(lot) == 2


def test_a_place_is_handed_over_and_left() -> None:
    lot, (one, two) = Lot(), calls(2)
    lot.take(one, 9)

    assert lot.hand_over(one, two) == 1
    assert (lot.place_of(one), lot.place_of(two)) == (0, 1)
    lot.leave(one)
    assert lot.at(1) is two
    lot.leave(two)
    assert len(lot) == 0
    assert lot.hand_over(one, two) == 0
