"""Who may connect: strangers are counted by address, phones that have logged in are not."""

import pytest

from pbx.transport.admission import Admission, Memory, address_key
from pbx.transport.config import SipConfig


def test_strangers_of_one_address_are_limited_and_others_are_not() -> None:
    admission = Admission(SipConfig(max_strangers_per_address=2))

    admitted = [admission.admit(key) for key in ("a", "a", "a", "b")]

    assert admitted == [True, True, False, True]
    assert (admission.total, admission.strangers) == (3, 3)


def test_a_clinic_behind_one_address_grows_as_its_phones_log_in() -> None:
    admission = Admission(SipConfig(max_strangers_per_address=2))

    for _ in range(500):
        assert admission.admit("clinic")
        admission.trust("clinic")

    assert (admission.total, admission.strangers) == (500, 0)


def test_flows_that_leave_make_room() -> None:
    admission = Admission(SipConfig(max_flows=2, max_strangers=2, max_strangers_per_address=2))
    admission.admit("a")
    admission.admit("b")
    admission.trust("b")

    full = admission.admit("c")
    admission.release("a", trusted=False)
    admission.release("b", trusted=True)

    assert not full
    assert admission.admit("c")
    assert (admission.total, admission.strangers) == (1, 1)


def test_strangers_share_half_of_the_memory() -> None:
    memory = Memory(100)

    assert memory.take(50, trusted=False)
    assert not memory.take(1, trusted=False)
    assert memory.take(49, trusted=True)
    assert not memory.take(1, trusted=True)
    assert memory.take(-50, trusted=False)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
    ],
)
def test_an_ipv6_network_is_one_address(one: str, other: str, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same
