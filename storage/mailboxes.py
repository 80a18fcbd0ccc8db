"""Shared mailboxes: what they are called. Members live in the key holder's own table.

A shared mailbox has no owner; it opens for its named members only, each under their own name
(45 CFR 164.312(a)(2)(i)). Every other mailbox belongs to a tenure.
"""

from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import Taken
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.mailboxes import shared_mailbox as table
from storage.sealed.fields import Cell, FieldKey
from storage.versions import change


class SharedMailboxes:
    """The table of shared mailboxes, in verbs."""

    def __init__(self, fields: FieldKey) -> None:
        self._fields = fields

    async def find(self, connection: AsyncConnection, label: str) -> UUID | None:
        """The mailbox with this label; opens nothing."""
        index = self._fields.index(label, "shared_mailbox", "label")
        query = select(table.c.id).where(table.c.label_index == index)
        found: UUID | None = await connection.scalar(query)
        return found

    async def check_free(self, connection: AsyncConnection, mailbox: UUID, label: str) -> None:
        """Raises `Taken`, before the key holder is asked to make a mailbox."""
        if await self.find(connection, label) is not None:
            raise Taken("mailbox", "label")
        if await is_known(connection, mailbox):
            raise Taken("mailbox", "identifier")

    async def add(self, unit: Unit, deed: Deed, mailbox: UUID, label: str) -> None:
        await self.check_free(unit.connection, mailbox, label)
        await unit.connection.execute(
            insert(table).values(
                id=mailbox,
                label_sealed=self._fields.seal(label, Cell("shared_mailbox", "label", mailbox)),
                label_index=self._fields.index(label, "shared_mailbox", "label"),
                created_at=deed.at,
            )
        )
        unit.record(deed.entry(Action.MAILBOX_ADDED, Subject("mailbox", mailbox)))

    async def rename(self, unit: Unit, deed: Deed, mailbox: UUID, version: int, label: str) -> None:
        found = await self.find(unit.connection, label)
        if found not in (None, mailbox):
            raise Taken("mailbox", "label")
        values = {
            "label_sealed": self._fields.seal(label, Cell("shared_mailbox", "label", mailbox)),
            "label_index": self._fields.index(label, "shared_mailbox", "label"),
        }
        await change(unit.connection, table, mailbox, version, values)
        subject = Subject("mailbox", mailbox)
        unit.record(deed.entry(Action.MAILBOX_RENAMED, subject, after={"label": "changed"}))

    async def listed(self, unit: Unit, deed: Deed) -> dict[UUID, str]:
        """Every shared mailbox and its label."""
        rows = (await unit.connection.execute(select(table).order_by(table.c.id))).all()
        unit.record(deed.entry(Action.MAILBOX_LISTED, after={"count": len(rows)}))
        return {row.id: self._opened(row.label_sealed, row.id) for row in rows}

    async def show(self, unit: Unit, deed: Deed, mailbox: UUID) -> str | None:
        """Its label; None for a mailbox that belongs to a tenure."""
        query = select(table.c.label_sealed).where(table.c.id == mailbox)
        sealed: bytes | None = await unit.connection.scalar(query)
        unit.record(deed.entry(Action.MAILBOX_READ, Subject("mailbox", mailbox)))
        return None if sealed is None else self._opened(sealed, mailbox)

    def _opened(self, sealed: bytes, mailbox: UUID) -> str:
        return self._fields.open(sealed, Cell("shared_mailbox", "label", mailbox))


async def version_of(connection: AsyncConnection, mailbox: UUID) -> int:
    """0 for a mailbox that belongs to a tenure."""
    return await connection.scalar(select(table.c.version).where(table.c.id == mailbox)) or 0


async def is_known(connection: AsyncConnection, mailbox: UUID) -> bool:
    """Whether it is a shared mailbox of ours."""
    return await connection.scalar(select(table.c.id).where(table.c.id == mailbox)) is not None
