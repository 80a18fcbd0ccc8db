"""The organisation and its sites: what they are called, and where help is sent.

A site is a building: phones stand in one, and its emergency location is the text a dispatcher is
given (47 CFR 9.16: the dispatchable location). Names and locations are sealed; rows say only that
they changed.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound, Stale, Taken, WrongState
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.extensions import device
from storage.models.people import organisation
from storage.models.people import site as table
from storage.sealed.fields import Cell, FieldKey
from storage.versions import change


@dataclass(frozen=True, slots=True)
class Organisation:
    id: UUID | None
    """None while nobody has named it."""
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Site:
    id: UUID
    name: str
    location: str
    devices: int
    version: int


class Sites:
    """The tables of organisation and sites, in verbs."""

    def __init__(self, fields: FieldKey) -> None:
        self._fields = fields

    async def organisation(self, unit: Unit, deed: Deed) -> Organisation:
        row = (await unit.connection.execute(select(organisation))).one_or_none()
        subject = None if row is None else Subject("organisation", row.id)
        unit.record(deed.entry(Action.ORGANISATION_READ, subject))
        if row is None:
            return Organisation(None, "", 0)
        name = self._fields.open(row.name_sealed, Cell("organisation", "name", row.id))
        return Organisation(row.id, name, row.version)

    async def name_organisation(
        self, unit: Unit, deed: Deed, version: int, name: str, new: UUID
    ) -> None:
        """Version 0 makes it; there is one."""
        known = await unit.connection.scalar(select(organisation.c.id))
        if (known is None) is not (version == 0):
            raise Stale("organisation")
        id = known or new
        sealed = self._fields.seal(name, Cell("organisation", "name", id))
        if known is None:
            values = {"id": id, "name_sealed": sealed, "created_at": deed.at, "version": 1}
            await unit.connection.execute(insert(organisation).values(**values))
        else:
            await change(unit.connection, organisation, id, version, {"name_sealed": sealed})
        subject = Subject("organisation", id)
        unit.record(deed.entry(Action.ORGANISATION_CHANGED, subject, after={"name": "changed"}))

    async def find(self, connection: AsyncConnection, name: str) -> UUID | None:
        """The site of this name; opens nothing."""
        index = self._fields.index(name, "site", "name")
        found: UUID | None = await connection.scalar(
            select(table.c.id).where(table.c.name_index == index)
        )
        return found

    async def add(self, unit: Unit, deed: Deed, site: UUID, name: str, location: str) -> None:
        whose = await unit.connection.scalar(select(organisation.c.id))
        if whose is None:
            raise WrongState("organisation", "has no name yet: pbx organisation rename")
        await self._check_free(unit.connection, name)
        if await unit.connection.scalar(select(table.c.id).where(table.c.id == site)) is not None:
            raise Taken("site", "identifier")
        await unit.connection.execute(
            insert(table).values(
                id=site,
                organisation_id=whose,
                created_at=deed.at,
                version=1,
                **self._named(site, name),
                **self._located(site, location),
            )
        )
        unit.record(deed.entry(Action.SITE_ADDED, Subject("site", site)))

    async def listed(self, unit: Unit, deed: Deed) -> list[Site]:
        query = select(table).where(table.c.removed_at.is_(None)).order_by(table.c.id)
        rows = (await unit.connection.execute(query)).all()
        unit.record(deed.entry(Action.SITE_LISTED, after={"count": len(rows)}))
        return [await self._opened(unit.connection, row) for row in rows]

    async def show(self, unit: Unit, deed: Deed, site: UUID) -> Site:
        row = await _row(unit.connection, site)
        unit.record(deed.entry(Action.SITE_READ, Subject("site", site)))
        return await self._opened(unit.connection, row)

    async def rename(self, unit: Unit, deed: Deed, site: UUID, version: int, name: str) -> None:
        await _row(unit.connection, site)
        if await self.find(unit.connection, name) != site:
            await self._check_free(unit.connection, name)
        await change(unit.connection, table, site, version, self._named(site, name))
        self._changed(unit, deed, site, "name")

    async def locate(self, unit: Unit, deed: Deed, site: UUID, version: int, text: str) -> None:
        """Where help is sent for whoever calls from there."""
        await _row(unit.connection, site)
        await change(unit.connection, table, site, version, self._located(site, text))
        self._changed(unit, deed, site, "location")

    async def remove(self, unit: Unit, deed: Deed, site: UUID, version: int) -> None:
        """One without phones; its row stays for the ledger's sake, its name is free again."""
        await _row(unit.connection, site)
        if await _devices(unit.connection, site):
            raise WrongState("site", "has phones: move them first")
        values = {"name_index": None, "removed_at": deed.at}
        await change(unit.connection, table, site, version, values)
        unit.record(deed.entry(Action.SITE_REMOVED, Subject("site", site)))

    async def _check_free(self, connection: AsyncConnection, name: str) -> None:
        if await self.find(connection, name) is not None:
            raise Taken("site", "name")

    def _named(self, site: UUID, name: str) -> dict[str, Any]:
        return {
            "name_sealed": self._fields.seal(name, Cell("site", "name", site)),
            "name_index": self._fields.index(name, "site", "name"),
        }

    def _located(self, site: UUID, location: str) -> dict[str, Any]:
        cell = Cell("site", "location", site)
        return {"location_sealed": self._fields.seal(location, cell) if location else None}

    def _changed(self, unit: Unit, deed: Deed, site: UUID, what: str) -> None:
        unit.record(deed.entry(Action.SITE_CHANGED, Subject("site", site), after={what: "changed"}))

    async def _opened(self, connection: AsyncConnection, row: Row[Any]) -> Site:
        location, cell = row.location_sealed, Cell("site", "location", row.id)
        return Site(
            id=row.id,
            name=self._fields.open(row.name_sealed, Cell("site", "name", row.id)),
            location="" if location is None else self._fields.open(location, cell),
            devices=await _devices(connection, row.id),
            version=row.version,
        )


async def check_known(connection: AsyncConnection, site: UUID) -> None:
    """Raises `NotFound` for a site that is not, or is no more."""
    await _row(connection, site)


async def _row(connection: AsyncConnection, site: UUID) -> Row[Any]:
    query = select(table).where(table.c.id == site, table.c.removed_at.is_(None))
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("site")
    return row


async def _devices(connection: AsyncConnection, site: UUID) -> int:
    query = select(func.count()).where(device.c.site_id == site, device.c.removed_at.is_(None))
    return await connection.scalar(query) or 0
