"""Counting failures: a device is slowed before a person is locked (pure; time is an argument).

One device can fail three times in the window and then once per half window: four at most, one
below the limit of a person, so a lobby phone can neither try every mailbox nor lock a physician
out. Success clears the person's failures, never the device's: a guesser may own one account.
"""

import msgspec

from storage.keyholder.clock import SECOND
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.records import Failures


class Limits(msgspec.Struct, frozen=True):
    person: int
    device: int
    window: int
    lock: int

    @classmethod
    def of(cls, config: KeyHolderConfig) -> "Limits":
        return cls(
            person=config.failures,
            device=config.device_failures,
            window=config.window_seconds * SECOND,
            lock=config.lock_seconds * SECOND,
        )


def recent(failures: Failures, now: int, limits: Limits) -> tuple[int, ...]:
    return tuple(at for at in failures.times if at > now - limits.window)


def is_locked(failures: Failures, now: int) -> bool:
    return now < failures.locked_until


def is_slowed(device: Failures, now: int, limits: Limits) -> bool:
    times = recent(device, now, limits)
    return len(times) >= limits.device and now <= times[-1] + limits.window // 2


def after_person_failure(failures: Failures, now: int, limits: Limits) -> Failures:
    """The failure that reaches the limit locks, and starts the count anew."""
    times = (*recent(failures, now, limits), now)
    if len(times) >= limits.person:
        return Failures(failures.id, (), now + limits.lock)
    return Failures(failures.id, times, failures.locked_until)


def after_device_failure(failures: Failures, now: int, limits: Limits) -> Failures:
    return Failures(failures.id, (*recent(failures, now, limits), now))


def is_over(failures: Failures, now: int, limits: Limits) -> bool:
    """Nothing in it matters any more: the row can go."""
    return not recent(failures, now, limits) and not is_locked(failures, now)
