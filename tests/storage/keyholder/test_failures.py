"""storage/keyholder/failures.py"""

from uuid import UUID

from storage.keyholder import failures
from storage.keyholder.clock import SECOND
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.failures import Limits
from storage.keyholder.records import Failures

LIMITS = Limits.of(KeyHolderConfig())
NOW = 1_000_000 * SECOND
NOBODY = Failures(UUID(int=1))


def test_the_fifth_failure_within_the_window_locks_for_the_lock_time() -> None:
    counted = NOBODY
    for number in range(4):
        counted = failures.after_person_failure(counted, NOW + number, LIMITS)
        assert not failures.is_locked(counted, NOW + number)

    counted = failures.after_person_failure(counted, NOW + 4, LIMITS)

    assert failures.is_locked(counted, NOW + 4)
    assert failures.is_locked(counted, NOW + 4 + 900 * SECOND - 1)
    assert not failures.is_locked(counted, NOW + 4 + 900 * SECOND)


def test_failures_outside_the_window_do_not_count() -> None:
    counted = NOBODY
    for number in range(20):
        counted = failures.after_person_failure(counted, NOW + number * 226 * SECOND, LIMITS)

    assert counted.locked_until == 0


def test_one_device_never_locks_a_person() -> None:
    """Greedily, every second for six hours: whenever the device is let in, it fails."""
    device = person = NOBODY
    tries = 0
    for second in range(6 * 3600):
        now = NOW + second * SECOND
        if not failures.is_slowed(device, now, LIMITS):
            device = failures.after_device_failure(device, now, LIMITS)
            person = failures.after_person_failure(person, now, LIMITS)
            tries += 1
            assert not failures.is_locked(person, now)

    assert tries < 80


def test_a_row_is_over_when_neither_count_nor_lock_matters() -> None:
    counted = failures.after_person_failure(NOBODY, NOW, LIMITS)

    assert not failures.is_over(counted, NOW + 899 * SECOND, LIMITS)
    assert failures.is_over(counted, NOW + 900 * SECOND, LIMITS)
    assert not failures.is_over(Failures(UUID(int=1), (), NOW + 1), NOW, LIMITS)
