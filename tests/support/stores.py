"""The stores of people and phones over a fresh database, driven as a service would drive them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy import select

from storage.database import Database
from storage.deeds import Deed
from storage.devices import Devices
from storage.exceptions import Exceptions
from storage.extensions import Extensions
from storage.grants import Grants
from storage.groups import Groups
from storage.identifiers import new_id
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM, Actor
from storage.ledger.unit import Unit
from storage.mailboxes import SharedMailboxes
from storage.models.ledger import ledger
from storage.people import NewPerson, People
from storage.reach import Reaches
from storage.sealed.fields import FieldKey
from storage.sites import Sites
from tests.support.clock import HandClock

T = TypeVar("T")


@dataclass
class Stores:
    """Every store, one committer, one clock moved by hand."""

    database: Database
    committer: Committer
    clock: HandClock
    fields: FieldKey = field(default_factory=lambda: FieldKey(bytes(range(32)), "directory"))

    def __post_init__(self) -> None:
        self.people = People(self.fields)
        self.grants = Grants(self.fields)
        self.extensions = Extensions(self.fields)
        self.devices = Devices(self.fields)
        self.exceptions = Exceptions(self.fields)
        self.sites = Sites(self.fields)
        self.reaches = Reaches(self.fields)
        self.groups = Groups(self.fields)
        self.mailboxes = SharedMailboxes(self.fields)

    def deed(self, actor: Actor = SYSTEM) -> Deed:
        return Deed(actor, new_id(self.clock), self.clock())

    async def do(self, verb: Callable[..., Awaitable[T]], *arguments: Any, **named: Any) -> T:
        """Runs one verb in one unit of work."""
        deed = self.deed()

        async def work(unit: Unit) -> T:
            return await verb(unit, deed, *arguments, **named)

        return await self.committer.run(work)

    async def ask(self, question: Callable[..., Awaitable[T]], *arguments: Any, **named: Any) -> T:
        """A question that opens nothing and leaves no row."""
        async with self.database.read() as connection:
            return await question(connection, *arguments, **named)

    async def hire(self, login: str, kind: str = "staff", until: int | None = None) -> UUID:
        person = new_id(self.clock)
        new = NewPerson(id=person, login=login, name=f"Name of {login}", kind=kind, until=until)
        await self.do(self.people.add, new)
        return person

    async def rows(self) -> list[Any]:
        async with self.database.read() as connection:
            return list(
                (await connection.execute(select(ledger).order_by(ledger.c.sequence))).all()
            )

    async def actions(self) -> list[str]:
        return [row.action for row in await self.rows()]


@pytest.fixture
async def stores(database: Database) -> AsyncIterator[Stores]:
    clock = HandClock()
    async with Committer(database, "exchange", clock=clock) as committer:
        yield Stores(database, committer, clock)
