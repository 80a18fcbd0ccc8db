"""A week's deposit key goes when nothing depends on it: with key holder, ledger and messages."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pbx.voicemail.deposits import Deposits
from pbx.voicemail.spent_keys import SpentKeys
from storage import messages
from storage.database import Database
from storage.deeds import Deed
from storage.deposits import Begun, DepositLog
from storage.identifiers import new_id
from storage.keyholder import acts, protocol
from storage.keyholder.client import KeyHolder
from storage.keyholder.edges import REQUESTS, Edge, Place
from storage.keyholder.protocol import KeyList, PublicKeys
from storage.keyholder.records import KeyRow
from storage.keyholder.signing import SignedKey
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM
from storage.ledger.unit import Unit
from storage.messages import NewMessage
from storage.models.ledger import ledger
from storage.records import HourlyKeys
from tests.support.calling import database
from tests.support.keyholder import House, Someone

__all__ = ["database"]
WEEK = 7 * 86_400


@dataclass
class Desk:
    """Two mailboxes with a key each; `spent.run` is what the exchange does every hour."""

    house: House
    database: Database
    committer: Committer
    edge: Edge
    admin: Someone
    deposits: Deposits
    spent: SpentKeys
    keys: list[SignedKey] = field(default_factory=list)

    async def opens(self) -> None:
        mailbox = uuid4()
        await self.house.done(self.admin, acts.OpenTenure(mailbox, uuid4(), self.admin.id))
        found = await self.house.ask(PublicKeys("deposit", mailbox), KeyList)
        self.keys.append(found.keys[0])

    async def starts(self) -> None:
        await self.opens()
        await self.opens()
        self.deposits.needs_recovery = False

    def are_held(self) -> list[bool]:
        store = self.house.core.store
        return [store.get(KeyRow, key.id) is not None for key in self.keys]

    async def left(self, key: SignedKey) -> UUID:
        """A message, as a deposit leaves it."""
        message = uuid4()
        assert key.mailbox is not None
        new = NewMessage(
            id=message, mailbox=key.mailbox, content=message.bytes, deposit_key=key.id,
            slot=b"slot", codec="pcmu", milliseconds=500, octets=4_000, segments=1,
            digest=bytes(32), received_at=self.house.time.wall,
        )  # fmt: skip
        await self.run(lambda unit, deed: messages.deposit(unit, deed, new, None, None))
        return message

    async def run(self, verb: Callable[[Unit, Deed], Awaitable[object]]) -> None:
        clock = self.house.time.wall_clock
        deed = Deed(SYSTEM, new_id(clock), clock())
        await self.committer.run(lambda unit: verb(unit, deed))

    async def rows(self) -> list[tuple[str, UUID]]:
        """Outcome and mailbox of each row about a key."""
        async with self.database.read() as connection:
            found = (await connection.execute(ledger.select())).all()
        return [
            (row.outcome, row.subject_id) for row in found if row.action == "deposit_key.destroyed"
        ]


@pytest.fixture
async def desk(open_path: Path, database: Database) -> AsyncIterator[Desk]:
    house = House(open_path / "keys")
    admin = await house.administrator()
    clock = house.time.wall_clock
    place = Place(open_path / "exchange.sock", frozenset({os.getuid()}))
    edge = Edge(place, REQUESTS[protocol.Edge.EXCHANGE], house.holder.answer)
    await edge.start()
    keyholder = KeyHolder(place.path)
    async with Committer(database, "exchange", clock=clock) as committer:
        log = DepositLog.open(open_path / "deposits.log")
        hourly = HourlyKeys(b"", lambda: None, clock)
        deposits = Deposits(log, committer, hourly, clock, lambda content: None)
        spent = SpentKeys(database, committer, keyholder, deposits, clock)
        made = Desk(house, database, committer, edge, admin, deposits, spent)
        await made.starts()
        yield made
        await log.close()
    await keyholder.close()
    await edge.stop()
    house.close()


async def test_a_key_goes_a_week_after_its_week_with_a_row_before_and_after(desk: Desk) -> None:
    until = desk.keys[0].until
    desk.house.time.pass_((until - desk.house.time.wall) / 1_000_000 + WEEK - 1)
    assert await desk.spent.run() == 0
    desk.house.time.pass_(1)

    assert await desk.spent.run() == 2

    assert desk.are_held() == [False, False]
    rows = await desk.rows()
    assert [outcome for outcome, _ in rows] == ["intended", "done"] * 2
    assert {mailbox for _, mailbox in rows} == {key.mailbox for key in desk.keys}
    assert await desk.spent.run() == 0


async def test_a_key_that_a_message_waits_for_stays(desk: Desk) -> None:
    """Whatever the key holder would let go: only we know what it was not shown yet."""
    first = desk.keys[0]
    message = await desk.left(first)
    desk.house.time.pass_(2 * WEEK)

    assert await desk.spent.run() == 1

    assert desk.are_held() == [True, False]
    await desk.run(lambda unit, deed: messages.adopted(unit, deed, message, b"own"))
    assert await desk.spent.run() == 1
    assert desk.are_held() == [False, False]


async def test_no_key_goes_while_files_may_have_no_row_or_the_log_is_open(desk: Desk) -> None:
    mailbox = desk.keys[1].mailbox
    assert mailbox is not None
    begun = Begun(message=uuid4(), mailbox=mailbox, content=bytes(16), received_at=1)
    desk.house.time.pass_(2 * WEEK)
    desk.deposits.needs_recovery = True
    assert await desk.spent.run() == 0
    desk.deposits.needs_recovery = False
    await desk.deposits.log.append(begun)

    assert await desk.spent.run() == 1

    assert desk.are_held() == [False, True]


class Hasty(KeyHolder):
    """Names keys that are held by now, as if a legal hold had come in between."""

    named: tuple[SignedKey, ...] = ()

    async def spent_keys(self) -> tuple[SignedKey, ...]:
        return self.named or await super().spent_keys()


async def test_a_refusal_has_its_row_and_an_absent_key_holder_is_asked_another_time(
    desk: Desk, open_path: Path
) -> None:
    hasty = Hasty(open_path / "exchange.sock")
    spent = SpentKeys(
        desk.database, desk.committer, hasty, desk.deposits, desk.house.time.wall_clock
    )
    hasty.named = tuple(desk.keys[:1])

    assert await spent.run() == 0

    assert [outcome for outcome, _ in await desk.rows()] == ["intended", "refused"]
    assert desk.are_held() == [True, True]
    hasty.named = ()
    desk.house.time.pass_(2 * WEEK)
    await desk.edge.stop()
    assert await spent.run() == 0
    await hasty.close()
