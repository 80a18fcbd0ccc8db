"""With the database gone at a start callers reach voicemail all the same: they hear the greeting
that its owner recorded, and what they say is kept until the database is back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx.voicemail.greeting_copy import GreetingCopy
from pbx.voicemail.greeting_file import GreetingFile
from storage.database import Database
from storage.messages import MessageState
from tests.support.calling import database
from tests.support.message_exchange import MessageExchange
from tests.support.voicemail_calls import HERTZ, past_beep, sign_in

__all__ = ["database"]
OWN = 450.0


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database) as running:
        yield running


async def record_greeting(exchange: MessageExchange) -> None:
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.prompted("vm-none")
        bob.press("*")
        await bob.prompted("vm-settings")
        bob.press("1")
        await past_beep(bob)
        await bob.say(OWN, 1.5)
        bob.press("#")
        await bob.prompted("vm-keep")
        assert await exchange.office.recovery.run()  # which takes it for nothing left behind
        assert len(exchange.files) == 1
        bob.press("1")
        await bob.prompted("vm-done")
        await bob.hang_up()


async def test_callers_hear_the_greeting_and_leave_a_message_without_the_database(
    exchange: MessageExchange, tmp_path: Path
) -> None:
    await record_greeting(exchange)
    here, nowhere = (
        exchange.database.engine,
        Database.connect(f"sqlite:///{tmp_path / 'gone' / 'pbx.db'}"),
    )
    exchange.database.engine = nowhere.engine
    file = GreetingFile(exchange.folder / "greetings.sealed", bytes(32))
    exchange.office.greetings = GreetingCopy(exchange.database, file)
    assert exchange.office.greetings.count == 0
    await exchange.office.greetings.refresh()  # as at the start
    assert exchange.office.greetings.of(exchange.mailbox()).personal is not None

    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await caller.hears(OWN, 0.6)
        await past_beep(caller)
        await caller.say(HERTZ, 1.5)
        await caller.hang_up()
    async with asyncio.timeout(60):
        while not exchange.office.deposits.waiting:  # noqa: ASYNC110 - many causes
            await asyncio.sleep(0.05)
    exchange.database.engine = here
    await nowhere.close()
    await exchange.office.deposits.idle()
    await exchange.committer.retry()
    await exchange.office.chores()

    [message] = await exchange.kept()
    assert message.state is MessageState.NEW
    assert 1_200 < message.milliseconds < 2_600
