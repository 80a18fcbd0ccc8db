"""Ring groups: numbers at which several people ring.

Settings are one sealed value, of which every state is kept: undo brings the state before the last
change back. Ledger rows carry identifiers, times and strategies, never a name.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import history, tenures
from storage.conflicts import NotFound, Stale, Taken, WrongState
from storage.deeds import Deed
from storage.extensions import Extensions
from storage.identifiers import Clock, new_id
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.groups import ring_group as table
from storage.models.groups import ring_group_state as states
from storage.sealed.fields import Cell, FieldKey
from storage.versions import change as change_row

CHANGES = frozenset(
    {Action.GROUP_ADDED, Action.GROUP_CHANGED, Action.GROUP_REMOVED, Action.GROUP_UNDONE}
)
MOST_MEMBERS = 50


class Strategy(StrEnum):
    """Who rings when."""

    ALL = "all"
    IN_ORDER = "in-order"
    BY_ROUND = "by-round"


class Member(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A person, or whoever holds an extension."""

    extension: UUID | None = None
    person: UUID | None = None
    delay: int = 0
    """Seconds."""
    until: int | None = None

    def is_over(self, now: int) -> bool:
        return self.until is not None and self.until <= now


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a group is."""

    name: str
    """Shown to whoever is rung."""
    strategy: Strategy = Strategy.ALL
    members: tuple[Member, ...] = ()
    ring_seconds: int = 20
    """How long all ring, or each one of them, one after another."""
    mailbox: UUID | None = None
    """Where a message is left when nobody answers."""
    onward: UUID | None = None
    """The extension or group that rings then."""
    until: int | None = None
    """After it nobody is rung any more: calls go where they go when nobody answers."""


@dataclass(frozen=True, slots=True)
class Group:
    """A number with what rings there; reading one is recorded."""

    id: UUID
    number: str
    version: int
    settings: Settings


class Groups:
    """The tables, in verbs."""

    def __init__(self, fields: FieldKey) -> None:
        self._fields = fields
        self._extensions = Extensions(fields)

    async def add(self, unit: Unit, deed: Deed, new: UUID, number: str, settings: Settings) -> None:
        """`new` is the identifier of a number that is not known yet."""
        connection = unit.connection
        known = await self._extensions.find(connection, number)
        group = known or new
        row = await _row(connection, group)
        if row is not None and row.state_id is not None:
            raise Taken("group", "number")
        await _check_vacant(connection, group)
        await self._check(connection, group, settings)
        if known is None:
            await self._extensions.add(unit, deed, group, number)
        if row is None:
            await connection.execute(insert(table).values(id=group, version=0))
        await self._become(unit, deed, group, settings, Action.GROUP_ADDED)

    async def listed(self, unit: Unit, deed: Deed) -> list[Group]:
        query = select(table).where(table.c.state_id.is_not(None)).order_by(table.c.id)
        rows = (await unit.connection.execute(query)).all()
        unit.record(deed.entry(Action.GROUP_LISTED, after={"count": len(rows)}))
        numbers = await self._extensions.numbers(unit.connection, [row.id for row in rows])
        return [
            Group(row.id, numbers[row.id], row.version, await self._at(unit, row.state_id))
            for row in rows
        ]

    async def show(self, unit: Unit, deed: Deed, group: UUID) -> Group:
        row = await _present(unit.connection, group)
        unit.record(deed.entry(Action.GROUP_READ, _subject(group)))
        numbers = await self._extensions.numbers(unit.connection, [group])
        return Group(group, numbers[group], row.version, await self._at(unit, row.state_id))

    async def change(
        self, unit: Unit, deed: Deed, group: UUID, version: int, settings: Settings
    ) -> None:
        row = await _present(unit.connection, group)
        if row.version != version:
            raise Stale("group")
        await self._check(unit.connection, group, settings)
        await self._become(unit, deed, group, settings, Action.GROUP_CHANGED)

    async def remove(self, unit: Unit, deed: Deed, group: UUID, version: int) -> None:
        """The number is free again; what the group was is kept."""
        row = await _present(unit.connection, group)
        if row.version != version:
            raise Stale("group")
        await self._become(unit, deed, group, None, Action.GROUP_REMOVED)

    async def undo(self, unit: Unit, deed: Deed, group: UUID, version: int) -> None:
        """The last change is taken back, once."""
        if await version_of(unit.connection, group) != version:
            raise Stale("group")
        last = await history.last_of(unit.connection, _subject(group), CHANGES)
        if last.action == Action.GROUP_UNDONE:
            raise WrongState("group", "has no change left that could be undone")
        await _check_vacant(unit.connection, group)
        settings = None
        if last.before is not None:
            settings = await self._at(unit, UUID(last.before["state"]))
            await self._check(unit.connection, group, settings)
        await self._become(unit, deed, group, settings, Action.GROUP_UNDONE)

    async def _become(
        self, unit: Unit, deed: Deed, group: UUID, settings: Settings | None, action: Action
    ) -> None:
        connection = unit.connection
        row = await _row(connection, group)
        if row is None:
            raise NotFound("group")
        was = None if row.state_id is None else await self._at(unit, row.state_id)
        before = None if was is None else _state(row.state_id, was)
        after, state = None, None
        if settings is not None:
            state = new_id(_at(deed))
            after = _state(state, settings)
            if was is not None and was.name != settings.name:
                after["name"] = "changed"
            sealed = self._fields.seal(msgspec.json.encode(settings).decode(), _cell(state))
            values = {"group_id": group, "settings_sealed": sealed, "made_at": deed.at}
            await connection.execute(insert(states).values(id=state, **values))
        await change_row(connection, table, group, row.version, {"state_id": state})
        unit.record(deed.entry(action, _subject(group), before=before, after=after))

    async def _at(self, unit: Unit, state: UUID) -> Settings:
        query = select(states.c.settings_sealed).where(states.c.id == state)
        sealed: bytes | None = await unit.connection.scalar(query)
        if sealed is None:
            raise NotFound("group")
        return decoded(self._fields.open(sealed, _cell(state)))

    async def _check(self, connection: AsyncConnection, group: UUID, settings: Settings) -> None:
        """What cannot be meant: a group in a group, a group that rings itself, a crowd."""
        if len(settings.members) > MOST_MEMBERS:
            raise WrongState("group", f"has at most {MOST_MEMBERS} members")
        named = [(member.extension, member.person) for member in settings.members]
        if len(set(named)) != len(named):
            raise WrongState("group", "has this member already")
        if settings.onward == group:
            raise WrongState("group", "cannot ring itself when nobody answers")
        within = [extension for extension, _ in named if extension is not None]
        if await connection.scalar(
            select(table.c.id).where(table.c.id.in_(within), table.c.state_id.is_not(None)).limit(1)
        ):
            raise WrongState("group", "has people and their extensions as members, no other group")


def opened(fields: FieldKey, state: UUID, sealed: bytes) -> Settings:
    """For the exchange's own working copy."""
    return decoded(fields.open(sealed, _cell(state)))


def decoded(text: str) -> Settings:
    return msgspec.json.decode(text, type=Settings)


async def version_of(connection: AsyncConnection, group: UUID) -> int:
    """Also of one that is no more."""
    row = await _row(connection, group)
    if row is None:
        raise NotFound("group")
    return int(row.version)


async def _check_vacant(connection: AsyncConnection, number: UUID) -> None:
    if await tenures.open_on(connection, number) is not None:
        raise WrongState("number", "belongs to a person: pbx extension release")


async def _row(connection: AsyncConnection, group: UUID) -> Row[Any] | None:
    return (await connection.execute(select(table).where(table.c.id == group))).one_or_none()


async def _present(connection: AsyncConnection, group: UUID) -> Row[Any]:
    row = await _row(connection, group)
    if row is None or row.state_id is None:
        raise NotFound("group")
    return row


def _cell(state: UUID) -> Cell:
    return Cell("ring_group_state", "settings", state)


def _state(state: UUID, settings: Settings) -> dict[str, Any]:
    known: dict[str, Any] = msgspec.to_builtins(settings)
    del known["name"]
    return {"state": str(state), **known}


def _subject(group: UUID) -> Subject:
    return Subject("group", group)


def _at(deed: Deed) -> Clock:
    return lambda: deed.at
