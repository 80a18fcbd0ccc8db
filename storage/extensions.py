"""Extensions: numbers of the house, and whose they are now.

Assigning opens a tenure, releasing closes it; ledger rows carry identifiers only, so that history
and undo can read them without opening a number.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tenures
from storage.conflicts import NotFound, Taken, WrongState
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.extensions import extension as table
from storage.models.groups import ring_group
from storage.people import PersonState, facts_of
from storage.sealed.fields import Cell, FieldKey
from storage.tenures import NewTenure, Tenure
from storage.versions import change


@dataclass(frozen=True, slots=True)
class Extension:
    """A number with its present holder; reading one is recorded."""

    id: UUID
    number: str
    version: int
    tenure: Tenure | None


class Extensions:
    """The table of extensions, in verbs."""

    def __init__(self, fields: FieldKey) -> None:
        self._fields = fields

    async def find(self, connection: AsyncConnection, number: str) -> UUID | None:
        """The extension with this number; opens nothing."""
        index = self._fields.index(number, "extension", "number")
        found: UUID | None = await connection.scalar(
            select(table.c.id).where(table.c.number_index == index)
        )
        return found

    async def add(self, unit: Unit, deed: Deed, extension: UUID, number: str) -> None:
        if await self.find(unit.connection, number) is not None:
            raise Taken("extension", "number")
        await unit.connection.execute(
            insert(table).values(
                id=extension,
                number_sealed=self._fields.seal(number, Cell("extension", "number", extension)),
                number_index=self._fields.index(number, "extension", "number"),
                created_at=deed.at,
                version=1,
            )
        )
        unit.record(deed.entry(Action.EXTENSION_ADDED, _subject(extension)))

    async def check_assignable(
        self, connection: AsyncConnection, person: UUID, tenure: UUID, mailbox: UUID
    ) -> None:
        """An active person, and identifiers that nothing has yet."""
        if (await facts_of(connection, person)).state is not PersonState.ACTIVE:
            raise WrongState("person", "is not active")
        if await tenures.is_known(connection, tenure, mailbox):
            raise Taken("tenure", "identifier")

    async def show(self, unit: Unit, deed: Deed, extension: UUID) -> Extension:
        row = await _row(unit.connection, extension)
        unit.record(deed.entry(Action.EXTENSION_READ, _subject(extension)))
        return self._opened(row, await tenures.open_on(unit.connection, extension))

    async def listed(self, unit: Unit, deed: Deed) -> list[Extension]:
        rows = (await unit.connection.execute(select(table).order_by(table.c.id))).all()
        unit.record(deed.entry(Action.EXTENSION_LISTED, after={"count": len(rows)}))
        return [self._opened(row, await tenures.open_on(unit.connection, row.id)) for row in rows]

    async def assign(self, unit: Unit, deed: Deed, new: NewTenure, version: int) -> None:
        """Ends the present tenure, if any, and begins a new, empty one."""
        connection = unit.connection
        await check_no_group(connection, new.extension)
        present = await tenures.open_on(connection, new.extension)
        if present is not None and present.person == new.person and new.until is None:
            raise WrongState("extension", "belongs to this person already")
        if (await facts_of(connection, new.person)).state is not PersonState.ACTIVE:
            raise WrongState("person", "is not active")
        await change(connection, table, new.extension, version, {})
        if present is not None:
            await tenures.end(connection, present, deed.at)
        begun = await tenures.begin(connection, new, deed.at)
        unit.record(_changed(deed, Action.EXTENSION_ASSIGNED, new.extension, present, begun))

    async def release(
        self,
        unit: Unit,
        deed: Deed,
        extension: UUID,
        version: int | None = None,
        action: Action = Action.EXTENSION_RELEASED,
    ) -> Tenure:
        """Ends the present tenure; nobody has the number then."""
        present = await tenures.open_on(unit.connection, extension)
        seen = (await _row(unit.connection, extension)).version if version is None else version
        await change(unit.connection, table, extension, seen, {})
        if present is None:
            raise WrongState("extension", "belongs to nobody")
        await tenures.end(unit.connection, present, deed.at)
        unit.record(_changed(deed, action, extension, present, None))
        return present

    async def restore(
        self, unit: Unit, deed: Deed, action: Action, extension: UUID, tenure: UUID
    ) -> Tenure | None:
        """Ends what is open now and lets an earlier epoch go on; answers what was ended."""
        connection = unit.connection
        await check_no_group(connection, extension)
        earlier = await tenures.get(connection, tenure)
        if earlier.extension != extension or earlier.ended_at is None:
            raise WrongState("tenure", "cannot be resumed here")
        if (await facts_of(connection, earlier.person)).state is not PersonState.ACTIVE:
            raise WrongState("person", "is not active")
        present = await tenures.open_on(connection, extension)
        if present is not None:
            await tenures.end(connection, present, deed.at)
        await change(connection, table, extension, await version_of(connection, extension), {})
        resumed = await tenures.resume(connection, tenure)
        unit.record(_changed(deed, action, extension, present, resumed))
        return present

    async def numbers(
        self, connection: AsyncConnection, extensions: Collection[UUID]
    ) -> dict[UUID, str]:
        """For what was read and recorded already, and names extensions."""
        rows = await connection.execute(select(table).where(table.c.id.in_(extensions)))
        return {row.id: self._number(row) for row in rows}

    def _number(self, row: Row[Any]) -> str:
        return self._fields.open(row.number_sealed, Cell("extension", "number", row.id))

    def _opened(self, row: Row[Any], tenure: Tenure | None) -> Extension:
        return Extension(row.id, self._number(row), row.version, tenure)


async def check_no_group(connection: AsyncConnection, extension: UUID) -> None:
    """Raises `WrongState` for a number at which a group rings."""
    query = select(ring_group.c.id).where(
        ring_group.c.id == extension, ring_group.c.state_id.is_not(None)
    )
    if await connection.scalar(query) is not None:
        raise WrongState("number", "belongs to a group: pbx group remove")


async def version_of(connection: AsyncConnection, extension: UUID) -> int:
    return int((await _row(connection, extension)).version)


async def _row(connection: AsyncConnection, extension: UUID) -> Row[Any]:
    query = select(table).where(table.c.id == extension)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("extension")
    return row


def _changed(
    deed: Deed, action: Action, extension: UUID, before: Tenure | None, after: Tenure | None
) -> Any:
    return deed.entry(action, _subject(extension), before=_state(before), after=_state(after))


def _state(tenure: Tenure | None) -> dict[str, Any] | None:
    if tenure is None:
        return None
    return {"tenure": str(tenure.id), "person": str(tenure.person), "until": tenure.until}


def _subject(extension: UUID) -> Subject:
    return Subject("extension", extension)
