"""RFC 4028: who refreshes, how often, and when it ends."""

import pytest

from pbx.sip.message import response_to
from pbx.sip.session_clock import (
    MOST,
    Due,
    SessionClock,
    SessionPolicy,
    SessionTimer,
    agree,
    agreed,
    ask,
    minimum_of,
    too_small,
)
from tests.support.pair import request

POLICY = SessionPolicy()


def asked(**fields: str):
    return request("INVITE", *[(k.replace("_", "-"), v) for k, v in fields.items()])


@pytest.mark.parametrize(
    ("fields", "written", "is_ours", "required"),
    [  # RFC 4028 table 2
        ({}, "1800;refresher=uas", True, False),
        ({"Supported": "timer"}, "1800;refresher=uac", False, True),
        ({"Supported": "timer", "Session_Expires": "600"}, "600;refresher=uac", False, True),
        ({"Supported": "timer", "Session_Expires": "600;refresher=uas"}, "600;refresher=uas", True,
         False),
        ({"Supported": "timer", "Session_Expires": "600;refresher=UAC"}, "600;refresher=uac", False,
         True),
        ({"Session_Expires": "600;refresher=uac"}, "600;refresher=uas", True, False),
        ({"Session_Expires": "50"}, "90;refresher=uas", True, False),
        ({"Supported": "timer", "Session_Expires": "7200"}, "1800;refresher=uac", False, True),
        ({"Supported": "timer", "Session_Expires": "7200", "Min_SE": "3600"}, "3600;refresher=uac",
         False, True),
    ],
)  # fmt: skip
def test_as_uas_we_settle_interval_and_refresher(fields, written, is_ours, required):
    invite = asked(**fields)
    response = response_to(invite, 200)
    timer = agree(invite, response, POLICY)
    assert response.headers.first("Session-Expires") == written
    assert timer == SessionTimer(int(written.split(";")[0]), is_ours)
    assert ("timer" in response.require) == required


def test_require_timer_is_written_once():
    invite = asked(Supported="timer")
    response = response_to(invite, 200)
    response.headers.add("Require", "timer")
    agree(invite, response, POLICY)
    assert response.require == ("timer",)


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({}, False),
        ({"Session_Expires": "89", "Supported": "timer"}, True),
        ({"Session_Expires": "90", "Supported": "timer"}, False),
        ({"Session_Expires": "89"}, False),  # 422 is for those who understand it (§9)
    ],
)
def test_an_interval_too_small_is_422_with_our_minimum(fields, refused):
    response = too_small(asked(**fields), POLICY)
    assert (response is not None) == refused
    if response is not None:
        assert (response.status, response.headers.first("Min-SE")) == (422, "90")


@pytest.mark.parametrize(
    ("held", "minimum", "expires", "min_se"),
    [
        (None, 90, "1800", None),
        (SessionTimer(600, True), 90, "1800;refresher=uac", None),
        (SessionTimer(600, False), 90, "1800;refresher=uas", None),
        (None, 3600, "3600", "3600"),
    ],
)
def test_as_uac_we_ask_and_keep_the_roles(held, minimum, expires, min_se):
    invite = request()
    ask(invite, POLICY, held, minimum)
    assert invite.headers.first("Session-Expires") == expires
    assert invite.headers.first("Min-SE") == min_se
    assert "timer" in invite.supported


def test_supported_is_not_repeated():
    invite = asked(Supported="timer")
    ask(invite, POLICY)
    assert invite.supported == ("timer",)


@pytest.mark.parametrize(
    ("value", "timer"),
    [
        (None, None),
        ("600", SessionTimer(600, True)),
        ("600;refresher=uac", SessionTimer(600, True)),
        ("600;refresher=uas", SessionTimer(600, False)),
        ("1", SessionTimer(90, True)),  # nobody makes us refresh every second
        ("4294967295;refresher=uas", SessionTimer(MOST, False)),  # nor wait for ever
    ],
)
def test_as_uac_we_take_what_the_2xx_says(value, timer):
    response = response_to(request(), 200)
    if value:
        response.headers.add("Session-Expires", value)
    assert agreed(response) == timer


@pytest.mark.parametrize(
    ("value", "minimum"), [(None, 90), ("30", 90), ("300;x=y", 300), ("4294967295", MOST)]
)
def test_min_se_is_at_least_90(value, minimum):
    assert minimum_of(asked(**({"Min_SE": value} if value else {}))) == minimum


def test_the_refresher_refreshes_at_half_time_and_ends_with_the_other():
    clock = SessionClock(SessionTimer(600, True), 1000.0)
    assert clock.deadline == 1300.0
    assert clock.expire(1300.0) is Due.REFRESH
    assert clock.deadline == 1568.0  # 600 - 32
    assert clock.expire(1568.0) is Due.END
    assert clock.deadline is None


def test_who_waits_for_a_refresh_ends_early_by_a_third_at_most():
    assert SessionClock(SessionTimer(600, False), 0.0).deadline == 568.0
    assert SessionClock(SessionTimer(90, False), 0.0).deadline == 60.0


@pytest.mark.parametrize("policy", [(89, 1800), (1800, 600)])
def test_an_unsafe_policy_is_refused(policy):
    with pytest.raises(ValueError, match="90 <= minimum <= interval"):
        SessionPolicy(minimum=policy[0], interval=policy[1])
