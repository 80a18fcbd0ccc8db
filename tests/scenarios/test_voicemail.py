"""Messages are left, lit, heard, sent on and destroyed: lean phones, real worker and key holder."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database
from storage.messages import MessageState
from tests.support.calling import database
from tests.support.message_exchange import PIN, Caller, MessageExchange

__all__ = ["database"]
HERTZ = 700.0


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        yield running


async def leave(exchange: MessageExchange, number: str = "*981002", seconds: float = 2.5) -> None:
    """Say a tone into a mailbox and hang up."""
    async with exchange.calling("alice", number) as caller:
        caller.speak()
        await to_beep(caller)
        caller.speak(HERTZ)
        await asyncio.sleep(seconds)
        await caller.hang_up()
    await exchange.kept()


async def to_beep(caller: Caller) -> None:
    """Past the greeting (a key cuts each part short) and the beep."""
    await caller.press_slowly("1")
    await caller.hears(1000, 0.2)
    await asyncio.sleep(0.3)


async def test_a_message_left_on_hanging_up_is_heard_by_its_owner_alone(
    exchange: MessageExchange,
) -> None:
    await leave(exchange)
    [message] = await exchange.kept()
    assert message.state is MessageState.NEW
    assert 2_200 < message.milliseconds < 3_200
    assert (message.is_complete, message.codec) == (True, "pcmu")

    async with exchange.calling("bob", "*97") as bob:
        bob.speak()
        await asyncio.sleep(0.5)
        await bob.press_slowly(PIN + "#")
        await bob.hears(HERTZ, 2.0)
        await bob.press_slowly("2")
        await bob.hang_up()

    [message] = await exchange.kept()
    assert message.state is MessageState.SAVED
    actions = await exchange.ledger_actions()
    assert actions.index("message.deposited") < actions.index("message.adopted")
    assert actions.index("session.opened") < actions.index("message.heard")
