"""Legal holds, as the exchange knows them: why, by whom, since when.

What counts is the key holder's own table: it destroys nothing of a mailbox that it holds. This
copy lets retention pass such a mailbox over, and says why.
"""

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
from storage.models.messages import legal_hold as table
from storage.sealed.fields import Cell, FieldKey


@dataclass(frozen=True, slots=True)
class LegalHold:
    """One hold with its reason."""

    id: UUID
    mailbox: UUID
    reason: str
    placed_by: UUID
    placed_at: int
    released_at: int | None


class Holds:
    """The table of holds, in verbs."""

    def __init__(self, fields: FieldKey) -> None:
        self._fields = fields

    async def place(
        self, unit: Unit, deed: Deed, hold: UUID, mailbox: UUID, reason: str, by: UUID
    ) -> None:
        await unit.connection.execute(
            insert(table).values(
                id=hold,
                mailbox_id=mailbox,
                reason_sealed=self._fields.seal(reason, _cell(hold)),
                placed_by=by,
                placed_at=deed.at,
            )
        )
        unit.record(deed.entry(Action.HOLD_PLACED, _subject(mailbox), after={"hold": str(hold)}))

    async def release(self, unit: Unit, deed: Deed, hold: UUID) -> None:
        row = await self._row(unit.connection, hold)
        if row.released_at is not None:
            raise WrongState("hold", "is released already")
        await unit.connection.execute(
            update(table).where(table.c.id == hold).values(released_at=deed.at)
        )
        unit.record(
            deed.entry(Action.HOLD_RELEASED, _subject(row.mailbox_id), before={"hold": str(hold)})
        )

    async def find(self, connection: AsyncConnection, hold: UUID) -> LegalHold:
        return self._hold(await self._row(connection, hold))

    async def listed(self, unit: Unit, deed: Deed) -> list[LegalHold]:
        """Those in force, oldest first."""
        query = select(table).where(table.c.released_at.is_(None)).order_by(table.c.id)
        rows = (await unit.connection.execute(query)).all()
        unit.record(deed.entry(Action.HOLD_LISTED, after={"count": len(rows)}))
        return [self._hold(row) for row in rows]

    async def _row(self, connection: AsyncConnection, hold: UUID) -> Row[Any]:
        row = (await connection.execute(select(table).where(table.c.id == hold))).one_or_none()
        if row is None:
            raise NotFound("hold")
        return row

    def _hold(self, row: Row[Any]) -> LegalHold:
        reason = self._fields.open(row.reason_sealed, _cell(row.id))
        return LegalHold(
            row.id, row.mailbox_id, reason, row.placed_by, row.placed_at, row.released_at
        )


async def held_mailboxes(connection: AsyncConnection) -> frozenset[UUID]:
    """Mailboxes of which nothing is deleted or destroyed by time."""
    query = select(table.c.mailbox_id).where(table.c.released_at.is_(None))
    return frozenset((await connection.scalars(query)).all())


def _cell(hold: UUID) -> Cell:
    return Cell("legal_hold", "reason", hold)


def _subject(mailbox: UUID) -> Subject:
    return Subject("mailbox", mailbox)
