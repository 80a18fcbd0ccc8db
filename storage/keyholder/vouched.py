"""What of a backup is still vouched for when it is restored.

A backup is older than what was taken away since. What nothing proves to be still in force is left
out and given anew by two people: named members, enrolment and recovery codes, and, without the
journal that survived, every role but those that manage people. From the journal: departures.
"""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from storage.keyholder.decisions import MANAGERS
from storage.keyholder.journal import Entry, Event
from storage.keyholder.records import Mailbox, Person, Row, Standing


def vouched(rows: Iterable[Row], since: Iterable[Entry] | None) -> list[Row]:
    """`since`: the surviving journal after the backup's place, or None where there is none."""
    taken: dict[str, set[UUID]] = {}
    for entry in since or ():
        if entry.event is Event.CHANGED and entry.subject is not None:
            taken.setdefault(entry.act, set()).add(entry.subject)
            if entry.act == "reinstate":
                taken.get("suspend", set()).discard(entry.subject)
    rows = list(rows)
    kept = [_row(row, taken, has_journal=since is not None) for row in rows]
    if any(isinstance(row, Person) and _manages(row) for row in kept):
        return kept
    # The journal does not say which role was taken: somebody must be able to give them again.
    taken.pop("revoke-role", None)
    return [_row(row, taken, has_journal=False) for row in rows]


def _manages(person: Person) -> bool:
    is_active = person.standing is Standing.ACTIVE
    return is_active and any(grant.role in MANAGERS for grant in person.grants)


def _row(row: Row, taken: dict[str, set[UUID]], *, has_journal: bool) -> Row:
    match row:
        case Person():
            return _person(row, taken, has_journal=has_journal)
        case Mailbox():
            return msgspec.structs.replace(row, members=())
        case _:
            return row


def _person(person: Person, taken: dict[str, set[UUID]], *, has_journal: bool) -> Person:
    if person.id in taken.get("leave", ()):
        return Person(person.id, person.login, Standing.LEFT, person.created)
    grants = person.grants
    if person.id in taken.get("revoke-role", ()):
        grants = ()
    elif not has_journal:
        grants = tuple(grant for grant in grants if grant.role in MANAGERS)
    factors = person.factors and msgspec.structs.replace(person.factors, recovery=())
    suspended = person.id in taken.get("suspend", ())
    return msgspec.structs.replace(
        person,
        grants=grants,
        factors=factors,
        invitation=None,
        pending=None,
        standing=Standing.SUSPENDED if suspended else person.standing,
    )
