"""Role grants: who asked, who approved, why, from when until when.

These rows are the exchange's copy; the key holder keeps and decides by its own (CUSTODY: a change
of these rows opens nothing). A grant made by `installation` stays marked as such for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound, Taken, WrongState
from storage.deeds import Deed
from storage.keyholder.acts import Role
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.people import person as people
from storage.models.people import role_grant as table
from storage.people import PersonState, facts_of
from storage.sealed.fields import Cell, FieldKey
from storage.versions import change


class GrantState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    REFUSED = "refused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """A grant without its reason."""

    id: UUID
    person: UUID
    role: Role
    state: GrantState
    requested_by: UUID | None
    requested_at: int
    approved_by: UUID | None
    by_installation: bool
    proposal: UUID | None
    starts_at: int | None
    until: int | None
    ended_at: int | None
    version: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant with the reason that was given; reading one is recorded."""

    facts: GrantFacts
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    id: UUID
    person: UUID
    role: Role
    reason: str
    requested_by: UUID | None
    until: int | None = None
    proposal: UUID | None = None
    """What the key holder calls it while it waits for the second person."""


class Grants:
    """The table of role grants, in verbs."""

    def __init__(self, fields: FieldKey) -> None:
        self._fields = fields

    async def check_free(self, connection: AsyncConnection, grant: UUID, person: UUID) -> None:
        """The identifier is new, and the person exists and is active."""
        known = await connection.scalar(select(table.c.id).where(table.c.id == grant))
        if known is not None:
            raise Taken("grant", "identifier")
        if (await facts_of(connection, person)).state is not PersonState.ACTIVE:
            raise WrongState("person", "is not active")

    async def request(self, unit: Unit, deed: Deed, new: NewGrant) -> None:
        """A grant that waits for a second person."""
        await self._insert(unit, deed, new, GrantState.PENDING, by_installation=False)
        unit.record(deed.entry(Action.GRANT_REQUESTED, _subject(new.id), after=_terms(new)))

    async def make_by_installation(self, unit: Unit, deed: Deed, new: NewGrant) -> None:
        """A grant without a second person: only before one has ever existed, and flagged."""
        await self._insert(unit, deed, new, GrantState.ACTIVE, by_installation=True)
        after = {**_terms(new), "by": "installation"}
        unit.record(deed.entry(Action.GRANT_MADE, _subject(new.id), after=after))

    async def approve(self, unit: Unit, deed: Deed, grant: UUID, approver: UUID) -> GrantFacts:
        before = await pending(unit.connection, grant)
        values = {"state": GrantState.ACTIVE, "approved_by": approver, "starts_at": deed.at}
        await change(unit.connection, table, grant, before.version, values)
        unit.record(_moved(deed, Action.GRANT_MADE, before, GrantState.ACTIVE))
        return before

    async def decline(self, unit: Unit, deed: Deed, grant: UUID) -> None:
        before = await pending(unit.connection, grant)
        values = {"state": GrantState.REFUSED, "ended_at": deed.at}
        await change(unit.connection, table, grant, before.version, values)
        unit.record(_moved(deed, Action.GRANT_DECLINED, before, GrantState.REFUSED))

    async def revoke(self, unit: Unit, deed: Deed, grant: UUID, reason: str) -> GrantFacts:
        """Only ever takes away, so it needs no version."""
        before = await grant_facts(unit.connection, grant)
        if before.state not in (GrantState.ACTIVE, GrantState.PENDING):
            raise WrongState("grant", "has ended already")
        await self._end(unit, deed, before, reason)
        return before

    async def end_all(self, unit: Unit, deed: Deed, person: UUID, reason: str) -> list[UUID]:
        """Ends every grant of a person, pending ones too; a row each."""
        grants = await open_of(unit.connection, person)
        for facts in grants:
            await self._end(unit, deed, facts, reason)
        return [facts.id for facts in grants]

    async def listed(
        self, unit: Unit, deed: Deed, person: UUID | None = None, *, all_states: bool = False
    ) -> list[Grant]:
        """Grants with their reasons; one row says how many were read."""
        query = select(table).order_by(table.c.id)
        if person is not None:
            query = query.where(table.c.person_id == person)
        if not all_states:
            query = query.where(table.c.state.in_([GrantState.ACTIVE, GrantState.PENDING]))
        rows = (await unit.connection.execute(query)).all()
        unit.record(deed.entry(Action.GRANT_LISTED, after={"count": len(rows)}))
        return [self._opened(row) for row in rows]

    async def _insert(
        self, unit: Unit, deed: Deed, new: NewGrant, state: GrantState, *, by_installation: bool
    ) -> None:
        cell = Cell("role_grant", "reason", new.id)
        await unit.connection.execute(
            insert(table).values(
                id=new.id,
                person_id=new.person,
                role=new.role,
                state=state,
                reason_sealed=self._fields.seal(new.reason, cell),
                requested_by=new.requested_by,
                requested_at=deed.at,
                by_installation=by_installation,
                proposal=new.proposal,
                starts_at=deed.at if by_installation else None,
                until=new.until,
                version=1,
            )
        )

    async def _end(self, unit: Unit, deed: Deed, before: GrantFacts, reason: str) -> None:
        values = {"state": GrantState.ENDED, "ended_at": deed.at}
        await change(unit.connection, table, before.id, before.version, values)
        after = {**_about(before), "state": GrantState.ENDED, "reason": reason}
        unit.record(
            deed.entry(
                Action.GRANT_ENDED, _subject(before.id), before={"state": before.state}, after=after
            )
        )

    def _opened(self, row: Row[Any]) -> Grant:
        cell = Cell("role_grant", "reason", row.id)
        return Grant(_facts(row), self._fields.open(row.reason_sealed, cell))


def in_force(now: int) -> ColumnElement[bool]:
    """Which grants count at `now`: given, and not ended."""
    has_time = or_(table.c.until.is_(None), table.c.until > now)
    return and_(table.c.state == GrantState.ACTIVE, has_time)


async def roles_of(connection: AsyncConnection, person: UUID, now: int) -> frozenset[Role]:
    """The roles a person holds at `now`, by grants that have begun and not ended."""
    query = select(table.c.role).where(table.c.person_id == person, in_force(now))
    return frozenset(Role(role) for role in (await connection.scalars(query)).all())


async def roles_held(connection: AsyncConnection, now: int) -> dict[UUID, frozenset[Role]]:
    """The same of everybody who has one."""
    query = select(table.c.person_id, table.c.role).where(in_force(now))
    held: dict[UUID, frozenset[Role]] = {}
    for row in (await connection.execute(query)).all():
        held[row.person_id] = held.get(row.person_id, frozenset()) | {Role(row.role)}
    return held


async def held_or_awaited(connection: AsyncConnection, person: UUID) -> frozenset[Role]:
    query = select(table.c.role).where(
        table.c.person_id == person,
        table.c.state.in_([GrantState.ACTIVE, GrantState.PENDING]),
    )
    return frozenset(Role(role) for role in (await connection.scalars(query)).all())


async def open_of(connection: AsyncConnection, person: UUID) -> list[GrantFacts]:
    """A person's grants that are in force, or wait for a second person."""
    query = select(table).where(
        table.c.person_id == person,
        table.c.state.in_([GrantState.ACTIVE, GrantState.PENDING]),
    )
    return [_facts(row) for row in (await connection.execute(query)).all()]


async def holders(connection: AsyncConnection, role: Role, now: int) -> frozenset[UUID]:
    """Active people who hold a role now."""
    return frozenset((await connection.scalars(_holders((role,), now))).all())


async def enrolled_holders(connection: AsyncConnection, now: int, *roles: Role) -> frozenset[UUID]:
    """Those with one of `roles` who have enrolled: who was invited may never come."""
    query = _holders(roles, now).where(people.c.enrolled_at.is_not(None))
    return frozenset((await connection.scalars(query)).all())


def _holders(roles: Sequence[Role], now: int) -> Select[Any]:
    return (
        select(table.c.person_id)
        .join(people, people.c.id == table.c.person_id)
        .where(table.c.role.in_(roles), people.c.state == "active", in_force(now))
    )


async def in_force_by_installation(connection: AsyncConnection, now: int) -> int:
    """How many roles are held now that no second person ever approved."""
    query = select(func.count()).where(table.c.by_installation == 1, in_force(now))
    return int(await connection.scalar(query) or 0)


async def approvers_ever(connection: AsyncConnection, roles: Sequence[Role]) -> int:
    """Enrolled people who have ever held one of `roles`; grants are never deleted."""
    query = (
        select(func.count(table.c.person_id.distinct()))
        .join(people, people.c.id == table.c.person_id)
        .where(
            table.c.role.in_(roles),
            table.c.starts_at.is_not(None),
            people.c.enrolled_at.is_not(None),
        )
    )
    return int(await connection.scalar(query) or 0)


async def grant_facts(connection: AsyncConnection, grant: UUID) -> GrantFacts:
    row = (await connection.execute(select(table).where(table.c.id == grant))).one_or_none()
    if row is None:
        raise NotFound("grant")
    return _facts(row)


async def pending(connection: AsyncConnection, grant: UUID) -> GrantFacts:
    facts = await grant_facts(connection, grant)
    if facts.state is not GrantState.PENDING:
        raise WrongState("grant", "does not wait for approval")
    return facts


async def by_proposal(connection: AsyncConnection, proposal: UUID) -> GrantFacts | None:
    query = select(table).where(table.c.proposal == proposal)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _facts(row)


async def expired(connection: AsyncConnection, now: int) -> list[GrantFacts]:
    """Grants whose end has come and that nobody has ended yet."""
    query = select(table).where(
        table.c.state.in_([GrantState.ACTIVE, GrantState.PENDING]), table.c.until <= now
    )
    return [_facts(row) for row in (await connection.execute(query)).all()]


def _moved(deed: Deed, action: Action, before: GrantFacts, state: GrantState) -> Any:
    after = {**_about(before), "state": state}
    return deed.entry(action, _subject(before.id), before={"state": before.state}, after=after)


def _about(facts: GrantFacts) -> dict[str, Any]:
    return {"person": str(facts.person), "role": facts.role}


def _terms(new: NewGrant) -> dict[str, Any]:
    return {"person": str(new.person), "role": new.role, "until": new.until}


def _subject(grant: UUID) -> Subject:
    return Subject("role_grant", grant)


def _facts(row: Row[Any]) -> GrantFacts:
    return GrantFacts(
        id=row.id,
        person=row.person_id,
        role=Role(row.role),
        state=GrantState(row.state),
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        approved_by=row.approved_by,
        by_installation=row.by_installation,
        proposal=row.proposal,
        starts_at=row.starts_at,
        until=row.until,
        ended_at=row.ended_at,
        version=row.version,
    )
