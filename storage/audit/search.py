"""Searching the ledger: by person, device, message, mailbox, number, act, outcome and time.

Every way into the table is an index that ends in the time, so the newest page of an answer costs
the same among a thousand rows and among millions. A question with several parts goes in by its
rarest one and checks the others row by row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit.rows import Found, Place, found
from storage.ledger.actions import Action
from storage.models.audit import number_index
from storage.models.ledger import ledger, ledger_mention
from storage.models.messages import message as messages

MOST = 1_000
"""Rows of one page."""

Condition = ColumnElement[bool]
SAME_ROW = and_(
    ledger_mention.c.writer == ledger.c.writer, ledger_mention.c.sequence == ledger.c.sequence
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked; parts that are left out do not matter, the others all have to fit."""

    number: bytes | None = None
    """The value that the key holder gave for it."""
    message: UUID | None = None
    mailbox: UUID | None = None
    subject: UUID | None = None
    device: UUID | None = None
    person: UUID | None = None
    """Who did it, to whom it was done, or who is named in it."""
    actor: UUID | None = None
    """Who did it, alone."""
    actions: frozenset[Action] = frozenset()
    outcome: str | None = None
    since: int | None = None
    until: int | None = None
    unseen: frozenset[Action] = frozenset()
    """What is not shown to whoever asks."""


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first."""

    rows: tuple[Found, ...]
    next: Place | None
    """Where the next page goes on; None: this was the last."""


async def search(
    connection: AsyncConnection, question: Question, *, size: int, after: Place | None = None
) -> Page:
    """One page; the caller of this writes the ledger row before it shows it."""
    wanted = min(max(size, 1), MOST) + 1
    known: dict[tuple[str, int], Found] = {}
    for way in _ways(question):
        query = _narrowed(way.query, way.rest, after, way.times)
        for row in (await connection.execute(query.limit(wanted))).all():
            known[row.writer, row.sequence] = found(row)
    ordered = sorted(known.values(), key=lambda one: one.place, reverse=True)[:wanted]
    if len(ordered) < wanted:
        return Page(tuple(ordered), None)
    return Page(tuple(ordered[:-1]), ordered[-2].place)


async def counted(connection: AsyncConnection, question: Question) -> dict[tuple[str, str], int]:
    """How often what was done, and how it ended."""
    counts: dict[tuple[str, str], int] = {}
    columns = (ledger.c.action, ledger.c.outcome, func.count())
    for way in _ways(question):
        query = way.query.where(*conditions(way.rest, way.times.c.occurred_at))
        grouped = query.with_only_columns(*columns, maintain_column_froms=True).group_by(
            ledger.c.action, ledger.c.outcome
        )
        for action, outcome, count in (await connection.execute(grouped)).all():
            counts[action, outcome] = counts.get((action, outcome), 0) + count
    return counts


async def whole(
    connection: AsyncConnection, question: Question, *, most: int = 20_000
) -> list[Found]:
    """Every page of an answer up to a bound, newest first."""
    rows: list[Found] = []
    after: Place | None = None
    while len(rows) < most:
        page = await search(connection, question, size=MOST, after=after)
        rows += page.rows
        if page.next is None:
            break
        after = page.next
    return rows


@dataclass(frozen=True, slots=True)
class _Way:
    """One index to go in by, and what is left of the question then."""

    query: Select[Any]
    rest: Question
    times: Any = ledger
    """The table whose place columns the index ends in."""


def _ways(question: Question) -> Iterator[_Way]:
    """By the rarest part of the question; no row is on two ways."""
    rows = select(ledger)
    if question.number is not None:
        join = number_index.c.subject_id == ledger.c.subject_id
        by_number = rows.join(number_index, join).where(number_index.c.value == question.number)
        yield _Way(by_number, replace(question, number=None))
        return
    for name in ("message", "mailbox", "subject", "device", "person"):
        id: UUID | None = getattr(question, name)
        if id is not None:
            yield from _ways_about(id, _without(question, name), is_mailbox=name == "mailbox")
            return
    if question.actor is not None:
        rest = replace(question, actor=None)
        yield _Way(rows.where(ledger.c.actor_id == question.actor), rest)
    elif question.actions:
        rest = replace(question, actions=frozenset())
        for action in sorted(question.actions - question.unseen):
            yield _Way(rows.where(ledger.c.action == action), rest)
    else:
        yield _Way(rows, question)


def _ways_about(id: UUID, rest: Question, *, is_mailbox: bool) -> Iterator[_Way]:
    """What it was done to, who did it, who is named in it; of a mailbox also its messages."""
    rows = select(ledger)
    yield _Way(rows.where(ledger.c.subject_id == id), rest)
    elsewhere = or_(ledger.c.subject_id.is_(None), ledger.c.subject_id != id)
    yield _Way(rows.where(ledger.c.actor_id == id, elsewhere), rest)
    named = rows.join(ledger_mention, SAME_ROW).where(ledger_mention.c.id == id)
    if is_mailbox:
        within = messages.c.id == ledger.c.subject_id
        yield _Way(rows.join(messages, within).where(messages.c.mailbox_id == id), rest)
        named = named.where(~exists().where(within, messages.c.mailbox_id == id))
    yield _Way(named, rest, ledger_mention)


def _without(question: Question, part: str) -> Question:
    changes: dict[str, Any] = {part: None}
    return replace(question, **changes)


def _narrowed(query: Select[Any], rest: Question, after: Place | None, times: Any) -> Select[Any]:
    at, writer, sequence = times.c.occurred_at, times.c.writer, times.c.sequence
    query = query.where(*conditions(rest, at))
    if after is not None:
        earlier = or_(
            writer < after.writer, and_(writer == after.writer, sequence < after.sequence)
        )
        query = query.where(at <= after.occurred_at, or_(at < after.occurred_at, earlier))
    return query.order_by(at.desc(), writer.desc(), sequence.desc())


def conditions(
    question: Question, at: ColumnElement[int] = ledger.c.occurred_at
) -> Sequence[Condition]:
    """What a row of the ledger has to be, row by row; a number is asked by its index alone."""
    found: list[Condition] = []
    if question.since is not None:
        found.append(at >= question.since)
    if question.until is not None:
        found.append(at < question.until)
    for name in ("message", "mailbox", "subject", "device", "person"):
        if (id := getattr(question, name)) is not None:
            found.append(_concerns(id, with_messages=name == "mailbox"))
    if question.actor is not None:
        found.append(ledger.c.actor_id == question.actor)
    if question.actions:
        found.append(ledger.c.action.in_(sorted(question.actions)))
    if question.unseen:
        found.append(ledger.c.action.not_in(sorted(question.unseen)))
    if question.outcome is not None:
        found.append(ledger.c.outcome == question.outcome)
        if question.outcome != "done":
            found.append(text("ledger.outcome <> 'done'"))  # type: ignore[arg-type]  # names the index
    return found


def _concerns(id: UUID, *, with_messages: bool) -> Condition:
    named, box = ledger_mention.alias(), messages.alias()
    mentioned = exists().where(
        named.c.id == id,
        named.c.occurred_at == ledger.c.occurred_at,
        named.c.writer == ledger.c.writer,
        named.c.sequence == ledger.c.sequence,
    )
    ways: list[Condition] = [ledger.c.actor_id == id, ledger.c.subject_id == id, mentioned]
    if with_messages:
        ways.append(exists().where(box.c.id == ledger.c.subject_id, box.c.mailbox_id == id))
    return or_(*ways)
