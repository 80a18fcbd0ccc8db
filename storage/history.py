"""What happened to one object: the ledger's rows about it, newest last, with before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound
from storage.deeds import Deed
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.ledger import ledger

MOST = 500
"""Rows of one answer, the newest ones."""


@dataclass(frozen=True, slots=True)
class Change:
    operation: UUID
    occurred_at: int
    action: str
    outcome: str
    actor_kind: str
    actor: UUID | None
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Line:
    """One row without its content."""

    occurred_at: int
    action: str
    outcome: str
    actor_kind: str
    actor: UUID | None
    subject_kind: str | None


async def of(unit: Unit, deed: Deed, subject: Subject) -> list[Change]:
    """Everything the ledger says about an object; reading it is recorded."""
    changes = await _changes(unit.connection, subject)
    unit.record(deed.entry(Action.HISTORY_READ, subject, after={"count": len(changes)}))
    return changes


async def last_of(
    connection: AsyncConnection, subject: Subject, actions: frozenset[Action]
) -> Change:
    """The newest accomplished change of an object among `actions`."""
    for change in reversed(await _changes(connection, subject)):
        if change.action in actions and change.outcome == Outcome.DONE:
            return change
    raise NotFound("change to undo")


async def newest(connection: AsyncConnection, count: int) -> list[Line]:
    """The ledger's end, newest first, without what its rows hold."""
    query = (
        select(
            ledger.c.occurred_at,
            ledger.c.action,
            ledger.c.outcome,
            ledger.c.actor_kind,
            ledger.c.actor_id,
            ledger.c.subject_kind,
        )
        .order_by(ledger.c.recorded_at.desc(), ledger.c.writer, ledger.c.sequence.desc())
        .limit(count)
    )
    return [Line(*row) for row in (await connection.execute(query)).all()]


async def newest_of(
    connection: AsyncConnection, id: UUID, kinds: Mapping[str, tuple[str, frozenset[Action]]]
) -> str:
    """Of several kinds of change, each of a kind of subject with the same identifier, the one that
    came last; "" for none."""
    newest, found = (-1, -1), ""
    for name, (subject, actions) in kinds.items():
        query = (
            select(ledger.c.recorded_at, ledger.c.sequence)
            .where(
                ledger.c.subject_kind == subject,
                ledger.c.subject_id == id,
                ledger.c.action.in_(actions),
                ledger.c.outcome == Outcome.DONE,
            )
            .order_by(ledger.c.recorded_at.desc(), ledger.c.sequence.desc())
            .limit(1)
        )
        row = (await connection.execute(query)).one_or_none()
        if row is not None and tuple(row) > newest:
            newest, found = tuple(row), name
    return found


async def _changes(connection: AsyncConnection, subject: Subject) -> list[Change]:
    query = (
        select(ledger)
        .where(ledger.c.subject_kind == subject.kind, ledger.c.subject_id == subject.id)
        .order_by(ledger.c.recorded_at.desc(), ledger.c.writer, ledger.c.sequence.desc())
        .limit(MOST)
    )
    rows = (await connection.execute(query)).all()
    return [
        Change(
            operation=row.operation,
            occurred_at=row.occurred_at,
            action=row.action,
            outcome=row.outcome,
            actor_kind=row.actor_kind,
            actor=row.actor_id,
            before=None if row.before is None else msgspec.json.decode(row.before),
            after=None if row.after is None else msgspec.json.decode(row.after),
        )
        for row in reversed(rows)
    ]
