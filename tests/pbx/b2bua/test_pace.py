"""So many at once, as many again in a minute, and each device for itself."""

from uuid import UUID

from pbx.b2bua.pace import MINUTE, Pace

ONE, OTHER = UUID(int=1), UUID(int=2)


def allowed(pace: Pace, device: UUID, tries: int, now: int) -> int:
    return sum(pace.allows(device, 60, now) for _ in range(tries))


def test_a_device_has_a_minutes_worth_at_once_and_then_waits() -> None:
    pace = Pace()
    assert allowed(pace, ONE, 100, 0) == 60
    assert allowed(pace, OTHER, 10, 0) == 10
    assert allowed(pace, ONE, 100, MINUTE // 60) == 1
    assert allowed(pace, ONE, 100, MINUTE // 2) == 29
    assert allowed(pace, ONE, 100, 10 * MINUTE) == 60


def test_a_clock_that_falls_back_gives_nothing_and_takes_nothing() -> None:
    pace = Pace()
    assert allowed(pace, ONE, 60, 5 * MINUTE) == 60
    assert allowed(pace, ONE, 5, 0) == 0
    assert allowed(pace, ONE, 5, MINUTE // 30) == 2
