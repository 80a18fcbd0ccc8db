"""Messages heard away from one's own phone, where the place allows it; PINs that have expired."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from storage import policies
from storage.database import Database
from storage.deeds import Deed
from storage.keyholder import acts
from storage.keyholder.clock import DAY, SECOND
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.protocol import Origin
from storage.ledger.entry import SYSTEM
from tests.support.calling import database
from tests.support.exchange import clock
from tests.support.keyholder import House
from tests.support.message_exchange import PIN, Caller, MessageExchange
from tests.support.voicemail_calls import HERTZ, leave

__all__ = ["database"]


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database) as running:
        await running.lobby()
        yield running


async def allow(exchange: MessageExchange, what: str) -> None:
    """A policy of lobbies is switched on."""
    deed = Deed(SYSTEM, uuid4(), clock())
    switch = partial(
        policies.set_value, deed=deed, name=f"voicemail-{what}-lobby", version=0, value=1,
        until=None, new=uuid4(),
    )  # fmt: skip
    await exchange.committer.run(switch)


async def typed(caller: Caller, prompt: str, keys: str) -> None:
    await caller.prompted(prompt)
    await caller.press_slowly(keys + "#")


async def test_a_lobby_lets_nobody_in_until_its_policy_says_so(exchange: MessageExchange) -> None:
    await leave(exchange)
    async with exchange.calling("lobby", "*97") as lobby:
        lobby.speak()
        await lobby.prompted("vm-not-here")
        await asyncio.wait_for(lobby.call.ended.wait(), 60)
    await allow(exchange, "login")
    async with exchange.calling("lobby", "*97") as lobby:
        lobby.speak()
        await typed(lobby, "vm-number", "7777")  # nobody's, which is not said
        await typed(lobby, "vm-pin", PIN)
        await lobby.prompted("vm-refused")
        await lobby.prompted("vm-pin")
        lobby.press("*")  # somebody else
        await typed(lobby, "vm-number", "1002")
        await typed(lobby, "vm-pin", PIN)
        await lobby.hears(HERTZ, 0.5)
        await lobby.hang_up()


async def test_where_a_place_asks_for_a_second_factor_a_pin_opens_nothing(
    exchange: MessageExchange,
) -> None:
    ben = exchange.people["ben"]
    await leave(exchange)
    await allow(exchange, "login")
    await allow(exchange, "second-factor")
    async with exchange.calling("lobby", "*97") as lobby:
        lobby.speak()
        await typed(lobby, "vm-number", "1002")
        await typed(lobby, "vm-pin", PIN)
        await typed(lobby, "vm-code", "000000")
        await lobby.prompted("vm-refused")
        await typed(lobby, "vm-pin", PIN)
        code = exchange.house.code(ben)
        await typed(lobby, "vm-code", code)
        await lobby.hears(HERTZ, 0.5)
        await lobby.hang_up()
    async with exchange.calling("lobby", "*97") as lobby:
        lobby.speak()
        await typed(lobby, "vm-number", "1002")
        await typed(lobby, "vm-pin", PIN)
        await typed(lobby, "vm-code", code)  # it was good once
        await lobby.prompted("vm-refused")
        await lobby.hang_up()
    async with exchange.calling("bob", "*97") as bob:  # on his own phone the PIN is enough
        bob.speak()
        await typed(bob, "vm-pin", PIN)
        await bob.hears(HERTZ, 0.5)
        await bob.hang_up()


async def test_a_pin_that_has_expired_is_changed_before_anything_is_heard(
    open_path: Path, database: Database
) -> None:
    exchange, new = MessageExchange(open_path, database), "480263"
    exchange.rules = KeyHolderConfig(pin_days=30)
    async with exchange:
        await leave(exchange)
        async with exchange.calling("bob", "*97") as bob:
            bob.speak()
            await typed(bob, "vm-pin", PIN)
            await bob.hears(HERTZ, 0.5)
            await bob.hang_up()
        exchange.house.time.pass_(30 * DAY / SECOND)
        before = (await exchange.ledger_actions()).count("message.heard")
        async with exchange.calling("bob", "*97") as bob:
            bob.speak()
            await typed(bob, "vm-pin", PIN)
            await bob.prompted("vm-pin-expired")
            for entered in (PIN, "123456"):  # too easy
                await typed(bob, "vm-pin", PIN)
                await typed(bob, "vm-new-pin", entered)
                await typed(bob, "vm-new-pin-again", entered)
                await bob.prompted("vm-weak-pin")
            assert (await exchange.ledger_actions()).count("message.heard") == before
            await typed(bob, "vm-pin", PIN)
            await typed(bob, "vm-new-pin", new)
            await typed(bob, "vm-new-pin-again", new)
            await bob.hears(HERTZ, 0.5)
            await bob.hang_up()
        async with exchange.calling("bob", "*97") as bob:
            bob.speak()
            await typed(bob, "vm-pin", new)
            await bob.hears(HERTZ, 0.5)
            await bob.hang_up()


async def test_the_person_is_told_that_somebody_guessed(exchange: MessageExchange) -> None:
    ben = exchange.people["ben"]
    await guess(exchange.house, exchange)
    admin = exchange.people["admin"]
    await exchange.house.done(admin, acts.LiftLock(ben.id))
    async with exchange.calling("bob", "*97") as bob:
        bob.speak()
        await typed(bob, "vm-pin", PIN)
        await bob.prompted("vm-was-locked")
        await bob.prompted("vm-none")
        await bob.hang_up()
    async with exchange.calling("bob", "*97") as bob:  # once
        bob.speak()
        await typed(bob, "vm-pin", PIN)
        assert await bob.prompted("vm-was-locked", "vm-none") == "vm-none"
        await bob.hang_up()


async def test_whoever_hangs_up_at_the_news_is_signed_out(exchange: MessageExchange) -> None:
    ben = exchange.people["ben"]

    async def is_in() -> bool:
        return any(one.kind == "phone" for one in await exchange.keyholder.sessions(ben.id))

    await guess(exchange.house, exchange)
    await exchange.house.done(exchange.people["admin"], acts.LiftLock(ben.id))
    async with exchange.calling("bob", "*97") as bob:
        bob.speak()
        await bob.prompted("vm-pin")
        bob.press(PIN + "#")
        while "session.opened" not in await exchange.ledger_actions():  # noqa: ASYNC110 - intended
            await asyncio.sleep(0.001)
        await bob.hang_up()
    await exchange.over()

    assert not await is_in()
    assert (await exchange.ledger_actions()).count("session.ended") == 1


async def guess(house: House, exchange: MessageExchange) -> None:
    """From so many phones that the person is locked."""
    act = acts.PhoneLogIn(exchange.people["ben"].id)
    for number in range(house.config.failures):
        await house.perform(act, origin=Origin(f"phone {number}", "10.0.0.1"), pin="998877")
