"""Devices: phones, where they stand, and which extension they ring for.

A device is never a person: its place decides what it may show and do, a person signs in on it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound, Taken
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.extensions import device as table
from storage.sealed.fields import Cell, FieldKey
from storage.sites import check_known
from storage.versions import change


class Place(StrEnum):
    """Where a phone stands; the least trusted place is the default."""

    LOBBY = "lobby"
    NURSE_STATION = "nurse-station"
    EXAM_ROOM = "exam-room"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Device:
    id: UUID
    label: str
    place: Place
    extension: UUID | None
    created_at: int
    version: int
    site: UUID | None
    is_shared: bool = False


class Devices:
    """The table of devices, in verbs."""

    def __init__(self, fields: FieldKey) -> None:
        self._fields = fields

    async def find(self, connection: AsyncConnection, label: str) -> UUID | None:
        """The device with this label; opens nothing."""
        index = self._fields.index(label, "device", "label")
        found: UUID | None = await connection.scalar(
            select(table.c.id).where(table.c.label_index == index)
        )
        return found

    async def add(
        self, unit: Unit, deed: Deed, device: UUID, label: str, place: Place = Place.LOBBY
    ) -> None:
        if await self.find(unit.connection, label) is not None:
            raise Taken("device", "label")
        await unit.connection.execute(
            insert(table).values(
                id=device,
                label_sealed=self._fields.seal(label, Cell("device", "label", device)),
                label_index=self._fields.index(label, "device", "label"),
                place=place,
                created_at=deed.at,
                version=1,
            )
        )
        unit.record(deed.entry(Action.DEVICE_ADDED, _subject(device), after={"place": place}))

    async def show(self, unit: Unit, deed: Deed, device: UUID) -> Device:
        row = await _row(unit.connection, device)
        unit.record(deed.entry(Action.DEVICE_READ, _subject(device)))
        return self._opened(row)

    async def listed(self, unit: Unit, deed: Deed) -> list[Device]:
        query = select(table).where(table.c.removed_at.is_(None)).order_by(table.c.id)
        rows = (await unit.connection.execute(query)).all()
        unit.record(deed.entry(Action.DEVICE_LISTED, after={"count": len(rows)}))
        return [self._opened(row) for row in rows]

    async def facts(self, connection: AsyncConnection, device: UUID) -> tuple[Place, UUID | None]:
        """Where it stands and what it rings for; raises NotFound for one that is gone."""
        row = await _row(connection, device)
        return Place(row.place), row.extension_id

    async def labels(self, connection: AsyncConnection) -> dict[UUID, str]:
        """What each phone is called; for listings that record themselves."""
        rows = (await connection.execute(select(table.c.id, table.c.label_sealed))).all()
        return {
            row.id: self._fields.open(row.label_sealed, Cell("device", "label", row.id))
            for row in rows
        }

    async def place(self, unit: Unit, deed: Deed, device: UUID, version: int, place: Place) -> None:
        await self._set(unit, deed, Action.DEVICE_PLACED, device, version, "place", place)

    async def assign(
        self, unit: Unit, deed: Deed, device: UUID, version: int, extension: UUID | None
    ) -> None:
        """The extension the device rings for; None for a phone of nobody's."""
        await self._set(
            unit, deed, Action.DEVICE_ASSIGNED, device, version, "extension_id", extension
        )

    async def move(
        self, unit: Unit, deed: Deed, device: UUID, version: int, site: UUID | None
    ) -> None:
        """The site where the device stands; None: at none."""
        if site is not None:
            await check_known(unit.connection, site)
        await self._set(unit, deed, Action.DEVICE_PLACED, device, version, "site_id", site)

    async def share(
        self, unit: Unit, deed: Deed, device: UUID, version: int, is_shared: bool
    ) -> None:
        """Whether the device has no owner: people sign in on it, and out again."""
        before = (await _row(unit.connection, device)).is_shared
        await change(unit.connection, table, device, version, {"is_shared": is_shared})
        unit.record(
            deed.entry(
                Action.DEVICE_SHARED,
                _subject(device),
                before={"shared": before},
                after={"shared": is_shared},
            )
        )

    async def _set(
        self,
        unit: Unit,
        deed: Deed,
        action: Action,
        device: UUID,
        version: int,
        column: str,
        value: Place | UUID | None,
    ) -> None:
        before = getattr(await _row(unit.connection, device), column)
        await change(unit.connection, table, device, version, {column: value})
        name = column.removesuffix("_id")
        unit.record(
            deed.entry(
                action,
                _subject(device),
                before={name: None if before is None else str(before)},
                after={name: None if value is None else str(value)},
            )
        )

    def _opened(self, row: Row[Any]) -> Device:
        return Device(
            id=row.id,
            label=self._fields.open(row.label_sealed, Cell("device", "label", row.id)),
            place=Place(row.place),
            extension=row.extension_id,
            created_at=row.created_at,
            version=row.version,
            site=row.site_id,
            is_shared=row.is_shared,
        )


async def _row(connection: AsyncConnection, device: UUID) -> Row[Any]:
    query = select(table).where(table.c.id == device, table.c.removed_at.is_(None))
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("device")
    return row


def _subject(device: UUID) -> Subject:
    return Subject("device", device)
