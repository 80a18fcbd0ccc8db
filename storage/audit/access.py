"""Who could open a mailbox, and when: the key holder's own table, and what has left it since.

The table shows owner and members as they are now. Who was a member and is none any more stands in
the ledger, and whoever came in by break-glass in the journal as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit.rows import Found
from storage.keyholder.acts import Role
from storage.keyholder.decisions import BREAK_GLASS, CONTENT_ROLES
from storage.keyholder.journal import Entry, Event
from storage.keyholder.protocol import MailboxView
from storage.ledger.actions import Action, Outcome
from storage.models.people import role_grant

GLASS = 30 * 60 * 1_000_000
END_OF_TIME = 2**53


class How(StrEnum):
    """Why somebody could."""

    OWNER = "owner"
    MEMBER = "member"
    BREAK_GLASS = "break-glass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Somebody could open a mailbox from then until then."""

    mailbox: UUID
    person: UUID
    since: int
    until: int | None
    how: How
    source: str
    """key holder's table, journal or ledger."""
    approver: UUID | None = None
    had_role: bool = True
    """A role that hears messages, at any time of it; without one the key holder refuses."""


def accesses(box: MailboxView, rows: Iterable[Found], entries: Iterable[Entry]) -> list[Access]:
    """By a mailbox, the ledger's rows about it and the journal's entries about it."""
    told = sorted(rows, key=lambda row: row.place)
    found = [*_by_table(box)]
    found += _former(box, told, {(one.person, one.how, one.since) for one in found})
    found += _glass(box, told, entries)
    return sorted(found, key=lambda one: (one.since, str(one.person)))


def within(found: Iterable[Access], since: int, until: int) -> list[Access]:
    """Those of a span of time, cut to it."""
    return [
        replace(one, since=max(one.since, since), until=min(one.until or END_OF_TIME, until))
        for one in found
        if one.since < until and (one.until is None or one.until > since)
    ]


async def with_roles(connection: AsyncConnection, found: Sequence[Access]) -> list[Access]:
    """Whether each had a role that hears messages meanwhile, by the exchange's copy."""
    people = {one.person for one in found}
    query = select(role_grant).where(role_grant.c.person_id.in_(people))
    grants = (await connection.execute(query)).all() if people else []
    held = [
        (grant.person_id, grant.starts_at, _earliest(grant.until, grant.ended_at))
        for grant in grants
        if grant.starts_at is not None and Role(grant.role) in CONTENT_ROLES
    ]
    return [
        replace(
            one,
            had_role=any(
                person == one.person
                and start < (one.until or END_OF_TIME)
                and (end is None or end > one.since)
                for person, start, end in held
            ),
        )
        for one in found
    ]


def _by_table(box: MailboxView) -> Iterable[Access]:
    source = "key holder's table"
    if box.owner is not None:
        yield Access(
            mailbox=box.id, person=box.owner, since=box.opened,
            until=_earliest(box.closed, box.until), how=How.OWNER, source=source,
        )  # fmt: skip
    for member in box.members:
        if member.kind != BREAK_GLASS:
            yield Access(
                mailbox=box.id, person=member.person, since=member.start, until=member.until,
                how=How.MEMBER, source=source,
            )  # fmt: skip


def _former(
    box: MailboxView, rows: Sequence[Found], known: set[tuple[UUID, How, int]]
) -> Iterable[Access]:
    """Members that the table does not have any more."""
    for row in rows:
        person = row.named("person")
        if row.action != Action.MEMBER_ADDED or row.outcome != Outcome.DONE or person is None:
            continue
        start = int(row.facts.get("start") or row.place.occurred_at)
        if (person, How.MEMBER, start) in known:
            continue
        given: int | None = row.facts.get("until")
        gone = (
            later.place.occurred_at
            for later in rows
            if later.place > row.place and _removes(later, person)
        )
        end = _earliest(given, next(gone, None), box.closed)
        yield Access(
            mailbox=box.id, person=person, since=start, until=end, how=How.MEMBER, source="ledger"
        )


def _removes(row: Found, person: UUID) -> bool:
    if row.outcome != Outcome.DONE:
        return False
    before = row.before if isinstance(row.before, dict) else {}
    is_removal = row.action == Action.MEMBER_REMOVED and before.get("person") == str(person)
    is_new = row.action == Action.MEMBER_ADDED and row.named("person") == person
    return is_removal or is_new


def _glass(box: MailboxView, rows: Sequence[Found], entries: Iterable[Entry]) -> Iterable[Access]:
    """Each breaking once: by the journal where it was read, else by the ledger."""
    known = {}
    for entry in entries:
        is_glass = entry.event is Event.CHANGED and entry.act == BREAK_GLASS
        if is_glass and entry.subject == box.id and entry.person is not None:
            known[entry.operation] = (entry.person, entry.second, entry.at, "journal")
    for row in rows:
        person = row.named("requester")
        if row.action == Action.BREAK_GLASS_OPENED and person is not None:
            made = (person, row.named("approver"), row.place.occurred_at, "ledger")
            known.setdefault(row.operation, made)
    for person, approver, at, source in known.values():
        ended = (
            row.place.occurred_at
            for row in rows
            if row.action == Action.BREAK_GLASS_ENDED
            and row.outcome == Outcome.DONE
            and row.named("person") == person
            and at <= row.place.occurred_at < at + GLASS
        )
        yield Access(
            mailbox=box.id, person=person, since=at, until=min(next(ended, at + GLASS), at + GLASS),
            how=How.BREAK_GLASS, source=source, approver=approver,
        )  # fmt: skip


def _earliest(*ends: int | None) -> int | None:
    return min((end for end in ends if end is not None), default=None)
