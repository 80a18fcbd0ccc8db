"""storage/keyholder/decisions.py"""

from typing import get_args
from uuid import UUID

import msgspec
import pytest

from storage.keyholder import acts, decisions
from storage.keyholder.acts import Role
from storage.keyholder.clock import DAY
from storage.keyholder.records import (
    Factors,
    Grant,
    Mailbox,
    Member,
    Person,
    Standing,
    Stretched,
)

NOW = 1000
ANN, BEN, BOX = UUID(int=1), UUID(int=2), UUID(int=3)


def person(identifier: UUID, *roles: Role, until: int | None = None) -> Person:
    grants = tuple(Grant(UUID(int=9), role, 0, None, None, None) for role in roles)
    return Person(identifier, "x", Standing.ACTIVE, 0, until, grants=grants)


OWN = Mailbox(BOX, UUID(int=4), ANN, 0)
OWNER_ACTS = {acts.AddMember, acts.RemoveMember}
FACTOR_ACTS = {
    acts.Bootstrap, acts.LogIn, acts.PhoneLogIn, acts.Enrol, acts.ConfirmEnrolment,
    acts.ChangePassword, acts.ReplaceTotp, acts.ConfirmTotp, acts.SetPin, acts.StepUp,
    acts.Approve, acts.Decline, acts.AddSecurityKey, acts.RemoveSecurityKey,
}  # fmt: skip
EXAMPLES: dict[type[acts.Act], acts.Act] = {
    acts.AddPerson: acts.AddPerson(UUID(int=5), "new"),
    acts.IssueEnrolment: acts.IssueEnrolment(UUID(int=5)),
    acts.GrantRole: acts.GrantRole(UUID(int=6), UUID(int=5), Role.HELP_DESK, 0),
    acts.RevokeRole: acts.RevokeRole(UUID(int=6), UUID(int=5)),
    acts.Suspend: acts.Suspend(UUID(int=5)),
    acts.SetEnd: acts.SetEnd(UUID(int=5), 1),
    acts.Reinstate: acts.Reinstate(UUID(int=5)),
    acts.Leave: acts.Leave(UUID(int=5)),
    acts.LiftLock: acts.LiftLock(UUID(int=5)),
    acts.OpenTenure: acts.OpenTenure(UUID(int=7), UUID(int=8), UUID(int=5)),
    acts.CloseTenure: acts.CloseTenure(BOX),
    acts.ReopenTenure: acts.ReopenTenure(BOX),
    acts.AddMember: acts.AddMember(BOX, UUID(int=5), 0),
    acts.RemoveMember: acts.RemoveMember(BOX, UUID(int=5)),
    acts.BreakGlass: acts.BreakGlass(BOX, "now"),
    acts.EndBreakGlass: acts.EndBreakGlass(BOX, UUID(int=5)),
    acts.Hold: acts.Hold(BOX, UUID(int=9)),
    acts.ReleaseHold: acts.ReleaseHold(BOX, UUID(int=9)),
    acts.Rotate: acts.Rotate(),
    acts.SetRecovery: acts.SetRecovery(),
    acts.CollectShare: acts.CollectShare(),
    acts.Backup: acts.Backup("/x"),
}
# Written down a second time, on purpose: who may ask, and whether a second person is needed.
A, H, C, M, P, S, F, B = Role
MATRIX = {
    acts.AddPerson: ({A}, False), acts.IssueEnrolment: ({A, M}, True),
    acts.GrantRole: ({A, M}, True), acts.RevokeRole: ({A, M}, False),
    acts.Suspend: ({A, M}, False), acts.Reinstate: ({A, M}, True), acts.Leave: ({A, M}, False),
    acts.LiftLock: ({A, H}, False), acts.OpenTenure: ({A}, False),
    acts.CloseTenure: ({A}, False), acts.ReopenTenure: ({A}, True), acts.SetEnd: ({A, M}, False),
    acts.AddMember: ({A, M}, True), acts.RemoveMember: ({A, M}, False),
    acts.BreakGlass: ({P, S, F, B}, True), acts.EndBreakGlass: ({C, M}, False),
    acts.Hold: ({C}, False), acts.ReleaseHold: ({C}, True),
    acts.Rotate: ({A}, False), acts.SetRecovery: ({A}, True), acts.Backup: ({A}, False),
    acts.CollectShare: (set(Role), False),
}  # fmt: skip


def test_every_act_is_one_s_own_affair_or_has_a_rule() -> None:
    every = set(get_args(acts.AnyAct))

    assert every == FACTOR_ACTS | set(decisions.RULES)
    assert not FACTOR_ACTS & set(decisions.RULES)
    assert set(EXAMPLES) == set(MATRIX) == set(decisions.RULES)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("kind", list(MATRIX))
def test_the_whole_role_by_act_matrix(kind: type[acts.Act], role: Role) -> None:
    askers, second = MATRIX[kind]
    asker = person(BEN, role)

    assert decisions.may_ask(EXAMPLES[kind], asker, OWN, NOW) is (role in askers)
    assert decisions.needs_second(EXAMPLES[kind], asker, OWN, NOW) is second


def test_the_owner_may_name_members_of_the_own_mailbox_alone() -> None:
    add = acts.AddMember(BOX, BEN, 0)
    owner = person(ANN, Role.PHYSICIAN)

    assert decisions.may_ask(add, owner, OWN, NOW)
    assert not decisions.needs_second(add, owner, OWN, NOW)
    assert decisions.needs_second(add, owner, None, NOW)
    assert not decisions.may_ask(add, owner, msgspec.structs.replace(OWN, closed=5), NOW)
    assert not decisions.may_ask(add, person(BEN, Role.PHYSICIAN), OWN, NOW)
    assert decisions.may_approve(add, UUID(int=8), owner, OWN, NOW)


def test_nobody_asks_for_their_own_role_or_reset() -> None:
    admin = person(ANN, A)

    assert not decisions.may_ask(acts.IssueEnrolment(ANN), admin, None, NOW)
    assert not decisions.may_ask(acts.GrantRole(BOX, ANN, Role.BILLING, 0), admin, None, NOW)


def test_the_second_person_is_neither_the_first_nor_the_subject() -> None:
    grant = acts.GrantRole(BOX, UUID(int=5), Role.PHYSICIAN, 0)

    assert decisions.may_approve(grant, ANN, person(BEN, M), None, NOW)
    assert not decisions.may_approve(grant, BEN, person(BEN, M), None, NOW)
    assert not decisions.may_approve(grant, ANN, person(UUID(int=5), M), None, NOW)
    assert not decisions.may_approve(grant, ANN, person(BEN, Role.PHYSICIAN), None, NOW)


def test_an_administrator_alone_never_approves_membership_of_a_mailbox() -> None:
    add = acts.AddMember(BOX, UUID(int=5), 0)

    assert not decisions.may_approve(add, ANN, person(BEN, A), OWN, NOW)
    assert decisions.may_approve(add, BEN, person(UUID(int=6), C), OWN, NOW)


@pytest.mark.parametrize("role", list(Role))
def test_alone_nobody_grants_what_touches_protected_content(role: Role) -> None:
    grant = acts.GrantRole(BOX, BEN, role, 0)

    assert decisions.may_go_alone(grant, had_second=False) is (role in (A, H, M))
    assert not decisions.may_go_alone(grant, had_second=True)
    assert not decisions.may_go_alone(acts.AddMember(BOX, BEN, 0), had_second=False)
    assert not decisions.may_go_alone(acts.BreakGlass(BOX, "now"), had_second=False)


def test_two_managers_are_a_second_person() -> None:
    assert not decisions.have_second([person(ANN, A), person(BEN, P)], NOW)
    assert decisions.have_second([person(ANN, A), person(BEN, M)], NOW)


@pytest.mark.parametrize("role", list(Role))
def test_only_content_roles_hear_their_own_mailbox(role: Role) -> None:
    assert decisions.may_open(person(ANN, role), OWN, NOW) is (role in (P, S, F, B))
    assert decisions.may_read_records(person(ANN, role), NOW) is (role not in (A, H))


def test_a_mailbox_opens_for_its_owner_while_open_and_for_members_in_their_time() -> None:
    owner, other = person(ANN, P), person(BEN, P)
    shared = msgspec.structs.replace(OWN, members=(Member(BEN, 500, 2000, "member"),))

    assert decisions.may_open(owner, OWN, NOW)
    assert not decisions.may_open(owner, msgspec.structs.replace(OWN, closed=5), NOW)
    assert not decisions.may_open(owner, msgspec.structs.replace(OWN, until=NOW), NOW)
    assert not decisions.may_open(other, OWN, NOW)
    assert decisions.may_open(other, shared, NOW)
    assert not decisions.may_open(other, shared, 499)
    assert not decisions.may_open(other, shared, 2000)
    assert decisions.may_open(
        other, msgspec.structs.replace(OWN, members=(Member(BEN, 0, None, "member"),)), NOW
    )


def test_roles_end_with_the_grant_the_person_and_the_standing() -> None:
    grant = Grant(BOX, Role.PHYSICIAN, 10, 20, None, None)
    held = Person(ANN, "ann", Standing.ACTIVE, 0, grants=(grant,))

    assert decisions.roles_of(held, 10) == {Role.PHYSICIAN}
    assert not decisions.roles_of(held, 9)
    assert not decisions.roles_of(held, 20)
    assert not decisions.roles_of(msgspec.structs.replace(held, until=15), 15)
    suspended = msgspec.structs.replace(held, standing=Standing.SUSPENDED)
    assert not decisions.roles_of(suspended, 15)


def test_the_subject_is_the_person_or_owner_of_an_act() -> None:
    assert decisions.subject_of(acts.Suspend(ANN)) == ANN
    assert decisions.subject_of(acts.OpenTenure(BOX, BOX, ANN)) == ANN
    assert decisions.subject_of(acts.Rotate()) is None


def test_nobody_is_dispensable_without_whom_nobody_could_administer() -> None:
    stretched = Stretched(b"", b"", 1, 1, 1)
    able = Factors(stretched, b"", ())

    def enrolled(identifier: UUID, *roles: Role) -> Person:
        return msgspec.structs.replace(person(identifier, *roles), factors=able)

    admin, manager = enrolled(ANN, A), enrolled(BEN, M)
    invited = person(UUID(int=5), A)

    assert decisions.is_indispensable([admin], ANN, NOW)
    assert decisions.is_indispensable([admin, manager, invited], ANN, NOW)
    assert not decisions.is_indispensable([admin, manager], BEN, NOW)
    assert decisions.is_indispensable([manager], BEN, NOW)
    assert not decisions.is_indispensable([admin, enrolled(UUID(int=6), A)], ANN, NOW)
    for one in (ANN, BEN):
        assert decisions.is_missed([admin, manager, invited], one, NOW)
        assert not decisions.is_missed([admin, manager, enrolled(UUID(int=6), A)], one, NOW)
    assert decisions.is_missed([admin], ANN, NOW)
    assert not decisions.is_missed([admin, manager], UUID(int=5), NOW)
    assert decisions.is_administered([admin, invited], NOW)
    assert not decisions.is_administered([manager, invited], NOW)


def test_break_glass_is_for_neither_the_owner_nor_a_mailbox_nobody_knows() -> None:
    glass = acts.BreakGlass(BOX, "now")

    assert decisions.may_ask(glass, person(BEN, P), OWN, NOW)
    assert not decisions.may_ask(glass, person(ANN, P), OWN, NOW)
    assert not decisions.may_ask(glass, person(BEN, P), None, NOW)
    assert decisions.may_approve(glass, BEN, person(UUID(int=6), M), OWN, NOW)
    assert not decisions.may_approve(glass, BEN, person(ANN, M), OWN, NOW)
    assert not decisions.may_approve(glass, BEN, person(BEN, M), OWN, NOW)
    assert not decisions.may_approve(glass, BEN, person(UUID(int=6), M), None, NOW)
    assert not decisions.may_approve(glass, BEN, person(UUID(int=6), A), OWN, NOW)


def test_break_glass_is_ended_by_who_has_it_or_who_may_approve_it() -> None:
    end = acts.EndBreakGlass(BOX, BEN)

    assert decisions.may_ask(end, person(BEN, P), OWN, NOW)
    assert not decisions.may_ask(end, person(BEN, P, until=NOW), OWN, NOW)
    assert not decisions.may_ask(end, person(ANN, P), OWN, NOW)
    assert decisions.may_ask(end, person(ANN, C), OWN, NOW)


def test_break_glass_is_told_from_what_opens_a_mailbox_anyway() -> None:
    glass = Member(BEN, 0, NOW + 1, "break-glass")
    broken = msgspec.structs.replace(OWN, members=(glass,))
    other = msgspec.structs.replace(OWN, members=(glass, Member(BEN, 0, None, "member")))

    assert decisions.opens_by_break_glass(person(BEN, P), broken, NOW)
    assert not decisions.opens_by_break_glass(person(BEN, P), broken, NOW + 1)
    assert not decisions.opens_by_break_glass(person(BEN, P), other, NOW)
    assert not decisions.opens_by_break_glass(person(ANN, P), broken, NOW)


@pytest.mark.parametrize(
    ("standing", "created", "seen", "is_unused"),
    [
        (Standing.ACTIVE, 0, 0, True),
        (Standing.INVITED, 0, 0, True),
        (Standing.ACTIVE, 1, 0, False),
        (Standing.ACTIVE, 0, 1, False),
        (Standing.SUSPENDED, 0, 0, False),
    ],
)
def test_an_account_is_unused_when_nobody_came_for_so_many_days(
    standing: Standing, created: int, seen: int, is_unused: bool
) -> None:
    idle = msgspec.structs.replace(person(ANN), standing=standing, created=created, last_seen=seen)

    assert decisions.is_unused(idle, 35 * DAY, 35) is is_unused
