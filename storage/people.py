"""People: staff and temporary members of the organisation, and how their accounts begin and end.

Names and log-in names are sealed; whatever opens them leaves a row in the same unit of work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound, Taken, WrongState
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.people import person as table
from storage.sealed.fields import Cell, FieldKey
from storage.versions import change

PAGE = 200
"""People read at once; more are read from the last identifier on."""


class PersonState(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What may be known of a person without opening a sealed field."""

    id: UUID
    kind: str
    state: PersonState
    created_at: int
    enrolled_at: int | None
    active_at: int
    until: int | None
    ended_at: int | None
    version: int


@dataclass(frozen=True, slots=True)
class Person:
    """A person with names; reading one is recorded."""

    facts: PersonFacts
    login: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    id: UUID
    login: str
    name: str
    kind: str
    until: int | None = None


class People:
    """The table of people, in verbs."""

    def __init__(self, fields: FieldKey) -> None:
        self._fields = fields

    async def check_free(self, connection: AsyncConnection, new: NewPerson) -> None:
        """Log-in names and identifiers belong to one person for ever."""
        if await self.find(connection, new.login) is not None:
            raise Taken("person", "log-in name")
        if await _row(connection, new.id) is not None:
            raise Taken("person", "identifier")

    async def add(self, unit: Unit, deed: Deed, new: NewPerson) -> PersonFacts:
        """A new, active, not yet enrolled person."""
        await self.check_free(unit.connection, new)
        await unit.connection.execute(
            insert(table).values(
                id=new.id,
                kind=new.kind,
                state=PersonState.ACTIVE,
                login_sealed=self._fields.seal(new.login, Cell("person", "login", new.id)),
                login_index=self._fields.index(new.login, "person", "login"),
                name_sealed=self._fields.seal(new.name, Cell("person", "name", new.id)),
                name_index=self._fields.index(new.name, "person", "name"),
                created_at=deed.at,
                active_at=deed.at,
                until=new.until,
                version=1,
            )
        )
        after = {"kind": new.kind, "state": PersonState.ACTIVE, "until": new.until}
        unit.record(deed.entry(Action.PERSON_ADDED, _subject(new.id), after=after))
        return await facts_of(unit.connection, new.id)

    async def show(self, unit: Unit, deed: Deed, person: UUID) -> Person:
        """One person with names; recorded."""
        row = await _row(unit.connection, person)
        if row is None:
            raise NotFound("person")
        unit.record(deed.entry(Action.PERSON_READ, _subject(person)))
        return self._opened(row)

    async def listed(self, unit: Unit, deed: Deed, after: UUID | None = None) -> list[Person]:
        """A page of people with names; one row says how many were read."""
        query = select(table).order_by(table.c.id).limit(PAGE)
        if after is not None:
            query = query.where(table.c.id > after)
        rows = (await unit.connection.execute(query)).all()
        unit.record(deed.entry(Action.PERSON_LISTED, after={"count": len(rows)}))
        return [self._opened(row) for row in rows]

    async def find(self, connection: AsyncConnection, login: str) -> UUID | None:
        """The person with this log-in name; opens nothing."""
        index = self._fields.index(login, "person", "login")
        query = select(table.c.id).where(table.c.login_index == index)
        found: UUID | None = await connection.scalar(query)
        return found

    async def rename(self, unit: Unit, deed: Deed, person: UUID, version: int, name: str) -> None:
        values = {
            "name_sealed": self._fields.seal(name, Cell("person", "name", person)),
            "name_index": self._fields.index(name, "person", "name"),
        }
        await _living(unit.connection, person)
        await change(unit.connection, table, person, version, values)
        # The names themselves are personal: the row says only that they changed.
        unit.record(deed.entry(Action.PERSON_CHANGED, _subject(person), after={"name": "changed"}))

    async def set_end(
        self, unit: Unit, deed: Deed, person: UUID, version: int, until: int | None
    ) -> None:
        before = await _living(unit.connection, person)
        await change(unit.connection, table, person, version, {"until": until})
        unit.record(
            deed.entry(
                Action.PERSON_CHANGED,
                _subject(person),
                before={"until": before.until},
                after={"until": until},
            )
        )

    async def suspend(self, unit: Unit, deed: Deed, person: UUID, reason: str) -> None:
        """Only ever takes away, so it needs no version: the last word is always `suspended`."""
        before = await _living(unit.connection, person)
        if before.state is PersonState.SUSPENDED:
            raise WrongState("person", "is suspended already")
        await _enter(unit, deed, before, PersonState.SUSPENDED, Action.PERSON_SUSPENDED, reason)

    async def resume(self, unit: Unit, deed: Deed, person: UUID, version: int) -> None:
        before = await _living(unit.connection, person)
        if before.state is not PersonState.SUSPENDED:
            raise WrongState("person", "is not suspended")
        values = {"state": PersonState.ACTIVE, "active_at": deed.at}
        await change(unit.connection, table, person, version, values)
        unit.record(
            deed.entry(
                Action.PERSON_RESUMED,
                _subject(person),
                before={"state": before.state},
                after={"state": PersonState.ACTIVE},
            )
        )

    async def leave(self, unit: Unit, deed: Deed, person: UUID, reason: str) -> None:
        """The end of an account; there is no way back, a returning person is a new one."""
        before = await _living(unit.connection, person)
        await _enter(unit, deed, before, PersonState.LEFT, Action.PERSON_LEFT, reason)

    async def enrolled(self, unit: Unit, deed: Deed, person: UUID) -> None:
        """The person has factors of their own now."""
        await _living(unit.connection, person)
        await unit.connection.execute(
            update(table).where(table.c.id == person).values(enrolled_at=deed.at, active_at=deed.at)
        )
        unit.record(deed.entry(Action.PERSON_ENROLLED, _subject(person)))

    def _opened(self, row: Row[Any]) -> Person:
        return Person(
            _facts(row),
            self._fields.open(row.login_sealed, Cell("person", "login", row.id)),
            self._fields.open(row.name_sealed, Cell("person", "name", row.id)),
        )


async def facts_of(connection: AsyncConnection, person: UUID) -> PersonFacts:
    row = await _row(connection, person)
    if row is None:
        raise NotFound("person")
    return _facts(row)


async def seen(connection: AsyncConnection, person: UUID, now: int) -> None:
    """Activity counts against idle suspension; time only moves forward."""
    await connection.execute(
        update(table).where(table.c.id == person, table.c.active_at < now).values(active_at=now)
    )


async def due(connection: AsyncConnection, now: int, idle_since: int) -> Sequence[PersonFacts]:
    """People whose end has come, or whose active account was last used before `idle_since`."""
    query = select(table).where(
        table.c.state != PersonState.LEFT,
        or_(
            table.c.until <= now,
            (table.c.state == PersonState.ACTIVE) & (table.c.active_at <= idle_since),
        ),
    )
    return [_facts(row) for row in (await connection.execute(query)).all()]


async def _living(connection: AsyncConnection, person: UUID) -> PersonFacts:
    facts = await facts_of(connection, person)
    if facts.state is PersonState.LEFT:
        raise WrongState("person", "has left")
    return facts


async def _enter(
    unit: Unit, deed: Deed, before: PersonFacts, state: PersonState, action: Action, reason: str
) -> None:
    values = {"state": state, "ended_at": deed.at if state is PersonState.LEFT else None}
    await change(unit.connection, table, before.id, before.version, values)
    unit.record(
        deed.entry(
            action,
            _subject(before.id),
            before={"state": before.state},
            after={"state": state, "reason": reason},
        )
    )


async def _row(connection: AsyncConnection, person: UUID) -> Row[Any] | None:
    return (await connection.execute(select(table).where(table.c.id == person))).one_or_none()


def _subject(person: UUID) -> Subject:
    return Subject("person", person)


def _facts(row: Row[Any]) -> PersonFacts:
    return PersonFacts(
        id=row.id,
        kind=row.kind,
        state=PersonState(row.state),
        created_at=row.created_at,
        enrolled_at=row.enrolled_at,
        active_at=row.active_at,
        until=row.until,
        ended_at=row.ended_at,
        version=row.version,
    )
