"""The review queue: items and sign-offs are ledger rows, so that neither is ever changed.

An item is a row `review.opened`; its identifier is the row's operation. It is done when a row
`review.signed_off` names it. Nobody signs off an item about themselves.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit.anomalies import CHANGES, CONTENT, Finding, Kind, Known, Thresholds, place_of
from storage.audit.rows import Found, Place, found
from storage.audit.search import Question, search, whole
from storage.conflicts import NotFound, WrongState
from storage.deeds import Deed
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import SYSTEM, Entry, Subject
from storage.ledger.unit import Unit
from storage.models.extensions import extension
from storage.models.ledger import ledger
from storage.models.messages import message
from storage.models.people import session
from storage.policies import value_of

DAY = 86_400_000_000
MOST = 100_000
SEEN = frozenset(
    (
        *CONTENT, *CHANGES, Action.SESSION_OPENED, Action.PHONE_SIGNED_IN, Action.REACH_CHANGED,
        Action.BREAK_GLASS_COPIED, Action.TICKET_NAMED, Action.REGISTRATION_MOVED,
    )
)  # fmt: skip
"""What the rules look at, beside refusals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something to look at, and who has."""

    id: UUID
    kind: str
    opened_at: int
    people: tuple[UUID, ...]
    rows: tuple[str, ...]
    facts: dict[str, Any]
    signed_by: UUID | None = None
    signed_at: int | None = None


async def items(connection: AsyncConnection) -> list[Item]:
    """All there are, oldest first."""
    signed = {
        row.subject: row
        for row in await whole(
            connection, Question(actions=frozenset((Action.REVIEW_SIGNED_OFF,)), outcome="done")
        )
    }
    opened = await whole(connection, Question(actions=frozenset((Action.REVIEW_OPENED,))))
    return [_item(row, signed.get(row.operation)) for row in reversed(opened)]


async def item(connection: AsyncConnection, id: UUID) -> Item:
    for one in await items(connection):
        if one.id == id:
            return one
    raise NotFound("review item")


async def open_items(unit: Unit, deed: Deed, new: Collection[Finding]) -> int:
    """A row for each finding that has none; how many those were."""
    known = {one.id for one in await items(unit.connection)}
    opened = 0
    for finding in new:
        if finding.item in known:
            continue
        known.add(finding.item)
        opened += 1
        about = Subject("person", finding.people[0]) if finding.people else None
        after = {
            "kind": str(finding.kind),
            "people": [str(person) for person in finding.people],
            "at": finding.at,
            "rows": list(finding.rows),
            "facts": finding.facts,
        }
        unit.record(
            Entry(
                action=Action.REVIEW_OPENED, outcome=Outcome.DONE, actor=SYSTEM,
                operation=finding.item, subject=about, after=after, occurred_at=deed.at,
            )
        )  # fmt: skip
    return opened


async def sign_off(unit: Unit, deed: Deed, id: UUID, detail: bytes | None) -> None:
    """By somebody it is not about, once."""
    found = await item(unit.connection, id)
    if found.signed_by is not None:
        raise WrongState("review item", "is signed off already")
    if deed.actor.id in found.people:
        raise WrongState("review item", "is about you: somebody else signs it off")
    unit.record(
        deed.entry(
            Action.REVIEW_SIGNED_OFF,
            Subject("review", id),
            after={"kind": found.kind},
            detail=detail,
        )
    )


async def evidence(connection: AsyncConnection, one: Item) -> list[Found]:
    """The rows an item names; of break-glass what its operation left."""
    rows = []
    for text in one.rows:
        place = Place.parse(text)
        query = select(ledger).where(
            ledger.c.writer == place.writer, ledger.c.sequence == place.sequence
        )
        rows += [found(row) for row in (await connection.execute(query)).all()]
    return rows


async def thresholds(connection: AsyncConnection, now: int) -> Thresholds:
    names = {
        "from_hour": "review-hours-from",
        "until_hour": "review-hours-until",
        "mailboxes_a_day": "review-mailboxes-a-day",
        "failures_an_hour": "review-failures-an-hour",
        "phone_addresses": "review-phone-addresses",
        "phone_programs": "review-phone-programs",
        "tickets": "review-tickets",
        "samples_a_week": "review-samples-a-week",
    }
    values = {part: await value_of(connection, name, now) for part, name in names.items()}
    return Thresholds(**values)


async def span(connection: AsyncConnection, since: int, until: int) -> list[Found]:
    """What the rules look at, of a span of time."""
    rows: list[Found] = []
    for question in (
        Question(actions=SEEN, since=since, until=until),
        Question(outcome=Outcome.REFUSED, since=since, until=until),
    ):
        rows += await whole(connection, question, most=MOST)
    return list({row.place: row for row in rows}.values())


async def known(connection: AsyncConnection, rows: Sequence[Found], since: int) -> Known:
    """What the rules have to know beside the rows."""
    opened = {row.subject for row in rows if row.subject_kind == "message"}
    boxes = select(message.c.id, message.c.mailbox_id).where(message.c.id.in_(opened))
    signed_in = [
        row for row in rows if row.action in (Action.SESSION_OPENED, Action.PHONE_SIGNED_IN)
    ]
    people = {row.actor for row in signed_in if row.actor is not None}
    sessions = (
        await connection.execute(select(session).where(session.c.person_id.in_(people)))
    ).all()
    place = {
        row.id: f"certificate {row.certificate}" if row.certificate else f"uid {row.os_uid}"
        for row in sessions
    }
    before = {(row.person_id, place[row.id]) for row in sessions if row.started_at < since}
    knows = Known(
        mailbox_of={row[0]: row[1] for row in (await connection.execute(boxes)).all()},
        place_of=place,
        ticketed=frozenset(row.operation for row in rows if row.action == Action.TICKET_NAMED),
        extensions=frozenset(await connection.scalars(select(extension.c.id))),
    )
    for row in signed_in:
        if row.actor is not None and row.place.occurred_at >= since:
            before |= await _been(connection, row, knows, since)
    return Known(
        mailbox_of=knows.mailbox_of, place_of=place, ticketed=knows.ticketed,
        extensions=knows.extensions, places=frozenset(before),
    )  # fmt: skip


async def _been(
    connection: AsyncConnection, row: Found, knows: Known, since: int
) -> set[tuple[UUID, str]]:
    """At which phone somebody signed in before."""
    device, person = row.named("device"), row.actor
    if device is None or person is None:
        return set()
    actions = frozenset((Action.SESSION_OPENED, Action.PHONE_SIGNED_IN))
    here = Question(device=device, actor=person, actions=actions, outcome="done", until=since)
    anywhere = Question(actor=person, actions=actions, outcome="done", until=since)
    if (await search(connection, here, size=1)).rows:
        return {(person, place_of(row, knows))}
    return {(person, "")} if (await search(connection, anywhere, size=1)).rows else set()


async def samples(connection: AsyncConnection, since: int, until: int, count: int) -> list[Found]:
    """Rows of a week that nobody could choose: those with the smallest chain values."""
    query = (
        select(ledger)
        .where(
            ledger.c.action.in_(sorted(CONTENT)),
            ledger.c.outcome == Outcome.DONE,
            ledger.c.occurred_at >= since,
            ledger.c.occurred_at < until,
        )
        .order_by(ledger.c.hash)
        .limit(count)
    )
    return [found(row) for row in (await connection.execute(query)).all()]


def _item(row: Found, signed: Found | None) -> Item:
    facts = row.facts
    named = [*facts.get("people", ()), facts.get("requester"), facts.get("approver")]
    people = tuple(UUID(str(person)) for person in named if person)
    rows = tuple(facts.get("rows", ())) or (str(row.place),)
    return Item(
        id=row.operation,
        kind=str(facts.get("kind", Kind.BREAK_GLASS)),
        opened_at=row.place.occurred_at,
        people=people,
        rows=rows,
        facts=dict(facts.get("facts") or {}),
        signed_by=None if signed is None else signed.actor,
        signed_at=None if signed is None else signed.place.occurred_at,
    )
