"""How somebody is reached on an extension: do-not-disturb, how many calls at once, and where calls
go instead.

It belongs to a tenure: the next holder begins with none of it. The settings are one sealed value
(SECURITY: personal fields); ledger rows carry identifiers of extensions, never a number.
"""

from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import history, tenures
from storage.conflicts import WrongState
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.extensions import reach as table
from storage.sealed.fields import Cell, FieldKey
from storage.versions import change as change_row

CHANGES = frozenset({Action.REACH_CHANGED, Action.REACH_UNDONE})


class When(StrEnum):
    """When a call goes elsewhere."""

    ALWAYS = "always"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    OFFLINE = "offline"


class Forward(msgspec.Struct, frozen=True):
    """Calls that go to another extension of ours."""

    when: When
    extension: UUID
    until: int | None = None


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for one tenure; a setting whose end has come counts no more."""

    do_not_disturb: bool = False
    undisturbed_until: int | None = None
    forwards: tuple[Forward, ...] = ()
    most_calls: int | None = None
    """Calls at once, of whoever holds the extension; None: as many as come."""
    most_calls_until: int | None = None

    def limit(self, now: int) -> int | None:
        """How many calls there may be before the next one is told that the person is busy."""
        return None if _is_over(self.most_calls_until, now) else self.most_calls

    def is_undisturbed(self, now: int) -> bool:
        return self.do_not_disturb and not _is_over(self.undisturbed_until, now)

    def target(self, when: str, now: int) -> UUID | None:
        """The extension that calls go to then."""
        for forward in self.forwards:
            if forward.when == when and not _is_over(forward.until, now):
                return forward.extension
        return None

    def undisturbed(self, *, on: bool, until: int | None) -> "Reach":
        end = until if on else None
        return msgspec.structs.replace(self, do_not_disturb=on, undisturbed_until=end)

    def forwarded(self, when: When, to: UUID | None, until: int | None) -> "Reach":
        """With one forward in the place of the one before; None: without it."""
        others = tuple(forward for forward in self.forwards if forward.when is not when)
        new = () if to is None else (Forward(when, to, until),)
        return msgspec.structs.replace(self, forwards=(*others, *new))

    def limited(self, most: int | None, until: int | None) -> "Reach":
        end = None if most is None else until
        return msgspec.structs.replace(self, most_calls=most, most_calls_until=end)


UNSET = Reach()
"""Nobody has set anything."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One setting, to be set or taken away."""

    when: When | None
    """None: do-not-disturb, or how many calls at once."""
    is_on: bool
    is_limit: bool = False
    most_calls: int | None = None
    target: UUID | None = None
    until: int | None = None

    def on(self, reach: Reach) -> Reach:
        if self.is_limit:
            return reach.limited(self.most_calls if self.is_on else None, self.until)
        if self.when is None:
            return reach.undisturbed(on=self.is_on, until=self.until)
        return reach.forwarded(self.when, self.target if self.is_on else None, self.until)


class Reaches:
    """The table, in verbs."""

    def __init__(self, fields: FieldKey) -> None:
        self._fields = fields

    async def of(self, unit: Unit, deed: Deed, person: UUID) -> dict[UUID, Reach]:
        """By extension, for each one that a person holds now; reading it is recorded."""
        found = {
            tenure.extension: (await self._present(unit.connection, tenure.id))[0]
            for tenure in await tenures.open_of(unit.connection, person)
        }
        unit.record(deed.entry(Action.REACH_READ, Subject("person", person)))
        return found

    async def change(self, unit: Unit, deed: Deed, person: UUID, change: Change) -> None:
        """On every extension that a person holds now, with a row for each."""
        held = await tenures.open_of(unit.connection, person)
        if not held:
            raise WrongState("person", "holds no extension")
        for tenure in held:
            if change.is_on and change.target == tenure.extension:
                raise WrongState("extension", "cannot be forwarded to itself")
            before, version = await self._present(unit.connection, tenure.id)
            after = change.on(before)
            await self._put(unit.connection, tenure.id, after, version)
            unit.record(
                deed.entry(
                    Action.REACH_CHANGED,
                    Subject("extension", tenure.extension),
                    before=_state(tenure.id, before),
                    after=_state(tenure.id, after),
                )
            )

    async def undo(self, unit: Unit, deed: Deed, extension: UUID) -> None:
        """The last change of whoever holds it is taken back, once."""
        present = await tenures.open_on(unit.connection, extension)
        last = await history.last_of(unit.connection, Subject("extension", extension), CHANGES)
        if last.action == Action.REACH_UNDONE:
            raise WrongState("extension", "has no setting left that could be undone")
        if present is None or last.before["tenure"] != str(present.id):
            raise WrongState("extension", "belongs to somebody else since this was set")
        before, version = await self._present(unit.connection, present.id)
        known = {name: value for name, value in last.before.items() if name != "tenure"}
        after = msgspec.convert(known, Reach)
        await self._put(unit.connection, present.id, after, version)
        unit.record(
            deed.entry(
                Action.REACH_UNDONE,
                Subject("extension", extension),
                before=_state(present.id, before),
                after=_state(present.id, after),
            )
        )

    async def undo_all(self, unit: Unit, deed: Deed, person: UUID) -> None:
        """The last change on every extension that a person holds now."""
        held = await tenures.open_of(unit.connection, person)
        if not held:
            raise WrongState("person", "holds no extension")
        for tenure in held:
            await self.undo(unit, deed, tenure.extension)

    async def _put(
        self, connection: AsyncConnection, tenure: UUID, reach: Reach, version: int
    ) -> None:
        sealed = self._fields.seal(msgspec.json.encode(reach).decode(), _cell(tenure))
        if version:
            await change_row(connection, table, tenure, version, {"settings_sealed": sealed})
            return
        await connection.execute(insert(table).values(id=tenure, settings_sealed=sealed, version=1))

    async def _present(self, connection: AsyncConnection, tenure: UUID) -> tuple[Reach, int]:
        row = (await connection.execute(select(table).where(table.c.id == tenure))).one_or_none()
        if row is None:
            return UNSET, 0
        return decoded(self._fields.open(row.settings_sealed, _cell(tenure))), row.version


def opened(fields: FieldKey, tenure: UUID, sealed: bytes | None) -> Reach:
    """For the exchange's own working copy."""
    return UNSET if sealed is None else decoded(fields.open(sealed, _cell(tenure)))


def decoded(text: str) -> Reach:
    return msgspec.json.decode(text, type=Reach)


def _cell(tenure: UUID) -> Cell:
    return Cell("reach", "settings", tenure)


def _state(tenure: UUID, reach: Reach) -> dict[str, Any]:
    return {"tenure": str(tenure), **msgspec.to_builtins(reach)}


def _is_over(until: int | None, now: int) -> bool:
    return until is not None and until <= now
