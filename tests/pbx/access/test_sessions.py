"""Sessions end when they should, and a clock that runs backwards revives none."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.access.errors import Denied, NotSignedIn
from pbx.access.roles import SENSITIVE_ROLES, Role
from pbx.access.sessions import (
    ABSOLUTE,
    CONCURRENT,
    IDLE,
    IDLE_SENSITIVE,
    MINUTE,
    EndReason,
    Session,
    Terminal,
    check_holder,
    check_owner,
    digest_of,
    expiry,
    handle_of,
    idle_limit,
    locks_at,
    surplus,
    token_of,
)

START = 1_000_000 * MINUTE
SESSION = Session(UUID(int=1), UUID(int=2), Terminal(1000), START, START, None)


@pytest.mark.parametrize("role", Role)
def test_sensitive_roles_idle_out_after_five_minutes_others_after_fifteen(role: Role) -> None:
    minutes = idle_limit([role]) // MINUTE

    assert minutes == (5 if role in SENSITIVE_ROLES else 15)


def test_the_strictest_of_several_roles_counts() -> None:
    assert idle_limit([Role.PHYSICIAN, Role.COMPLIANCE_OFFICER]) == IDLE_SENSITIVE


@pytest.mark.parametrize(
    ("roles", "later", "reason"),
    [
        ([], IDLE - 1, None),
        ([], IDLE, EndReason.IDLE),
        ([Role.PRACTICE_MANAGER], IDLE_SENSITIVE - 1, None),
        ([Role.PRACTICE_MANAGER], IDLE_SENSITIVE, EndReason.IDLE),
        ([], ABSOLUTE, EndReason.ABSOLUTE),
    ],
)
def test_a_session_ends_at_its_limit(
    roles: list[Role], later: int, reason: EndReason | None
) -> None:
    assert expiry(SESSION, roles, START + later) is reason


def test_a_recorded_exception_allows_an_hour_of_idleness_and_no_more() -> None:
    assert expiry(SESSION, [], START + 60 * MINUTE - 1, longer_idle=True) is None
    assert expiry(SESSION, [], START + 60 * MINUTE, longer_idle=True) is EndReason.IDLE


def test_a_busy_session_still_ends_after_twelve_hours() -> None:
    busy = replace(SESSION, seen_at=START + ABSOLUTE - 1)

    assert expiry(busy, [], START + ABSOLUTE - 1) is None
    assert expiry(busy, [], START + ABSOLUTE) is EndReason.ABSOLUTE


@pytest.mark.parametrize("longer_idle", [False, True])
@pytest.mark.parametrize("roles", [[], [Role.PRACTICE_MANAGER]])
@pytest.mark.parametrize("seen", [0, IDLE, ABSOLUTE - 1])
def test_it_locks_at_the_moment_that_is_told_beforehand(
    roles: list[Role], longer_idle: bool, seen: int
) -> None:
    session = replace(SESSION, seen_at=START + seen)

    moment = locks_at(session, roles, longer_idle=longer_idle)

    assert expiry(session, roles, moment - 1, longer_idle=longer_idle) is None
    assert expiry(session, roles, moment, longer_idle=longer_idle) is not None


@settings(max_examples=60, deadline=None)
@given(seen=st.integers(0, 2 * ABSOLUTE), back=st.integers(0, 2 * ABSOLUTE))
def test_a_clock_set_back_revives_nothing(seen: int, back: int) -> None:
    session = replace(SESSION, seen_at=START + seen)
    if expiry(session, [], session.seen_at) is not None:
        assert expiry(session, [], session.seen_at - back) is not None


def test_only_the_account_that_opened_a_session_uses_it() -> None:
    check_owner(SESSION, Terminal(1000))

    with pytest.raises(NotSignedIn, match="another account"):
        check_owner(SESSION, Terminal(0))


def test_only_the_certificate_that_opened_a_session_uses_it() -> None:
    session = replace(SESSION, terminal=Terminal(certificate="3f"))
    check_owner(session, Terminal(certificate="3f", person=SESSION.person))

    for other in (Terminal(certificate="40"), Terminal(1000), Terminal()):
        with pytest.raises(NotSignedIn, match="another account or certificate"):
            check_owner(session, other)


def test_a_certificate_is_for_its_holder_alone() -> None:
    check_holder(Terminal(certificate="3f", person=SESSION.person), SESSION.person)
    check_holder(Terminal(1000), SESSION.person)

    with pytest.raises(Denied, match="another person's"):
        check_holder(Terminal(certificate="3f", person=UUID(int=9)), SESSION.person)


def test_a_terminal_says_what_it_is() -> None:
    assert str(Terminal(1000)) == "uid 1000"
    assert str(Terminal(certificate="3f")) == "certificate 3f"


@pytest.mark.parametrize(("live", "surplus_sessions"), [(0, 0), (4, 0), (5, 1), (7, 3)])
def test_the_oldest_sessions_give_way(live: int, surplus_sessions: int) -> None:
    assert CONCURRENT == 5
    assert surplus(live) == surplus_sessions


def test_a_token_carries_the_handle_and_the_store_only_its_digest() -> None:
    handle = bytes(range(32))

    assert handle_of(token_of(handle)) == handle
    assert len(digest_of(handle)) == 32
    assert handle not in digest_of(handle)


@settings(max_examples=60, deadline=None)
@given(handle=st.binary(min_size=32, max_size=32))
def test_every_handle_survives_being_a_token(handle: bytes) -> None:
    assert handle_of(token_of(handle)) == handle


@pytest.mark.parametrize("token", ["", "x" * 42, "x" * 44, "\u00e9" * 43, "!" * 43, "=" * 43])
def test_what_is_no_token_is_not_signed_in(token: str) -> None:
    with pytest.raises(NotSignedIn):
        handle_of(token)
