"""Who may do what to the key holder's own table (pure): the part a compliance officer can read.

Denied is the default. An act that is not in `RULES` is one's own affair (log-in, own factors).
A second person is never the requester and never the subject. Until a second approver has ever
existed, rows marked `sole` may be done by one person and are flagged; rows about protected
content never.
"""

from collections.abc import Iterable
from enum import Enum
from uuid import UUID

import msgspec

from storage.keyholder import acts
from storage.keyholder.acts import Role
from storage.keyholder.clock import DAY
from storage.keyholder.records import Mailbox, Member, Person, Standing

A, H = Role.SYSTEM_ADMINISTRATOR, Role.HELP_DESK
C, M = Role.COMPLIANCE_OFFICER, Role.PRACTICE_MANAGER

CONTENT_ROLES = frozenset((Role.PHYSICIAN, Role.CLINICAL_STAFF, Role.FRONT_DESK, Role.BILLING))
"""May hear messages of mailboxes they own or are members of. An administrator never may."""

RECORD_ROLES = CONTENT_ROLES | {C, M}
"""May read personal fields of call records and the ledger (each reading is recorded)."""

PROTECTED_ROLES = CONTENT_ROLES | {C}
"""Never granted by one person alone, not even before there is a second."""

MANAGERS = frozenset((A, M))
"""Decide about people and their access, two at a time."""

SENSITIVE_ROLES = frozenset((C, M))
"""Their sessions end after five idle minutes instead of fifteen."""


class Second(Enum):
    """Whether a second person is needed."""

    NO = "no"
    YES = "yes"
    UNLESS_OWNER = "unless the owner of the mailbox asks"


class Rule(msgspec.Struct, frozen=True):
    """Who may ask, who may approve."""

    askers: frozenset[Role]
    second: Second = Second.NO
    approvers: frozenset[Role] = frozenset()
    sole: bool = False


RULES: dict[type[acts.Act], Rule] = {
    acts.AddPerson: Rule(frozenset((A,))),
    acts.IssueEnrolment: Rule(MANAGERS, Second.YES, MANAGERS, sole=True),
    acts.GrantRole: Rule(MANAGERS, Second.YES, MANAGERS, sole=True),
    acts.RevokeRole: Rule(MANAGERS),
    acts.Suspend: Rule(MANAGERS),
    acts.SetEnd: Rule(MANAGERS),
    acts.Reinstate: Rule(MANAGERS, Second.YES, MANAGERS, sole=True),
    acts.Leave: Rule(MANAGERS),
    acts.LiftLock: Rule(frozenset((A, H))),
    acts.OpenTenure: Rule(frozenset((A,))),
    acts.CloseTenure: Rule(frozenset((A,))),
    acts.ReopenTenure: Rule(frozenset((A,)), Second.YES, MANAGERS),
    acts.AddMember: Rule(MANAGERS, Second.UNLESS_OWNER, frozenset((C, M))),
    acts.RemoveMember: Rule(MANAGERS),
    acts.BreakGlass: Rule(CONTENT_ROLES, Second.YES, frozenset((C, M))),
    acts.EndBreakGlass: Rule(frozenset((C, M))),
    acts.Hold: Rule(frozenset((C,))),
    acts.ReleaseHold: Rule(frozenset((C,)), Second.YES, MANAGERS),
    acts.Rotate: Rule(frozenset((A,))),
    acts.SetRecovery: Rule(frozenset((A,)), Second.YES, frozenset((A, C, M)), sole=True),
    acts.CollectShare: Rule(frozenset(Role)),
    acts.Backup: Rule(frozenset((A,))),
}

BREAK_GLASS = "break-glass"
"""Kind of the membership that two people make for half an hour."""

OWNER_MAY = frozenset((acts.AddMember, acts.RemoveMember))


def roles_of(person: Person, now: int) -> frozenset[Role]:
    """The roles in force; none for anybody who is not active or whose time is over."""
    if not is_current(person, now):
        return frozenset()
    return frozenset(
        grant.role
        for grant in person.grants
        if grant.start <= now and (grant.until is None or now < grant.until)
    )


def is_current(person: Person, now: int) -> bool:
    return person.standing is Standing.ACTIVE and (person.until is None or now < person.until)


def is_unused(person: Person, now: int, idle_days: int) -> bool:
    """Whether an account has lain idle so long that it counts no more."""
    seen = max(person.created, person.last_seen)
    return person.standing in (Standing.ACTIVE, Standing.INVITED) and seen + idle_days * DAY <= now


def is_indispensable(people: Iterable[Person], person: UUID, now: int) -> bool:
    """Whether without this person nobody could administer, or bring anybody back."""
    enrolled = list(people)
    return any(
        _enrolled_with(wanted, enrolled, now) == {person} for wanted in (frozenset((A,)), MANAGERS)
    )


def is_missed(people: Iterable[Person], person: UUID, now: int) -> bool:
    """Whether a long holiday of this person's would leave nobody to administer, or one alone of
    two who approve for each other: whoever was suspended then would stay so for ever."""
    everybody = list(people)
    approvers = _enrolled_with(MANAGERS, everybody, now)
    is_of_last_two = person in approvers and len(approvers) == 2
    return is_of_last_two or is_indispensable(everybody, person, now)


def is_administered(people: Iterable[Person], now: int) -> bool:
    return bool(_enrolled_with(frozenset((A,)), people, now))


def _enrolled_with(wanted: frozenset[Role], people: Iterable[Person], now: int) -> set[UUID]:
    return {one.id for one in people if one.factors is not None and roles_of(one, now) & wanted}


def subject_of(act: acts.Act) -> UUID | None:
    """The person an act is about."""
    subject = getattr(act, "person", None) or getattr(act, "owner", None)
    return subject if isinstance(subject, UUID) else None


def may_ask(act: acts.Act, person: Person, mailbox: Mailbox | None, now: int) -> bool:
    if mailbox is not None and type(act) in OWNER_MAY and _owns(person, mailbox, now):
        return True
    rule = RULES[type(act)]
    if isinstance(act, acts.EndBreakGlass) and act.person == person.id:
        return is_current(person, now)
    if isinstance(act, acts.BreakGlass) and (mailbox is None or mailbox.owner == person.id):
        return False
    if isinstance(act, acts.IssueEnrolment | acts.GrantRole) and act.person == person.id:
        return False
    return bool(rule.askers & roles_of(person, now))


def needs_second(act: acts.Act, person: Person, mailbox: Mailbox | None, now: int) -> bool:
    rule = RULES[type(act)]
    if rule.second is Second.UNLESS_OWNER:
        return mailbox is None or not _owns(person, mailbox, now)
    return rule.second is Second.YES


def may_go_alone(act: acts.Act, *, had_second: bool) -> bool:
    """Before a second approver ever existed: administration only, never protected content."""
    if isinstance(act, acts.GrantRole) and act.role in PROTECTED_ROLES:
        return False
    return RULES[type(act)].sole and not had_second


def may_approve(
    act: acts.Act, requester: UUID, person: Person, mailbox: Mailbox | None, now: int
) -> bool:
    if person.id in (requester, subject_of(act)):
        return False
    if mailbox is not None and isinstance(act, acts.AddMember) and _owns(person, mailbox, now):
        return True
    if isinstance(act, acts.BreakGlass) and (mailbox is None or mailbox.owner == person.id):
        return False
    return bool(RULES[type(act)].approvers & roles_of(person, now))


def have_second(people: Iterable[Person], now: int) -> bool:
    return sum(1 for person in people if roles_of(person, now) & MANAGERS) > 1


def may_open(person: Person, mailbox: Mailbox, now: int) -> bool:
    """A current content role, and the mailbox: one's own while open, or as a current member."""
    if not roles_of(person, now) & CONTENT_ROLES:
        return False
    return _owns(person, mailbox, now) or bool(_memberships(person, mailbox, now))


def opens_by_break_glass(person: Person, mailbox: Mailbox, now: int) -> bool:
    """Whether nothing else lets this person in."""
    kinds = {member.kind for member in _memberships(person, mailbox, now)}
    return not _owns(person, mailbox, now) and kinds == {BREAK_GLASS}


def _memberships(person: Person, mailbox: Mailbox, now: int) -> list[Member]:
    return [
        member
        for member in mailbox.members
        if member.person == person.id
        and member.start <= now
        and (member.until is None or now < member.until)
    ]


def may_read_records(person: Person, now: int) -> bool:
    return bool(roles_of(person, now) & RECORD_ROLES)


def _owns(person: Person, mailbox: Mailbox, now: int) -> bool:
    is_open = mailbox.closed is None and (mailbox.until is None or now < mailbox.until)
    return mailbox.owner == person.id and is_open and is_current(person, now)
