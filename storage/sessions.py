"""Command-line sessions: whose, from which account or certificate, since when, ended why.

The store keeps the SHA-256 of a token; the token itself is only in the person's own terminal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound, WrongState
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.people import session as table


@dataclass(frozen=True, slots=True)
class SessionRecord:
    id: UUID
    person: UUID
    os_uid: int
    started_at: int
    seen_at: int
    ended_at: int | None
    end_reason: str | None
    certificate: str
    """Serial number of an operator's certificate; empty for an account of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    id: UUID
    person: UUID
    token_digest: bytes
    os_uid: int
    certificate: str = ""


async def open_session(unit: Unit, deed: Deed, new: NewSession) -> None:
    await unit.connection.execute(
        insert(table).values(
            id=new.id,
            person_id=new.person,
            token_digest=new.token_digest,
            os_uid=new.os_uid,
            certificate=new.certificate,
            started_at=deed.at,
            seen_at=deed.at,
        )
    )
    unit.record(
        deed.entry(
            Action.SESSION_OPENED, Subject("session", new.id), after={"person": str(new.person)}
        )
    )


async def by_digest(connection: AsyncConnection, digest: bytes) -> SessionRecord | None:
    """The session of a token, live or ended."""
    query = select(table).where(table.c.token_digest == digest)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _record(row)


async def touch(connection: AsyncConnection, session: UUID, now: int) -> None:
    """Activity; a clock that runs backwards shortens nothing and lengthens nothing."""
    await connection.execute(
        update(table)
        .where(table.c.id == session, table.c.ended_at.is_(None), table.c.seen_at < now)
        .values(seen_at=now)
    )


async def live(connection: AsyncConnection, person: UUID | None = None) -> Sequence[SessionRecord]:
    """Sessions that have not ended, oldest first; of one person or of everybody."""
    query = select(table).where(table.c.ended_at.is_(None)).order_by(table.c.started_at, table.c.id)
    if person is not None:
        query = query.where(table.c.person_id == person)
    return [_record(row) for row in (await connection.execute(query)).all()]


async def end(unit: Unit, deed: Deed, session: UUID, reason: str) -> None:
    row = (await unit.connection.execute(select(table).where(table.c.id == session))).one_or_none()
    if row is None:
        raise NotFound("session")
    if row.ended_at is not None:
        raise WrongState("session", "has ended already")
    await _end(unit, deed, _record(row), reason)


async def end_all(unit: Unit, deed: Deed, person: UUID, reason: str) -> list[UUID]:
    """Ends every session of a person; a row each."""
    ended = await live(unit.connection, person)
    for record in ended:
        await _end(unit, deed, record, reason)
    return [record.id for record in ended]


async def _end(unit: Unit, deed: Deed, record: SessionRecord, reason: str) -> None:
    await unit.connection.execute(
        update(table).where(table.c.id == record.id).values(ended_at=deed.at, end_reason=reason)
    )
    unit.record(
        deed.entry(
            Action.SESSION_ENDED,
            Subject("session", record.id),
            after={"person": str(record.person), "reason": reason},
        )
    )


def _record(row: Row[Any]) -> SessionRecord:
    return SessionRecord(
        id=row.id,
        person=row.person_id,
        os_uid=row.os_uid,
        started_at=row.started_at,
        seen_at=row.seen_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        certificate=row.certificate,
    )
