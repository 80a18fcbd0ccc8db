"""Decisions about people and grants, as pure functions over facts (separation of duties).

45 CFR 164.308(a)(3)-(4): access is authorised by somebody other than its holder. Nothing here
reads a clock or a store; callers pass what they know and get a decision, or a `RuleBroken` in one
sentence.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from pbx.access.errors import RuleBroken
from pbx.access.roles import CONTENT_ROLES, Role

DAY = 86_400_000_000
"""A day in microseconds."""

CONFLICTS = frozenset(
    {
        frozenset({Role.SYSTEM_ADMINISTRATOR, Role.COMPLIANCE_OFFICER}),
        frozenset({Role.SYSTEM_ADMINISTRATOR, Role.PRACTICE_MANAGER}),
        frozenset({Role.HELP_DESK, Role.COMPLIANCE_OFFICER}),
        frozenset({Role.HELP_DESK, Role.PRACTICE_MANAGER}),
    }
)
"""Pairs nobody holds at once: who configures does not also approve or audit."""


class PersonKind(StrEnum):
    """How a person is attached to the organisation."""

    STAFF = "staff"
    CONTRACTOR = "contractor"
    LOCUM = "locum"
    STUDENT = "student"


TEMPORARY = frozenset({PersonKind.CONTRACTOR, PersonKind.LOCUM, PersonKind.STUDENT})
"""Kinds that must have an end date, which works by itself."""


class GrantPath(StrEnum):
    """How a requested grant comes into force."""

    PENDING = "pending"
    """A second person has to approve it."""

    INSTALLATION = "installation"
    """No second approver has ever existed: granted by the actor `installation`, and flagged."""


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """What has to be known to judge a request for a role."""

    requester: UUID
    subject: UUID
    role: Role
    held: frozenset[Role]
    """Roles the subject holds or has pending."""

    approvers_ever: int
    """Enrolled people who have ever been able to approve; never falls, so nobody can get back to
    the installation phase by making the other approver leave."""


def path_of_grant(facts: GrantFacts) -> GrantPath:
    """Whether a requested grant waits for an approver or is made by `installation`."""
    if facts.requester == facts.subject:
        raise RuleBroken("nobody requests a role for themselves")
    if facts.role in facts.held:
        raise RuleBroken("the person already holds or awaits this role")
    if conflicting(facts.role, facts.held):
        raise RuleBroken("the role conflicts with another role of the person")
    if facts.approvers_ever >= 2:
        return GrantPath.PENDING
    if facts.role in CONTENT_ROLES:
        raise RuleBroken("a role that meets protected content waits for a second approver")
    return GrantPath.INSTALLATION


def conflicting(role: Role, held: Collection[Role]) -> bool:
    """Whether `role` may not be held together with one of `held`."""
    return any(frozenset({role, other}) in CONFLICTS for other in held)


def check_second_person(*, requester: UUID, approver: UUID, subject: UUID) -> None:
    """Two people, neither of them the subject, stand behind a grant or a reset."""
    if approver == subject:
        raise RuleBroken("nobody approves for themselves")
    if approver == requester:
        raise RuleBroken("whoever requested it cannot approve it")
    if requester == subject:
        raise RuleBroken("nobody requests it for themselves")


def check_not_oneself(actor: UUID, subject: UUID) -> None:
    """Acts on an account that its own holder must not do to it."""
    if actor == subject:
        raise RuleBroken("nobody does this to their own account")


def check_end(kind: PersonKind, until: int | None, now: int) -> None:
    """Temporary people need an end date, and an end lies in the future."""
    if until is None:
        if kind in TEMPORARY:
            raise RuleBroken("a temporary person needs an end date")
    else:
        check_future(until, now)


def check_future(until: int, now: int) -> None:
    """An end that has passed is no end."""
    if until <= now:
        raise RuleBroken("the end must lie in the future")


def check_administrator_remains(subject: UUID, administrators: Collection[UUID]) -> None:
    """The last active system administrator cannot be suspended, leave or lose the role."""
    if set(administrators) == {subject}:
        raise RuleBroken("the last system administrator cannot go: enrol another one first")


def check_approver_remains(subject: UUID, approvers: Collection[UUID]) -> None:
    """Of the last two who approve for each other neither goes for good: whoever stayed could give
    nobody a role or a new password ever again. Suspending stays possible, for an emergency."""
    if subject in approvers and len(approvers) == 2:
        raise RuleBroken(
            "of the last two who can approve nobody goes for good: enrol another administrator or "
            "practice manager first"
        )
