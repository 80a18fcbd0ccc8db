"""Separation of duties, decision by decision."""

from itertools import product
from uuid import UUID

import pytest

from pbx.access.errors import AccessError, RuleBroken
from pbx.access.policy import (
    CONFLICTS,
    TEMPORARY,
    GrantFacts,
    GrantPath,
    PersonKind,
    check_administrator_remains,
    check_approver_remains,
    check_end,
    check_future,
    check_not_oneself,
    check_second_person,
    conflicting,
    path_of_grant,
)
from pbx.access.roles import CONTENT_ROLES, MATRIX, Privilege, Role

ANNA, BEN, CLARA = UUID(int=1), UUID(int=2), UUID(int=3)


def facts(
    role: Role,
    *,
    requester: UUID = ANNA,
    held: frozenset[Role] = frozenset(),
    approvers_ever: int = 2,
) -> GrantFacts:
    return GrantFacts(requester, BEN, role, held, approvers_ever)


@pytest.mark.parametrize(("role", "approvers"), [*product(Role, [0, 1, 2, 3])])
def test_a_grant_waits_once_two_approvers_have_existed(role: Role, approvers: int) -> None:
    request = facts(role, approvers_ever=approvers)

    if approvers >= 2:
        assert path_of_grant(request) is GrantPath.PENDING
    elif role in CONTENT_ROLES:
        with pytest.raises(RuleBroken, match="protected content"):
            path_of_grant(request)
    else:
        assert path_of_grant(request) is GrantPath.INSTALLATION


@pytest.mark.parametrize(("role", "approvers"), [*product(Role, [0, 2])])
def test_nobody_requests_a_role_for_themselves(role: Role, approvers: int) -> None:
    with pytest.raises(RuleBroken, match="for themselves"):
        path_of_grant(facts(role, requester=BEN, approvers_ever=approvers))


@pytest.mark.parametrize("role", Role)
def test_a_role_is_not_granted_twice(role: Role) -> None:
    with pytest.raises(RuleBroken, match="already"):
        path_of_grant(facts(role, held=frozenset({role})))


@pytest.mark.parametrize(("role", "other"), [*product(Role, Role)])
def test_conflicting_roles_are_never_held_together(role: Role, other: Role) -> None:
    if role is other:
        return
    request = facts(role, held=frozenset({other}))

    if frozenset({role, other}) in CONFLICTS:
        assert conflicting(role, [other])
        with pytest.raises(RuleBroken, match="conflicts"):
            path_of_grant(request)
    else:
        assert path_of_grant(request) is GrantPath.PENDING


def test_nobody_without_a_conflict_both_configures_and_audits() -> None:
    configures = {role for role in Role if Privilege.POLICY_CHANGE in MATRIX[role]}

    for role in configures:
        assert conflicting(role, [Role.COMPLIANCE_OFFICER])
        assert conflicting(role, [Role.PRACTICE_MANAGER])


@pytest.mark.parametrize(
    ("requester", "approver", "subject"), [*product([ANNA, BEN, CLARA], repeat=3)]
)
def test_a_second_person_is_neither_requester_nor_subject(
    requester: UUID, approver: UUID, subject: UUID
) -> None:
    if len({requester, approver, subject}) == 3:
        check_second_person(requester=requester, approver=approver, subject=subject)
    else:
        with pytest.raises(RuleBroken):
            check_second_person(requester=requester, approver=approver, subject=subject)


def test_nobody_acts_on_their_own_account() -> None:
    check_not_oneself(ANNA, BEN)

    with pytest.raises(RuleBroken, match="own account"):
        check_not_oneself(ANNA, ANNA)


@pytest.mark.parametrize("kind", PersonKind)
def test_only_temporary_people_need_an_end(kind: PersonKind) -> None:
    if kind in TEMPORARY:
        with pytest.raises(RuleBroken, match="end date"):
            check_end(kind, None, 10)
    else:
        check_end(kind, None, 10)


@pytest.mark.parametrize("kind", PersonKind)
def test_an_end_lies_in_the_future(kind: PersonKind) -> None:
    check_end(kind, 11, 10)

    with pytest.raises(RuleBroken, match="future"):
        check_end(kind, 10, 10)


def test_now_is_not_the_future() -> None:
    check_future(11, 10)

    with pytest.raises(RuleBroken, match="future"):
        check_future(10, 10)


def test_the_last_administrator_stays() -> None:
    check_administrator_remains(ANNA, [ANNA, BEN])
    check_administrator_remains(ANNA, [BEN])

    with pytest.raises(RuleBroken, match="last system administrator"):
        check_administrator_remains(ANNA, [ANNA])


def test_of_two_who_approve_for_each_other_neither_goes_for_good() -> None:
    check_approver_remains(CLARA, [ANNA, BEN])
    check_approver_remains(ANNA, [ANNA])
    check_approver_remains(ANNA, [ANNA, BEN, CLARA])

    with pytest.raises(RuleBroken, match="the last two who can approve"):
        check_approver_remains(ANNA, [ANNA, BEN])


def test_a_refusal_carries_one_sentence() -> None:
    refusal = RuleBroken("this is the rule")

    assert isinstance(refusal, AccessError)
    assert refusal.sentence == str(refusal) == "this is the rule"
