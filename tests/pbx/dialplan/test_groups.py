"""Groups in the plan: who rings, in which order, where it goes on, and who may pick up."""

from dataclasses import replace
from itertools import pairwise
from uuid import UUID, uuid4

import pytest

from pbx.dialplan.groups import RingGroup
from pbx.dialplan.plan import (
    MOST_FORWARDS,
    Emergency,
    LeaveMessage,
    PickUp,
    Refusal,
    Refused,
    RingPerson,
    SetReach,
    Slot,
    message_for,
    onward,
    route,
)
from storage.groups import Member
from storage.reach import Reach, When
from tests.support.numbers import Holder, Plan, Ring, plan_of

CALLER = uuid4()
NOW = 1_000
ANNA, BEN, CARA = Holder(), Holder(), Holder()
HELD = {"1001": ANNA, "1002": BEN, "1003": CARA}


def of(*holders: Holder) -> tuple[Member, ...]:
    return tuple(Member(extension=holder.extension) for holder in holders)


def rung(plan: Plan, number: str = "2000", caller: UUID = CALLER) -> list[tuple[UUID, ...]]:
    found = route(caller, number, plan, NOW)
    assert isinstance(found, RingGroup), found
    return [turn.devices for turn in found.turns]


def with_(reach: Reach) -> dict[str, Holder]:
    return HELD | {"1002": replace(BEN, reach=reach)}


def test_a_group_rings_its_members_by_extension_and_by_person() -> None:
    second = Holder(person=CARA.person)
    ring = Ring("2000", (*of(ANNA), Member(person=CARA.person, delay=5)))

    found = route(CALLER, "20-00", plan_of({**HELD, "1004": second}, ring), NOW)

    assert isinstance(found, RingGroup)
    assert (found.group, found.name, found.strategy, found.ring_seconds) == (
        ring.id, "Desk", "all", 20,
    )  # fmt: skip
    assert [(turn.position, turn.devices, turn.delay) for turn in found.turns] == [
        (0, ANNA.devices, 0),
        (1, CARA.devices + second.devices, 5),
    ]


def test_nobody_is_rung_by_their_own_call_nor_twice() -> None:
    ring = Ring("2000", (*of(ANNA, BEN), Member(person=BEN.person)))

    assert rung(plan_of(HELD, ring), caller=ANNA.devices[0]) == [BEN.devices]


@pytest.mark.parametrize(
    "reach",
    [Reach(do_not_disturb=True), Reach().forwarded(When.ALWAYS, ANNA.extension, None)],
)
def test_who_is_not_to_be_disturbed_or_away_is_left_out(reach: Reach) -> None:
    ring = Ring("2000", of(ANNA, BEN))

    assert rung(plan_of(with_(reach), ring)) == [ANNA.devices]


def test_who_answers_emergencies_is_rung_all_the_same() -> None:
    plan = plan_of(with_(Reach(do_not_disturb=True)), Ring("2000", of(BEN)))

    assert rung(replace(plan, emergency_devices=BEN.devices)) == [BEN.devices]


def test_a_members_time_and_the_groups_end_by_themselves() -> None:
    plan = plan_of(HELD, Ring("2000", (Member(extension=ANNA.extension, until=NOW), *of(BEN))))
    assert rung(plan) == [BEN.devices]

    over = Ring("2000", of(BEN), until=NOW, onward=CARA.extension)
    found = route(CALLER, "2000", plan_of(HELD, over), NOW)
    assert isinstance(found, RingPerson)
    assert (found.extension, found.via) == (CARA.extension, (over.id,))
    assert rung(plan_of(HELD, replace(over, until=NOW + 1))) == [BEN.devices]


def test_a_round_goes_on_behind_the_last_one_and_over_those_who_are_away() -> None:
    ring = Ring("2000", of(ANNA, BEN, CARA), strategy="by-round")
    found = route(CALLER, "2000", plan_of(HELD, ring), NOW)
    assert isinstance(found, RingGroup)

    def order(last: int, of: RingGroup = found) -> list[int]:
        return [turn.position for turn in of.order(last)]

    assert [order(-1), order(0), order(1), order(2)] == [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]
    away = route(CALLER, "2000", plan_of(with_(Reach(do_not_disturb=True)), ring), NOW)
    assert isinstance(away, RingGroup)
    assert [order(0, away), order(1, away)] == [[2, 0], [2, 0]]
    assert [turn.position for turn in replace(found, strategy="in-order").order(1)] == [0, 1, 2]


def test_a_group_of_nobody_goes_on_or_takes_a_message_or_is_refused() -> None:
    empty = Ring("2000")
    assert route(CALLER, "2000", plan_of(HELD, empty), NOW) == Refused(Refusal.NO_PHONE)
    expected = LeaveMessage("2000", is_wanted=False, why=Refusal.NO_PHONE)
    boxed = replace(empty, mailbox=uuid4())
    assert route(CALLER, "2000", plan_of(HELD, boxed), NOW) == expected
    second = Ring("2001", of(BEN))
    found = route(CALLER, "2000", plan_of(HELD, replace(empty, onward=second.id), second), NOW)
    assert isinstance(found, RingGroup)
    assert (found.group, found.via) == (second.id, (empty.id,))


def test_after_a_group_rings_what_it_says_and_groups_in_a_circle_end() -> None:
    one, other = Ring("2000", of(ANNA)), Ring("2001", of(BEN))
    one, other = replace(one, onward=other.id), replace(other, onward=one.id)
    plan = plan_of(HELD, one, other)
    first = route(CALLER, "2000", plan, NOW)
    assert isinstance(first, RingGroup)

    second = onward(CALLER, first, When.NO_ANSWER, plan, NOW)
    assert isinstance(second, RingGroup)
    assert (second.group, second.via) == (other.id, (one.id,))
    assert onward(CALLER, second, When.NO_ANSWER, plan, NOW) is None

    gone = plan_of(HELD, replace(one, onward=uuid4()))
    assert onward(CALLER, first, When.NO_ANSWER, gone, NOW) is None
    assert onward(CALLER, first, When.NO_ANSWER, plan_of(HELD), NOW) is None


def test_groups_of_nobody_in_a_circle_end_as_busy() -> None:
    one, other = Ring("2000"), Ring("2001")
    plan = plan_of(HELD, replace(one, onward=other.id), replace(other, onward=one.id))

    assert route(CALLER, "2000", plan, NOW) == Refused(Refusal.BUSY)
    rings = [Ring(str(2000 + n)) for n in range(MOST_FORWARDS + 3)]
    chain = [replace(a, onward=b.id) for a, b in pairwise(rings)]
    assert route(CALLER, "2000", plan_of(HELD, *chain, rings[-1]), NOW) == Refused(Refusal.BUSY)


def test_a_person_forwards_to_a_group_and_a_group_goes_on_to_a_person() -> None:
    ring = Ring("2000", of(BEN))
    away = replace(ANNA, reach=Reach().forwarded(When.ALWAYS, ring.id, None), mailbox=uuid4())
    plan = plan_of(HELD | {"1001": away}, ring)

    found = route(CALLER, "1001", plan, NOW)

    assert isinstance(found, RingGroup)
    assert found.via == (ANNA.extension,)
    assert message_for((*found.via, found.group), plan) == "1001"
    assert message_for((ring.id, ANNA.extension), plan) == "1001"  # a group without a mailbox
    assert message_for((ring.id, BEN.extension), plan) is None
    assert message_for((), plan) is None


def test_codes_reach_groups_too() -> None:
    ring = Ring("2000", of(BEN))
    plan = plan_of(HELD, ring)

    assert route(CALLER, "*722000", plan) == SetReach(True, True, ring.id)
    assert route(CALLER, "*982000", plan) == Refused(Refusal.UNKNOWN_NUMBER)
    boxed = plan_of(HELD, replace(ring, mailbox=uuid4()))
    assert route(CALLER, "*982000", boxed) == LeaveMessage("2000", is_wanted=True)
    assert [route(CALLER, number, plan) for number in ("*70", "*703")] == [Slot(0), Slot(3)]
    assert route(CALLER, "*70123", plan) == Refused(Refusal.UNKNOWN_NUMBER)


def test_no_group_takes_an_emergency_number_or_hides_a_code() -> None:
    plan = plan_of(HELD, Ring("911", of(BEN)), Ring("*43", of(BEN)))

    assert route(CALLER, "911", plan) == Emergency(())
    assert not isinstance(route(CALLER, "*43", plan), RingGroup)


def test_who_may_pick_up() -> None:
    common, other = Ring("2000", of(ANNA, BEN)), Ring("2001", of(CARA))
    plan = plan_of(HELD, common, other)
    [anna] = ANNA.devices

    def allowed(caller: UUID, number: str, plan: Plan = plan) -> bool:
        found = route(caller, f"*8{number}", plan, NOW)
        assert isinstance(found, PickUp)
        return found.is_allowed

    assert allowed(anna, "1002")  # a member of a common group
    assert allowed(anna, "2000")  # what rings at the own group
    assert allowed(anna, "1001")  # the own number, at another phone
    assert not allowed(anna, "1003")
    assert not allowed(anna, "2001")
    assert not allowed(CALLER, "1002")  # a phone of nobody's
    ended = plan_of(HELD, replace(common, until=NOW))
    assert not allowed(anna, "1002", ended)
    left = plan_of(HELD, Ring("2000", (*of(ANNA), Member(extension=BEN.extension, until=NOW))))
    assert not allowed(anna, "1002", left)
    assert route(anna, "*8", plan) == Refused(Refusal.UNKNOWN_NUMBER)
    assert route(anna, "*84711", plan) == Refused(Refusal.UNKNOWN_NUMBER)


def test_how_many_calls_somebody_takes_goes_with_them() -> None:
    plan = plan_of(with_(Reach(most_calls=1, most_calls_until=NOW + 1)), Ring("2000", of(BEN)))

    direct, grouped = route(CALLER, "1002", plan, NOW), route(CALLER, "2000", plan, NOW)
    assert isinstance(direct, RingPerson)
    assert isinstance(grouped, RingGroup)
    assert (direct.most_calls, grouped.turns[0].most_calls) == (1, 1)
    later = route(CALLER, "1002", plan, NOW + 1)
    assert isinstance(later, RingPerson)
    assert later.most_calls is None
