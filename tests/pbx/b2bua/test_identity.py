"""Who is shown to whom, by where the phone stands."""

import pytest

from pbx.b2bua.identity import PATIENT_LINE, Caller, Place, Shown, shown_to, wants_privacy
from pbx.sip.message import Request

ANNA = Caller("1042", "Anna Berg")
PATIENT = Caller("+4930123456", "Patient Name", is_outside=True)
SHY = Caller("1042", "Anna Berg", wants_privacy=True)


@pytest.mark.parametrize("place", [Place.PRIVATE, Place.NURSE_STATION])
def test_a_screen_that_staff_alone_read_names_the_caller(place: Place) -> None:
    assert not place.is_public
    assert shown_to(ANNA, place) == Shown("Anna Berg", "1042")
    assert shown_to(PATIENT, place) == Shown("Patient Name", "+4930123456")


@pytest.mark.parametrize("place", [Place.LOBBY, Place.EXAM_ROOM])
def test_a_screen_that_patients_read_names_nobody(place: Place) -> None:
    assert place.is_public
    assert shown_to(ANNA, place) == Shown("", "1042")
    assert shown_to(PATIENT, place) == Shown(PATIENT_LINE, "")


def test_a_group_stands_before_the_caller_as_far_as_the_place_shows_them() -> None:
    named, numbered = shown_to(ANNA, Place.PRIVATE), shown_to(ANNA, Place.LOBBY)

    assert named.through("Front desk") == Shown("Front desk: Anna Berg", "1042")
    assert numbered.through("Front desk") == Shown("Front desk: 1042", "1042")
    assert shown_to(SHY, Place.PRIVATE).through("Desk").display == "Desk: Anonymous"
    assert shown_to(PATIENT, Place.LOBBY).through("Desk") == Shown(f"Desk: {PATIENT_LINE}", "")
    assert Shown("", "").through("Desk") == Shown("Desk", "")
    assert named.through("") is named


@pytest.mark.parametrize("place", list(Place))
def test_who_wants_privacy_is_anonymous_everywhere(place: Place) -> None:
    shown = shown_to(SHY, place)

    assert shown.address("pbx.test", "t1") == '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=t1'
    assert shown.asserted("pbx.test") is None


@pytest.mark.parametrize(
    ("caller", "shown"),
    [
        (SHY, Shown("Anna Berg", "1042")),
        (Caller("1042"), Shown("1042", "1042")),
        (Caller(""), Shown("Emergency", "emergency")),
    ],
)
def test_an_emergency_call_shows_where_it_comes_from_even_in_a_lobby(
    caller: Caller, shown: Shown
) -> None:
    assert shown_to(caller, Place.LOBBY, is_emergency=True) == shown


def test_an_address_without_name_or_number_still_is_one() -> None:
    shown = Shown("", "")

    assert shown.address("pbx.test", "t1") == "<sip:phone@pbx.test>;tag=t1"
    assert shown.asserted("pbx.test") is None


def test_a_number_is_asserted_under_our_own_domain() -> None:
    assert Shown("Anna", "1042").asserted("pbx.test") == "<sip:1042@pbx.test>"


def test_a_name_breaks_out_of_no_quotes_and_begins_no_line() -> None:
    shown = Shown('Anna" <sip:evil@x>\\\r\nVia: x', "1042")

    assert shown.address("pbx.test", "t1") == (
        '"Anna <sip:evil@x>Via: x" <sip:1042@pbx.test>;tag=t1'
    )


@pytest.mark.parametrize(
    ("fields", "private"),
    [
        ((), False),
        (("none",), False),
        (("session;critical",), False),
        (("id",), True),
        (("critical; USER",), True),
        ((" Header ; none",), True),
    ],
)
def test_privacy_is_asked_for_with_id_user_or_header(
    fields: tuple[str, ...], private: bool
) -> None:
    request = Request("INVITE", "sip:1@pbx.test")
    for field in fields:
        request.headers.add("Privacy", field)

    assert wants_privacy(request) is private
