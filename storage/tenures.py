"""Tenures: one person's time on one extension, an epoch with a mailbox and keys of its own."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound
from storage.models.extensions import tenure as table


@dataclass(frozen=True, slots=True)
class Tenure:
    id: UUID
    extension: UUID
    person: UUID
    mailbox: UUID
    started_at: int
    until: int | None
    ended_at: int | None
    follows: UUID | None
    """The tenure that a temporary one interrupts, and that resumes when it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTenure:
    id: UUID
    extension: UUID
    person: UUID
    mailbox: UUID
    until: int | None = None
    follows: UUID | None = None


async def begin(connection: AsyncConnection, new: NewTenure, at: int) -> Tenure:
    """Opens an epoch; the database refuses a second open one on the same extension."""
    await connection.execute(
        insert(table).values(
            id=new.id,
            extension_id=new.extension,
            person_id=new.person,
            mailbox_id=new.mailbox,
            started_at=at,
            until=new.until,
            follows=new.follows,
        )
    )
    return await get(connection, new.id)


async def end(connection: AsyncConnection, tenure: Tenure, at: int) -> None:
    """Closes an epoch, never before its start, whatever the clock says."""
    ended = max(at, tenure.started_at)
    await connection.execute(update(table).where(table.c.id == tenure.id).values(ended_at=ended))


async def resume(connection: AsyncConnection, tenure: UUID) -> Tenure:
    """The same epoch goes on: after a temporary one that interrupted it, or an undone change."""
    await connection.execute(update(table).where(table.c.id == tenure).values(ended_at=None))
    return await get(connection, tenure)


async def get(connection: AsyncConnection, tenure: UUID) -> Tenure:
    row = (await connection.execute(select(table).where(table.c.id == tenure))).one_or_none()
    if row is None:
        raise NotFound("tenure")
    return _tenure(row)


async def is_known(connection: AsyncConnection, tenure: UUID, mailbox: UUID) -> bool:
    query = select(table.c.id).where((table.c.id == tenure) | (table.c.mailbox_id == mailbox))
    return (await connection.execute(query)).first() is not None


async def open_on(connection: AsyncConnection, extension: UUID) -> Tenure | None:
    query = select(table).where(table.c.extension_id == extension, table.c.ended_at.is_(None))
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _tenure(row)


async def of_mailbox(connection: AsyncConnection, mailbox: UUID) -> Tenure | None:
    query = select(table).where(table.c.mailbox_id == mailbox)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _tenure(row)


async def interrupted_by(connection: AsyncConnection, tenure: Tenure) -> list[Tenure]:
    """The epochs that wait for this temporary one to end, the nearest first."""
    found: list[Tenure] = []
    follows = tenure.follows
    while follows is not None:
        found.append(await get(connection, follows))
        follows = found[-1].follows
    return found


async def open_of(connection: AsyncConnection, person: UUID) -> list[Tenure]:
    query = select(table).where(table.c.person_id == person, table.c.ended_at.is_(None))
    return [_tenure(row) for row in (await connection.execute(query)).all()]


async def expired(connection: AsyncConnection, now: int) -> list[Tenure]:
    """Open tenures whose end has come."""
    query = select(table).where(table.c.ended_at.is_(None), table.c.until <= now)
    return [_tenure(row) for row in (await connection.execute(query)).all()]


async def is_alive(connection: AsyncConnection, tenure: UUID) -> bool:
    """Open, or only interrupted by a temporary tenure that will give way to it again."""
    interrupting = select(table.c.id).where(
        table.c.follows == tenure, table.c.ended_at.is_(None), table.c.until.is_not(None)
    )
    if (await connection.execute(interrupting)).first() is not None:
        return True
    open_now = select(table.c.id).where(table.c.id == tenure, table.c.ended_at.is_(None))
    return (await connection.execute(open_now)).first() is not None


def _tenure(row: Row[Any]) -> Tenure:
    return Tenure(
        id=row.id,
        extension=row.extension_id,
        person=row.person_id,
        mailbox=row.mailbox_id,
        started_at=row.started_at,
        until=row.until,
        ended_at=row.ended_at,
        follows=row.follows,
    )
