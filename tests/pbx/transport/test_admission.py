"""Who may connect: strangers are counted by address, phones that have logged in are not."""

import msgspec
import pytest

from pbx.sip.flows import FlowId
from pbx.transport.admission import Admission, Memory, address_key
from pbx.transport.config import SipConfig


def config(**limits: int) -> SipConfig:
    return msgspec.convert(limits, SipConfig)


def fill(admission: Admission, *keys: str, now: float = 0.0) -> list[bool]:
    """Whether each may come, in turn; flows are numbered from 1."""
    outcome = []
    for key in keys:
        outcome.append(admission.has_room(key))
        if outcome[-1]:
            admission.admit(FlowId(admission.total + 1), key, now)
    return outcome


def test_strangers_of_one_address_are_limited_and_others_are_not() -> None:
    admission = Admission(config(max_strangers_per_address=2))

    assert fill(admission, "a", "a", "a", "b") == [True, True, False, True]
    assert (admission.total, admission.strangers) == (3, 3)


def test_a_clinic_behind_one_address_grows_as_its_phones_log_in() -> None:
    admission = Admission(config(max_strangers_per_address=2))

    for phone in range(1, 501):
        assert fill(admission, "clinic") == [True]
        admission.trust(FlowId(phone), "clinic")

    assert (admission.total, admission.strangers) == (500, 0)


def test_flows_that_leave_make_room() -> None:
    admission = Admission(config(max_flows=2))
    fill(admission, "a", "b")
    admission.trust(FlowId(2), "b")

    full = not admission.has_room("c")
    admission.release(FlowId(1), "a")
    admission.release(FlowId(2), "b")

    assert full
    assert admission.has_room("c")
    assert (admission.total, admission.strangers) == (0, 0)


def test_the_stranger_of_an_address_who_was_here_longest_makes_room_after_a_grace() -> None:
    admission = Admission(config(max_strangers_per_address=2))
    fill(admission, "a", now=0.0)
    fill(admission, "b", "b", now=1.0)
    admission.heard(FlowId(2), 1.5)

    assert admission.longest_stranger("b", 2.9) is None
    assert admission.longest_stranger("b", 3.0) == FlowId(2)


def test_who_keeps_us_waiting_makes_room_and_whom_we_keep_waiting_does_not() -> None:
    admission = Admission(config(max_strangers=3))
    fill(admission, "a", "b", "c", now=0.0)
    assert admission.longest_stranger("d", 0.2) is None
    assert admission.longest_stranger("d", 0.25) == FlowId(1)

    admission.waits(FlowId(1))
    admission.heard(FlowId(2), 0.1)
    assert admission.longest_stranger("d", 0.25) == FlowId(3)

    admission.release(FlowId(3), "c")
    assert admission.longest_stranger("d", 0.3) is None
    assert admission.longest_stranger("d", 0.36) == FlowId(2)

    admission.trust(FlowId(2), "b")
    admission.heard(FlowId(2), 0.4)  # its log-in is dealt with; it is no stranger any more
    assert admission.longest_stranger("d", 1.9) is None
    assert admission.longest_stranger("d", 2.0) == FlowId(1)  # nobody may wait for ever


def test_nobody_who_logged_in_makes_room() -> None:
    admission = Admission(config(max_flows=1))
    fill(admission, "a")
    admission.trust(FlowId(1), "a")

    assert admission.longest_stranger("b", 100.0) is None


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
