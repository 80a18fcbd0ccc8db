"""Lock-out of device names."""

from __future__ import annotations

from uuid import UUID

import pytest

from pbx.access.lockout import Locked, Lockout, LockoutConfig, network

PHONE, OTHER = UUID(int=1), UUID(int=2)
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.1"
CONFIG = LockoutConfig(failures=4, decay_seconds=60)


def fail(lockout: Lockout, times: int, *, now: float = 0.0, source: str = HERE) -> list[bool]:
    return [lockout.failed("phone", PHONE, source, now) for _ in range(times)]


def test_the_failure_that_locks_says_so_and_only_that_source_is_locked() -> None:
    lockout = Lockout(CONFIG)

    assert fail(lockout, 5) == [False, False, False, True, False]

    assert lockout.is_locked("phone", HERE, 0.0)
    assert lockout.is_locked("PHONE", HERE, 0.0)
    assert not lockout.is_locked("phone", ELSEWHERE, 0.0)
    assert not lockout.is_locked("other", HERE, 0.0)


def test_a_lock_opens_when_half_the_failures_are_forgiven() -> None:
    lockout = Lockout(CONFIG)
    fail(lockout, 4)

    assert lockout.is_locked("phone", HERE, 119.0)
    assert not lockout.is_locked("phone", HERE, 120.0)
    assert fail(lockout, 2, now=120.0) == [False, True]


def test_slow_failures_never_lock() -> None:
    lockout = Lockout(CONFIG)

    assert not any(lockout.failed("phone", PHONE, HERE, 61.0 * n) for n in range(100))


def test_a_clock_that_falls_back_forgives_nothing() -> None:
    lockout = Lockout(CONFIG)
    fail(lockout, 4, now=1000.0)

    assert lockout.is_locked("phone", HERE, 0.0)
    assert lockout.is_locked("phone", HERE, 1000.0)
    assert not lockout.is_locked("phone", HERE, 1120.0)


def test_locks_are_shown_and_lifted_by_device() -> None:
    lockout = Lockout(CONFIG)
    fail(lockout, 4)
    fail(lockout, 4, source=ELSEWHERE)
    fail(lockout, 1, source="203.0.113.1")
    lockout.failed("unknown", None, HERE, 0.0)

    assert list(lockout.locks(30.0)) == [
        Locked(PHONE, HERE, 90.0),
        Locked(PHONE, ELSEWHERE, 90.0),
    ]
    assert lockout.unlock(OTHER) == 0
    assert lockout.unlock(PHONE) == 2
    assert not lockout.is_locked("phone", HERE, 30.0)
    assert len(lockout) == 1


def test_memory_is_bounded_in_names_and_in_their_length() -> None:
    lockout = Lockout(CONFIG, most=3)
    for name in ("a", "b", "c", "a", "d"):
        lockout.failed(name, None, HERE, 0.0)

    assert len(lockout) == 3
    for _ in range(3):
        lockout.failed("a", None, HERE, 0.0)
    assert not lockout.is_locked("b", HERE, 0.0)
    lockout.failed("n" * 100_000, None, HERE, 0.0)
    for _ in range(3):
        lockout.failed("n" * 64, None, HERE, 0.0)
    assert lockout.is_locked("n" * 65, HERE, 0.0)


@pytest.mark.parametrize(
    ("source", "one"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_ipv6_host_cannot_roam_out_of_a_lock(source: str, one: str) -> None:
    assert network(source) == one


@pytest.mark.parametrize(
    "values", [{"failures": 2}, {"failures": 1001}, {"decay_seconds": 0}, {"decay_seconds": 86_401}]
)
def test_a_lock_that_means_nothing_cannot_be_configured(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        LockoutConfig(**values)
