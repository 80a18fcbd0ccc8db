"""A rehearsal: two people who do not exist, one after the other on a number nobody can have.

Everything is made by the exchange's own stores on the live database, inside a savepoint that is
rolled back whatever happens: nobody else ever sees it, and nothing has to be removed. The first
one leaves something in every table that hangs on a tenure or a mailbox; then the number changes
hands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from pbx.admin.plane import Plane
from pbx.directory import Directory
from pbx.directory_keeper import entries_of
from storage import calls, greetings, messages, phonebook, sign_ins, tenures
from storage.calls import CallOutcome, CallRecord, Parties
from storage.deeds import Deed
from storage.devices import Place
from storage.greetings import Greeting, GreetingChoice, GreetingKind
from storage.identifiers import new_id
from storage.keyholder.acts import Role
from storage.keyholder.records import Grant, Mailbox, Person, Standing
from storage.ledger.entry import SYSTEM
from storage.ledger.unit import Unit
from storage.messages import NewMessage
from storage.people import NewPerson
from storage.phones import Phones
from storage.reach import Change
from storage.sealed import primitives
from storage.sign_ins import SignedIn, Why
from storage.tenures import NewTenure, Tenure

NAME = "isolation proof"
"""What everything of a rehearsal is called."""


@dataclass(frozen=True, slots=True)
class Scene:
    """After the number has changed hands."""

    unit: Unit
    """Whose rows are thrown away."""
    deed: Deed
    number: str
    old: Tenure
    new: Tenure
    phone: UUID
    """Rings for the number."""
    shared: UUID
    """A shared phone on which the former holder had signed in."""
    directory: Directory
    now: int

    @property
    def connection(self) -> AsyncConnection:
        return self.unit.connection

    def boxes(self) -> tuple[Mailbox, Mailbox]:
        """Both mailboxes as the key holder has them after such a change."""
        old = Mailbox(self.old.mailbox, self.old.id, self.old.person, self.now, closed=self.now)
        return old, Mailbox(self.new.mailbox, self.new.id, self.new.person, self.now)

    def person(self, tenure: Tenure, role: Role) -> Person:
        """One of the two as the key holder would have them, with a role in force."""
        grant = Grant(tenure.id, role, self.now, None, None, None)
        return Person(tenure.person, NAME, Standing.ACTIVE, self.now, grants=(grant,))


@asynccontextmanager
async def rehearsed(unit: Unit, plane: Plane, phones: Phones) -> AsyncIterator[Scene]:
    """Undone at the end, also of whatever fails."""
    nested = await unit.connection.begin_nested()
    try:
        yield await _played(Unit(unit.connection), plane, phones)
    finally:
        await nested.rollback()


async def _played(unit: Unit, plane: Plane, phones: Phones) -> Scene:
    now = plane.clock()
    deed = Deed(SYSTEM, new_id(plane.clock), now)
    extension = new_id(plane.clock)
    number = f"#{extension.int % 10**24}"  # no extension begins with a hash
    await plane.extensions.add(unit, deed, extension, number)
    old = await _assigned(unit, deed, plane, extension, 1)
    phone = await _phone(unit, deed, plane, phones)
    await plane.devices.assign(unit, deed, phone, 1, extension)
    shared = await _phone(unit, deed, plane, phones)
    await plane.devices.share(unit, deed, shared, 1, True)
    await _leave_traces(unit, deed, plane, old, shared)
    new = await _assigned(unit, deed, plane, extension, 2)
    book = await phonebook.read(unit.connection, plane.fields, phones, now)
    directory = Directory(entries_of(book, now), {shared: old.id})
    ended = await tenures.get(unit.connection, old.id)
    return Scene(unit, deed, number, ended, new, phone, shared, directory, now)


async def _assigned(unit: Unit, deed: Deed, plane: Plane, extension: UUID, version: int) -> Tenure:
    """To somebody who never was and never will be."""
    person, tenure = new_id(plane.clock), new_id(plane.clock)
    name = f"{NAME} {person}"
    await plane.people.add(unit, deed, NewPerson(id=person, login=name, name=name, kind="staff"))
    new = NewTenure(id=tenure, extension=extension, person=person, mailbox=new_id(plane.clock))
    await plane.extensions.assign(unit, deed, new, version)
    return await tenures.get(unit.connection, tenure)


async def _phone(unit: Unit, deed: Deed, plane: Plane, phones: Phones) -> UUID:
    device = new_id(plane.clock)
    await plane.devices.add(unit, deed, device, f"{NAME} {device}", Place.PRIVATE)
    await phones.enrol(unit, deed, device, f"isolation-proof-{device}")
    return device


async def _leave_traces(unit: Unit, deed: Deed, plane: Plane, old: Tenure, shared: UUID) -> None:
    """What somebody leaves behind: one row in each table."""
    now = deed.at
    await messages.deposit(unit, deed, _message(plane, old.mailbox, now), None, None)
    await greetings.put(unit, deed, _greeting(plane, old.mailbox, now))
    await greetings.choose(unit, deed, old.mailbox, GreetingChoice.PERSONAL)
    await plane.holds.place(unit, deed, new_id(plane.clock), old.mailbox, NAME, old.person)
    await plane.reaches.change(unit, deed, old.person, Change(when=None, is_on=True))
    seat = SignedIn(
        id=new_id(plane.clock), device=shared, person=old.person, tenure=old.id, since=now
    )
    await sign_ins.begin(unit, deed, seat)
    await sign_ins.end(unit, deed, seat, Why.GONE)
    await calls.write(unit.connection, [_call(plane, old, now)], None)


def _message(plane: Plane, mailbox: UUID, now: int) -> NewMessage:
    return NewMessage(
        id=new_id(plane.clock), mailbox=mailbox, content=primitives.random(16),
        deposit_key=new_id(plane.clock), slot=b"none", codec="pcmu", milliseconds=1, octets=1,
        segments=1, digest=primitives.random(32), received_at=now,
    )  # fmt: skip


def _greeting(plane: Plane, mailbox: UUID, now: int) -> Greeting:
    return Greeting(
        new_id(plane.clock), mailbox, GreetingKind.PERSONAL, primitives.random(16), "pcmu", 1, 1,
        primitives.random(32), now,
    )  # fmt: skip


def _call(plane: Plane, old: Tenure, now: int) -> CallRecord:
    return CallRecord(
        id=new_id(plane.clock), started_at=now, answered_at=None, ended_at=now, route="none",
        outcome=CallOutcome.FAILED, cause=NAME, is_emergency=False, caller_device=old.id,
        caller_person=old.person, callee_tenure=old.id, parties=Parties(), legs=(),
    )  # fmt: skip
