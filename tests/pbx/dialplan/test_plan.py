from uuid import uuid4

import pytest

from pbx.dialplan.plan import (
    Echo,
    Emergency,
    EmergencyTest,
    LeaveMessage,
    OwnMessages,
    Refusal,
    Refused,
    RingPerson,
    SignIn,
    SignOut,
    route,
)
from tests.support.numbers import Holder, Plan

CALLER, DESK, SOFT, LOBBY = uuid4(), uuid4(), uuid4(), uuid4()


HOLDER, CALLING = Holder((DESK, SOFT)), Holder((CALLER,))
PLAN = Plan({"1001": HOLDER, "1002": CALLING}, (LOBBY, CALLER))


def test_an_extension_rings_all_phones_of_the_person_who_holds_it() -> None:
    expected = RingPerson(HOLDER.extension, HOLDER.tenure, HOLDER.person, (DESK, SOFT))

    assert route(CALLER, "10-01", PLAN) == expected


def test_a_phone_that_calls_its_own_number_does_not_ring_itself() -> None:
    assert route(CALLER, "1002", PLAN) == Refused(Refusal.NO_PHONE)


def test_an_extension_without_a_phone_to_ring_takes_a_message() -> None:
    plan = Plan({"1002": Holder((CALLER,), mailbox=uuid4())})

    assert route(CALLER, "1002", plan) == LeaveMessage("1002", is_wanted=False)


def test_a_mailbox_is_dialled_directly_and_ones_own_by_a_number_of_its_own() -> None:
    plan = Plan({"1001": Holder((DESK,), mailbox=uuid4()), "1002": HOLDER})

    assert route(CALLER, "*981001", plan) == LeaveMessage("1001", is_wanted=True)
    assert route(CALLER, "*981002", plan) == Refused(Refusal.UNKNOWN_NUMBER)
    assert route(CALLER, "*98", plan) == Refused(Refusal.UNKNOWN_NUMBER)
    assert route(CALLER, "*97", plan) == OwnMessages()


@pytest.mark.parametrize("number", ["911", "9911"])
def test_an_emergency_number_rings_the_designated_phones_but_the_callers(number: str) -> None:
    assert route(CALLER, number, PLAN) == Emergency((LOBBY,))


def test_an_emergency_number_is_routed_even_with_no_phone_designated_and_no_extension() -> None:
    assert route(CALLER, "911", Plan({})) == Emergency(())


def test_no_extension_takes_an_emergency_number() -> None:
    plan = Plan({"911": HOLDER, "933": HOLDER, "9911": HOLDER})

    assert route(CALLER, "911", plan) == Emergency(())
    assert route(CALLER, "9911", plan) == Emergency(())
    assert route(CALLER, "933", plan) == EmergencyTest(())


def test_a_test_call_has_a_number_that_no_code_begins_with() -> None:
    plan = Plan({"*9912345678": HOLDER, "*43": HOLDER})

    found = route(CALLER, "*9912345678", plan)

    assert found == RingPerson(HOLDER.extension, HOLDER.tenure, HOLDER.person, (DESK, SOFT))
    assert route(CALLER, "*43", plan) == Echo()
    assert route(CALLER, "*9900000000", plan) == Refused(Refusal.UNKNOWN_NUMBER)


def test_the_echo_test_answers() -> None:
    assert route(CALLER, "*43", PLAN) == Echo()


def test_an_unknown_number_is_404_and_no_number_is_484() -> None:
    unknown, nonsense = route(CALLER, "4711", PLAN), route(CALLER, "bob", PLAN)

    assert (unknown, nonsense) == (Refused(Refusal.UNKNOWN_NUMBER), Refused(Refusal.NOT_A_NUMBER))
    assert (Refusal.UNKNOWN_NUMBER.status, Refusal.NOT_A_NUMBER.status) == (404, 484)


def test_a_shared_phone_with_nobody_signed_in_signs_in_and_calls_for_help_alone() -> None:
    plan = Plan({"1001": HOLDER}, (LOBBY,), silent=(CALLER,))

    assert route(CALLER, "911", plan) == Emergency((LOBBY,))
    assert route(CALLER, "933", plan) == EmergencyTest((LOBBY,))
    assert route(CALLER, "*71", plan) == SignIn("")
    assert route(CALLER, "*711001", plan) == SignIn("1001")
    assert route(CALLER, "*74", plan) == SignOut()
    assert route(CALLER, "*97", plan) == OwnMessages()
    for number in ("1001", "*981001", "*81001", "*78", "*721001", "*70", "*701", "1009"):
        assert route(CALLER, number, plan) == Refused(Refusal.NOT_ALLOWED)
    assert isinstance(route(DESK, "*711001", plan), SignIn), "the feature says whose phone it is"
