"""Exceptions to a rule: each has a kind, an owner, a reason and an expiry, and closes itself."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound, Taken, WrongState
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.extensions import device
from storage.models.people import person
from storage.models.policies import exception as table
from storage.people import PersonState, facts_of
from storage.sealed.fields import Cell, FieldKey
from storage.versions import change


class ExceptionKind(StrEnum):
    """Which rule is relaxed."""

    MD5_DEVICE = "md5-device"
    """The phone can do no better digest than MD5."""
    LONGER_IDLE = "longer-idle"
    """The person's sessions idle out later."""


@dataclass(frozen=True, slots=True)
class ExceptionFacts:
    """An exception without its reason."""

    id: UUID
    kind: ExceptionKind
    subject_kind: str
    subject: UUID
    owner: UUID
    granted_at: int
    expires_at: int
    closed_at: int | None
    version: int


@dataclass(frozen=True, slots=True)
class RuleException:
    """An exception with its reason; reading one is recorded."""

    facts: ExceptionFacts
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewException:
    id: UUID
    kind: ExceptionKind
    subject_kind: str
    subject: UUID
    owner: UUID
    reason: str
    expires_at: int


class Exceptions:
    """The table of exceptions, in verbs."""

    def __init__(self, fields: FieldKey) -> None:
        self._fields = fields

    async def grant(self, unit: Unit, deed: Deed, new: NewException) -> None:
        cell = Cell("exception", "reason", new.id)
        await unit.connection.execute(
            insert(table).values(
                id=new.id,
                kind=new.kind,
                subject_kind=new.subject_kind,
                subject_id=new.subject,
                owner_id=new.owner,
                reason_sealed=self._fields.seal(new.reason, cell),
                granted_at=deed.at,
                expires_at=new.expires_at,
                version=1,
            )
        )
        after = {"kind": new.kind, "subject": str(new.subject), "owner": str(new.owner)}
        unit.record(
            deed.entry(
                Action.EXCEPTION_GRANTED,
                _subject(new.id),
                after={**after, "expires_at": new.expires_at},
            )
        )

    async def close(self, unit: Unit, deed: Deed, exception: UUID, reason: str) -> ExceptionFacts:
        """Only ever takes away, so it needs no version."""
        row = await _row(unit.connection, exception)
        if row.closed_at is not None:
            raise WrongState("exception", "is closed already")
        await change(unit.connection, table, exception, row.version, {"closed_at": deed.at})
        unit.record(
            deed.entry(
                Action.EXCEPTION_CLOSED,
                _subject(exception),
                before={"kind": row.kind, "subject": str(row.subject_id)},
                after={"reason": reason},
            )
        )
        return _facts(row)

    async def close_all_of(self, unit: Unit, deed: Deed, subject: UUID, reason: str) -> None:
        """What an exception was about is gone."""
        query = select(table.c.id).where(table.c.subject_id == subject, table.c.closed_at.is_(None))
        for open_ in (await unit.connection.scalars(query)).all():
            await self.close(unit, deed, open_, reason)

    async def listed(self, unit: Unit, deed: Deed, *, closed: bool = False) -> list[RuleException]:
        query = select(table).order_by(table.c.expires_at)
        if not closed:
            query = query.where(table.c.closed_at.is_(None))
        rows = (await unit.connection.execute(query)).all()
        unit.record(deed.entry(Action.EXCEPTION_LISTED, after={"count": len(rows)}))
        return [
            RuleException(
                _facts(row),
                self._fields.open(row.reason_sealed, Cell("exception", "reason", row.id)),
            )
            for row in rows
        ]


async def open_ones(connection: AsyncConnection) -> list[ExceptionFacts]:
    """Those in force without their reasons, soonest end first."""
    query = select(table).where(table.c.closed_at.is_(None)).order_by(table.c.expires_at)
    return [_facts(row) for row in (await connection.execute(query)).all()]


SUBJECT_TABLES = {"person": person, "device": device}


async def check_new(
    connection: AsyncConnection, exception: UUID, kind: str, subject: UUID, owner: UUID
) -> None:
    """A new identifier, an owner who works here, and something it is about."""
    if await _exists(connection, table, exception):
        raise Taken("exception", "identifier")
    if not await _exists(connection, SUBJECT_TABLES[kind], subject):
        raise NotFound(kind)
    if (await facts_of(connection, owner)).state is not PersonState.ACTIVE:
        raise WrongState("owner", "is not active")


async def in_force(
    connection: AsyncConnection, kind: ExceptionKind, subject: UUID, now: int
) -> bool:
    """Whether an open exception of this kind covers the subject; expiry needs no sweeper."""
    query = select(table.c.id).where(
        table.c.kind == kind,
        table.c.subject_id == subject,
        table.c.closed_at.is_(None),
        table.c.expires_at > now,
    )
    return (await connection.execute(query)).first() is not None


async def expired(connection: AsyncConnection, now: int) -> list[UUID]:
    query = select(table.c.id).where(table.c.closed_at.is_(None), table.c.expires_at <= now)
    return list((await connection.scalars(query)).all())


async def owned_by(connection: AsyncConnection, person: UUID) -> list[UUID]:
    """Open exceptions somebody answers for; they close when that person leaves."""
    query = select(table.c.id).where(table.c.owner_id == person, table.c.closed_at.is_(None))
    return list((await connection.scalars(query)).all())


async def _exists(connection: AsyncConnection, where: Table, row: UUID) -> bool:
    query = select(where.c.id).where(where.c.id == row)
    return (await connection.execute(query)).first() is not None


async def _row(connection: AsyncConnection, exception: UUID) -> Row[Any]:
    query = select(table).where(table.c.id == exception)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("exception")
    return row


def _subject(exception: UUID) -> Subject:
    return Subject("exception", exception)


def _facts(row: Row[Any]) -> ExceptionFacts:
    return ExceptionFacts(
        id=row.id,
        kind=ExceptionKind(row.kind),
        subject_kind=row.subject_kind,
        subject=row.subject_id,
        owner=row.owner_id,
        granted_at=row.granted_at,
        expires_at=row.expires_at,
        closed_at=row.closed_at,
        version=row.version,
    )
