"""storage/keyholder/clock.py"""

from storage.keyholder.clock import SECOND, SafeClock
from tests.support.keyholder import FakeTime


def clock_of(time: FakeTime, floor: int = 0) -> SafeClock:
    return SafeClock(time.wall_clock, time.monotonic_clock, floor)


def test_a_wall_clock_set_back_does_not_turn_time_back() -> None:
    time = FakeTime()
    clock = clock_of(time)
    before = clock()

    time.wall -= 3600 * SECOND
    time.monotonic += 2 * SECOND

    assert clock() == before + 2 * SECOND
    assert clock.wall() == time.wall


def test_a_clock_set_back_while_we_were_stopped_is_caught_by_the_floor() -> None:
    time = FakeTime()

    assert clock_of(time, floor=time.wall + 5)() == time.wall + 5


def test_a_jump_forward_is_believed_and_a_monotonic_clock_that_falls_is_not() -> None:
    time = FakeTime()
    clock = clock_of(time)

    time.wall += 60 * SECOND
    assert clock() == time.wall
    time.monotonic -= 5
    assert clock() == time.wall
