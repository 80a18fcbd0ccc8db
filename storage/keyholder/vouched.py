"""What of a backup is still vouched for when it is restored.

A backup is older than what was taken away since. What nothing proves to be still in force is left
out and given anew by two people: named members, enrolment and recovery codes, and, without the
journal that survived, every role but those that manage people. From the journal: who left, was
suspended or got an earlier end (suspended too: its date is not in the journal), and which
mailboxes closed.
"""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from storage.keyholder.decisions import MANAGERS
from storage.keyholder.journal import Entry, Event
from storage.keyholder.records import Mailbox, Person, Row, Standing

GIVEN_BACK = {"reinstate": ("suspend", "set-end"), "reopen-tenure": ("close-tenure",)}
Taken = dict[str, dict[UUID, int]]
"""Act → whom or what it took away and when, unless it was given back later."""


def vouched(rows: Iterable[Row], since: Iterable[Entry] | None) -> list[Row]:
    """`since`: the surviving journal after the backup's place, or None where there is none."""
    taken = _taken(since or ())
    rows = list(rows)
    kept = [_row(row, taken, has_journal=since is not None) for row in rows]
    if any(isinstance(row, Person) and _manages(row) for row in kept):
        return kept
    # The journal does not say which role was taken: somebody must be able to give them again.
    taken.pop("revoke-role", None)
    return [_row(row, taken, has_journal=False) for row in rows]


def _taken(since: Iterable[Entry]) -> Taken:
    taken: Taken = {}
    for entry in since:
        if entry.event is not Event.CHANGED or entry.subject is None:
            continue
        taken.setdefault(entry.act, {})[entry.subject] = entry.at
        for act in GIVEN_BACK.get(entry.act, ()):
            taken.get(act, {}).pop(entry.subject, None)
        for mailbox in entry.also:
            taken.setdefault("close-tenure", {})[mailbox] = entry.at
    return taken


def _manages(person: Person) -> bool:
    is_active = person.standing is Standing.ACTIVE
    return is_active and any(grant.role in MANAGERS for grant in person.grants)


def _row(row: Row, taken: Taken, *, has_journal: bool) -> Row:
    match row:
        case Person():
            return _person(row, taken, has_journal=has_journal)
        case Mailbox():
            return _mailbox(row, taken)
        case _:
            return row


def _mailbox(mailbox: Mailbox, taken: Taken) -> Mailbox:
    closed = mailbox.closed
    for act, subject in (("leave", mailbox.owner), ("close-tenure", mailbox.id)):
        if closed is None and subject is not None:
            closed = taken.get(act, {}).get(subject)
    return msgspec.structs.replace(mailbox, members=(), closed=closed)


def _person(person: Person, taken: Taken, *, has_journal: bool) -> Person:
    if person.id in taken.get("leave", ()):
        return Person(person.id, person.login, Standing.LEFT, person.created)
    grants = person.grants
    if person.id in taken.get("revoke-role", ()):
        grants = ()
    elif not has_journal:
        grants = tuple(grant for grant in grants if grant.role in MANAGERS)
    factors = person.factors and msgspec.structs.replace(person.factors, recovery=())
    suspended = any(person.id in taken.get(act, ()) for act in ("suspend", "set-end"))
    return msgspec.structs.replace(
        person,
        grants=grants,
        factors=factors,
        invitation=None,
        pending=None,
        standing=Standing.SUSPENDED if suspended else person.standing,
    )
