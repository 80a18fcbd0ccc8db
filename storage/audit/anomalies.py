"""What somebody should look at: rules over a span of ledger rows, as pure functions.

Each finding has a key made of what it is about, from which its identifier follows: the same finding
of another look, or after a restart, is the same item. Days and nights are the clinic's own.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

from storage.audit.rows import Found
from storage.ledger.actions import Action, Outcome

HOUR = 3_600_000_000
EVIDENCE = 20
"""Rows shown of a finding; a search shows the others."""


class Kind(StrEnum):
    """Why somebody should look."""

    OFF_HOURS = "off-hours"
    MANY_MAILBOXES = "many-mailboxes"
    FAILED_BURST = "failed-burst"
    NEW_PLACE = "new-place"
    MOVED_PHONE = "moved-phone"
    WITHOUT_TICKET = "without-ticket"
    FORWARDED_OUTSIDE = "forwarded-outside"
    NUMBER_SEARCH = "number-search"
    BREAK_GLASS = "break-glass"
    SAMPLE = "sample"


CONTENT = frozenset(
    (
        Action.MESSAGE_HEARD,
        Action.MESSAGE_EXPORTED,
        Action.MESSAGE_FORWARDED,
        Action.CALL_PARTIES_READ,
        Action.AUDIT_NUMBER_SEARCHED,
        Action.AUDIT_EXPORTED,
    )
)
"""What shows somebody protected content."""

CHANGES = frozenset(
    action
    for action in Action
    if action.split(".")[0]
    in ("person", "grant", "extension", "mailbox", "member", "device", "policy", "exception",
        "site", "organisation", "keys", "recovery", "hold", "operator", "group")
    and action.split(".")[1] not in ("read", "listed", "first_seen", "locked", "requested")
)  # fmt: skip
"""Administrative changes, for which a clinic may want to hear why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From policy; 0 switches a rule off."""

    from_hour: int = 6
    until_hour: int = 20
    mailboxes_a_day: int = 5
    failures_an_hour: int = 10
    phone_addresses: int = 1
    phone_programs: int = 1
    tickets: int = 1
    samples_a_week: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the rows do not say themselves."""

    mailbox_of: dict[UUID, UUID] = field(default_factory=dict)
    """By message."""
    place_of: dict[UUID, str] = field(default_factory=dict)
    """By session: the account or certificate it was opened from."""
    places: frozenset[tuple[UUID, str]] = frozenset()
    """Where each person has been before the span."""
    ticketed: frozenset[UUID] = frozenset()
    """Operations for which a ticket was named."""
    extensions: frozenset[UUID] = frozenset()
    zone: tzinfo | None = None
    """None: the machine's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to look at."""

    kind: Kind
    key: str
    people: tuple[UUID, ...]
    """Whom it is about: none of them signs it off."""
    at: int
    begins: int
    """When the span it was found in began: of a span that was not looked at whole, nothing is."""
    rows: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def item(self) -> UUID:
        return UUID(bytes=sha256(f"review {self.kind} {self.key}".encode()).digest()[:16])


Rule = Callable[[Sequence[Found], Thresholds, Known], Iterator[Finding]]


def findings(rows: Iterable[Found], limits: Thresholds, known: Known) -> list[Finding]:
    """Of every rule, in the order of time."""
    ordered = sorted(rows, key=lambda row: row.place)
    found = [one for rule in RULES for one in rule(ordered, limits, known)]
    return sorted(found, key=lambda one: (one.at, one.key))


def off_hours(rows: Sequence[Found], limits: Thresholds, known: Known) -> Iterator[Finding]:
    """Content at night: one finding for a person and a night."""
    nights = defaultdict[tuple[UUID, date], list[Found]](list)
    for row in _done_by_people(rows, CONTENT):
        at = _local(row.place.occurred_at, known)
        if not limits.from_hour <= at.hour < limits.until_hour:
            night = (at - timedelta(hours=limits.from_hour)).date()
            nights[row.actor or UUID(int=0), night].append(row)
    for (person, night), held in nights.items():
        yield _finding(
            Kind.OFF_HOURS,
            f"{person} {night}",
            held,
            begins=_midnight(night, known),
            people=(person,),
        )


def many_mailboxes(rows: Sequence[Found], limits: Thresholds, known: Known) -> Iterator[Finding]:
    """More mailboxes in a day than one person's work takes."""
    days = defaultdict[tuple[UUID, date], dict[UUID, Found]](dict)
    opened = _done_by_people(rows, CONTENT)
    for row in opened:
        mailbox = known.mailbox_of.get(row.subject or UUID(int=0))
        if mailbox is not None:
            day = _local(row.place.occurred_at, known).date()
            days[row.actor or UUID(int=0), day].setdefault(mailbox, row)
    for (person, day), boxes in days.items():
        if limits.mailboxes_a_day and len(boxes) > limits.mailboxes_a_day:
            held = list(boxes.values())[: limits.mailboxes_a_day + 1]
            facts = {"mailboxes": len(boxes)}
            key = f"{person} {day}"
            begins = _midnight(day, known)
            yield _finding(Kind.MANY_MAILBOXES, key, held, begins=begins, people=(person,), **facts)


def failed_bursts(rows: Sequence[Found], limits: Thresholds, known: Known) -> Iterator[Finding]:
    """Refusals of one actor, or about one thing, within an hour of the clock."""
    hours = defaultdict[tuple[str, int], list[Found]](list)
    for row in rows:
        if row.outcome == Outcome.REFUSED:
            about = row.actor or row.subject or row.actor_kind
            hours[f"{about}", row.place.occurred_at // HOUR].append(row)
    for (about, hour), held in hours.items():
        count = sum(int(row.facts.get("count") or 1) for row in held)
        if limits.failures_an_hour and count >= limits.failures_an_hour:
            people = {row.actor for row in held if row.actor_kind == "person" and row.actor}
            yield _finding(
                Kind.FAILED_BURST, f"{about} {hour}", held, begins=hour * HOUR,
                people=sorted(people), count=count,
            )  # fmt: skip


def new_places(rows: Sequence[Found], limits: Thresholds, known: Known) -> Iterator[Finding]:
    """Somebody signs in from where they never were; the place of the very first time is theirs."""
    been = defaultdict[UUID, set[str]](set)
    for person, place in known.places:
        been[person].add(place)
    for row in _done_by_people(rows, (Action.SESSION_OPENED, Action.PHONE_SIGNED_IN)):
        person = row.actor or UUID(int=0)
        place = place_of(row, known)
        if place and been[person] and place not in been[person]:
            key, at = f"{person} {place}", row.place.occurred_at
            yield _finding(Kind.NEW_PLACE, key, [row], begins=at, people=(person,), place=place)
        been[person] |= {place} - {""}


def place_of(row: Found, known: Known) -> str:
    """Where somebody signed in; empty if nobody knows."""
    phone = row.named("device")
    return f"phone {phone}" if phone else known.place_of.get(row.subject or UUID(int=0), "")


def moved_phones(rows: Sequence[Found], limits: Thresholds, known: Known) -> Iterator[Finding]:
    """Registrations from an address, or as a program, that a phone never had: one a day."""
    flagged = {"address": limits.phone_addresses, "program": limits.phone_programs}
    days = defaultdict[tuple[UUID | None, date], list[Found]](list)
    for row in rows:
        new = [kind for kind, counts in flagged.items() if counts and row.facts.get(kind)]
        if row.action == Action.REGISTRATION_MOVED and new:
            days[row.subject, _local(row.place.occurred_at, known).date()].append(row)
    for (phone, day), held in days.items():
        new = [kind for kind, counts in flagged.items()
               if counts and any(row.facts.get(kind) for row in held)]  # fmt: skip
        key, begins = f"{phone} {day}", _midnight(day, known)
        yield _finding(
            Kind.MOVED_PHONE, key, held, begins=begins, people=(), phone=str(phone),
            new=" and ".join(new),
        )  # fmt: skip


def without_ticket(rows: Sequence[Found], limits: Thresholds, known: Known) -> Iterator[Finding]:
    """Changes for which nobody said why: one finding for a person and a day."""
    days = defaultdict[tuple[UUID, date], list[Found]](list)
    for row in _done_by_people(rows, CHANGES):
        if limits.tickets and row.operation not in known.ticketed:
            day = _local(row.place.occurred_at, known).date()
            days[row.actor or UUID(int=0), day].append(row)
    for (person, day), held in days.items():
        key = f"{person} {day}"
        begins = _midnight(day, known)
        yield _finding(Kind.WITHOUT_TICKET, key, held, begins=begins, people=(person,))


def forwarded_outside(rows: Sequence[Found], limits: Thresholds, known: Known) -> Iterator[Finding]:
    """Calls sent on to what is no extension of ours."""
    for row in rows:
        if row.action != Action.REACH_CHANGED or row.outcome != Outcome.DONE:
            continue
        targets = [str(one.get("extension")) for one in row.facts.get("forwards") or ()]
        if any(target not in map(str, known.extensions) for target in targets):
            people = () if row.actor is None else (row.actor,)
            at = row.place.occurred_at
            yield _finding(Kind.FORWARDED_OUTSIDE, f"{row.place}", [row], begins=at, people=people)


def number_searches(rows: Sequence[Found], limits: Thresholds, known: Known) -> Iterator[Finding]:
    """Each search by a patient's number is looked at by somebody else."""
    for row in _done_by_people(rows, (Action.AUDIT_NUMBER_SEARCHED,)):
        person, at = row.actor or UUID(int=0), row.place.occurred_at
        yield _finding(Kind.NUMBER_SEARCH, f"{row.operation}", [row], begins=at, people=(person,))


def broken_glass(rows: Sequence[Found], limits: Thresholds, known: Known) -> Iterator[Finding]:
    """What the journal alone recorded while the ledger was down."""
    for row in rows:
        if row.action == Action.BREAK_GLASS_COPIED and row.facts.get("event") == "changed":
            people = () if row.actor is None else (row.actor,)
            key, at = f"{row.operation} {row.place}", row.place.occurred_at
            yield _finding(Kind.BREAK_GLASS, key, [row], begins=at, people=people)


RULES: tuple[Rule, ...] = (
    off_hours, many_mailboxes, failed_bursts, new_places, moved_phones, without_ticket,
    forwarded_outside, number_searches, broken_glass,
)  # fmt: skip


def sampled(row: Found) -> Finding:
    """A row that chance has chosen: the smallest chain values of a week."""
    people = () if row.actor is None or row.actor_kind != "person" else (row.actor,)
    return _finding(Kind.SAMPLE, f"{row.place}", [row], begins=row.place.occurred_at, people=people)


def local_midnight(at: int, known: Known, days: int = 0) -> int:
    """The first moment of the day, or of one so many days before."""
    return _midnight(_local(at, known).date() - timedelta(days=days), known)


def _done_by_people(rows: Iterable[Found], actions: Iterable[Action]) -> Iterator[Found]:
    wanted = frozenset(actions)
    for row in rows:
        if row.action in wanted and row.outcome == Outcome.DONE and row.actor_kind == "person":
            yield row


def _finding(
    kind: Kind,
    key: str,
    rows: Sequence[Found],
    *,
    begins: int,
    people: Iterable[UUID],
    **facts: Any,
) -> Finding:
    return Finding(
        kind=kind,
        key=key,
        people=tuple(people),
        at=rows[0].place.occurred_at,
        begins=begins,
        rows=tuple(str(row.place) for row in rows[:EVIDENCE]),
        facts={"rows": len(rows), **facts},
    )


def _local(at: int, known: Known) -> datetime:
    return datetime.fromtimestamp(at / 1_000_000, UTC).astimezone(known.zone)


def _midnight(day: date, known: Known) -> int:
    return int(datetime.combine(day, time(), known.zone).timestamp()) * 1_000_000
