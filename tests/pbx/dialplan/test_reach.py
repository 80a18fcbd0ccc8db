"""Do-not-disturb and forwards in the plan: where a call goes, and that it never goes in circles."""

from dataclasses import replace
from itertools import pairwise
from uuid import uuid4

from pbx.dialplan.plan import (
    MOST_FORWARDS,
    Emergency,
    LeaveMessage,
    Refusal,
    Refused,
    RingPerson,
    SetReach,
    onward,
    route,
)
from storage.reach import UNSET, Forward, Reach, When
from tests.support.numbers import Holder, Plan

CALLER, DESK = uuid4(), uuid4()
NOW = 1_000
UNDISTURBED = Reach(do_not_disturb=True)


def sent(holder: Holder, when: When, to: Holder, until: int | None = None) -> Holder:
    return replace(holder, reach=holder.reach.forwarded(when, to.extension, until))


def test_nobody_who_is_not_to_be_disturbed_rings() -> None:
    held = Holder((DESK,), reach=UNDISTURBED)
    with_mailbox = replace(held, mailbox=uuid4())

    assert route(CALLER, "1001", Plan({"1001": held}), NOW) == Refused(Refusal.BUSY)
    expected = LeaveMessage("1001", is_wanted=False, why=Refusal.BUSY)
    assert route(CALLER, "1001", Plan({"1001": with_mailbox}), NOW) == expected


def test_a_setting_counts_until_its_end() -> None:
    held = Holder((DESK,), reach=Reach(do_not_disturb=True, undisturbed_until=NOW))
    plan = Plan({"1001": held})

    assert isinstance(route(CALLER, "1001", plan, NOW - 1), Refused)
    assert isinstance(route(CALLER, "1001", plan, NOW), RingPerson)

    other = Holder()
    plan = Plan({"1001": sent(Holder(), When.ALWAYS, other, until=NOW), "1002": other})
    before, after = route(CALLER, "1001", plan, NOW - 1), route(CALLER, "1001", plan, NOW)
    assert isinstance(before, RingPerson)
    assert isinstance(after, RingPerson)
    assert (before.extension == other.extension, after.via) == (True, ())


def test_a_phone_that_rings_for_emergencies_and_an_emergency_call_are_never_held_off() -> None:
    held = Holder((DESK,), reach=UNDISTURBED)
    plan = Plan({"1001": held}, emergency_devices=(DESK,))

    assert isinstance(route(CALLER, "1001", plan, NOW), RingPerson)
    assert route(CALLER, "911", plan, NOW) == Emergency((DESK,))


def test_forwards_at_once() -> None:
    other = Holder()
    for held in (
        sent(Holder(), When.ALWAYS, other),
        sent(Holder(()), When.OFFLINE, other),
        sent(Holder(reach=UNDISTURBED), When.BUSY, other),
        sent(Holder(reach=UNDISTURBED), When.ALWAYS, other),
    ):
        found = route(CALLER, "1001", Plan({"1001": held, "1002": other}), NOW)

        assert isinstance(found, RingPerson)
        assert (found.extension, found.devices) == (other.extension, other.devices)
        assert found.via == (held.extension,)


def test_a_circle_ends_in_the_mailbox_of_whoever_was_dialled_or_is_busy() -> None:
    one, other = Holder(mailbox=uuid4()), Holder(mailbox=uuid4())
    one, other = sent(one, When.ALWAYS, other), sent(other, When.ALWAYS, one)
    plan = Plan({"1001": one, "1002": other})

    expected = LeaveMessage("1001", is_wanted=False, why=Refusal.BUSY)
    assert route(CALLER, "1001", plan, NOW) == expected
    plan = Plan({"1001": replace(one, mailbox=None), "1002": other})
    assert route(CALLER, "1001", plan, NOW) == Refused(Refusal.BUSY)


def test_a_chain_has_an_end() -> None:
    def chain(length: int) -> Plan:
        held = [Holder() for _ in range(length)]
        linked = [sent(one, When.ALWAYS, to) for one, to in pairwise(held)]
        people = [*linked, held[-1]]
        return Plan({str(1000 + index): one for index, one in enumerate(people)})

    assert isinstance(route(CALLER, "1000", chain(MOST_FORWARDS + 1), NOW), RingPerson)
    assert route(CALLER, "1000", chain(MOST_FORWARDS + 2), NOW) == Refused(Refusal.BUSY)


def test_a_forward_to_a_number_that_nobody_has_any_more_reaches_nobody() -> None:
    held = sent(Holder(), When.ALWAYS, Holder())

    assert route(CALLER, "1001", Plan({"1001": held}), NOW) == Refused(Refusal.NO_PHONE)


def test_who_rings_after_nobody_answered() -> None:
    third = Holder()
    other = sent(Holder(), When.BUSY, third)
    held = sent(Holder(), When.NO_ANSWER, other)
    plan = Plan({"1001": held, "1002": other, "1003": third})
    first = route(CALLER, "1001", plan, NOW)
    assert isinstance(first, RingPerson)

    assert onward(CALLER, first, When.BUSY, plan, NOW) is None
    second = onward(CALLER, first, When.NO_ANSWER, plan, NOW)
    assert second is not None
    assert (second.extension, second.via) == (other.extension, (held.extension,))
    last = onward(CALLER, second, When.BUSY, plan, NOW)
    assert last is not None
    assert last.via == (held.extension, other.extension)
    assert onward(CALLER, last, When.BUSY, plan, NOW) is None


def test_nobody_rings_twice_in_one_call() -> None:
    one, other = Holder(), Holder()
    one, other = sent(one, When.NO_ANSWER, other), sent(other, When.NO_ANSWER, one)
    plan = Plan({"1001": one, "1002": other})
    first = route(CALLER, "1001", plan, NOW)
    assert isinstance(first, RingPerson)
    second = onward(CALLER, first, When.NO_ANSWER, plan, NOW)
    assert second is not None

    assert onward(CALLER, second, When.NO_ANSWER, plan, NOW) is None


def test_forward_keeps_one_target_of_a_kind() -> None:
    reach = UNSET.forwarded(When.BUSY, DESK, None).forwarded(When.BUSY, CALLER, 5)

    assert reach.forwards == (Forward(When.BUSY, CALLER, 5),)
    assert reach.forwarded(When.BUSY, None, None) == UNSET


def test_what_is_dialled_to_set_it() -> None:
    other = Holder()
    plan = Plan({"1002": other})

    assert route(CALLER, "*78", plan) == SetReach(is_forward=False, is_on=True)
    assert route(CALLER, "*79", plan) == SetReach(is_forward=False, is_on=False)
    assert route(CALLER, "*73", plan) == SetReach(is_forward=True, is_on=False)
    expected = SetReach(is_forward=True, is_on=True, target=other.extension)
    assert route(CALLER, "*721002", plan) == expected
    for outside in ("*72", "*729", "*7215551234567"):
        assert route(CALLER, outside, plan) == Refused(Refusal.UNKNOWN_NUMBER)
