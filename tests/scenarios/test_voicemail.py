"""Messages are left, lit, heard, sent on and destroyed: lean phones, real worker and key holder."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database
from storage.messages import MessageState
from tests.support.calling import database
from tests.support.mailroom import FRAME
from tests.support.message_exchange import MessageExchange
from tests.support.rtp_phone import RtpPhone
from tests.support.voicemail_calls import HERTZ, leave, past_beep, sign_in, to_beep

__all__ = ["database"]


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        yield running


async def test_a_message_left_on_hanging_up_is_heard_by_its_owner_alone(
    exchange: MessageExchange,
) -> None:
    await leave(exchange, seconds=2.5)
    [message] = await exchange.kept()
    assert message.state is MessageState.NEW
    assert message.milliseconds > 2_200
    assert (message.is_complete, message.codec) == (True, "pcmu")

    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 1.5)
        bob.press("2")
        await bob.prompted("vm-saved-it")
        await bob.hang_up()

    [message] = await exchange.kept()
    assert message.state is MessageState.SAVED
    actions = await exchange.ledger_actions()
    assert actions.index("message.deposited") < actions.index("message.adopted")
    assert actions.index("session.opened") < actions.index("message.heard")


async def states(exchange: MessageExchange, number: str = "1002") -> list[MessageState]:
    return [message.state for message in await exchange.kept(number)]


async def until(condition: object, seconds: float = 60.0) -> None:
    """Until an awaitable question is answered with yes."""
    async with asyncio.timeout(seconds):
        while not await condition():  # type: ignore[operator]  # noqa: ASYNC110 - many causes
            await asyncio.sleep(0.05)


async def test_a_caller_hears_changes_and_takes_back_what_was_said(
    exchange: MessageExchange,
) -> None:
    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await to_beep(caller)
        await caller.say(HERTZ, 1.5)
        caller.press("#")  # enough
        await caller.prompted("vm-review")
        caller.press("2")  # hear it
        await caller.hears(HERTZ, 0.8)
        caller.press("3")  # again
        await past_beep(caller)
        await caller.say(500, 1.5)
        caller.press("#")
        await caller.prompted("vm-review")
        caller.press("4")  # urgent
        await caller.prompted("vm-urgent-on")
        caller.press("5")  # private
        await caller.prompted("vm-private-on")
        caller.press("1")  # leave it
        await caller.prompted("vm-left")
        await caller.hang_up()
    [message] = await exchange.kept()

    assert (message.is_urgent, message.is_private) == (True, True)
    assert len(exchange.files) == 1, "what was recorded again is gone"

    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await to_beep(caller)
        await caller.say(HERTZ, 1.3)
        caller.press("#")
        await caller.prompted("vm-review")
        caller.press("*")
        await caller.call.ended.wait()
    await exchange.kept()
    await exchange.office.chores()

    assert len(await exchange.kept()) == 1
    assert len(exchange.files) == 1


async def test_silence_ends_a_message(exchange: MessageExchange) -> None:
    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await to_beep(caller)
        await caller.say(HERTZ, 1.5)
        said = caller.sent
        await asyncio.wait_for(caller.call.ended.wait(), 60)
        silent = (caller.sent - said + caller.media.missed) * FRAME
    [message] = await exchange.kept()

    assert silent > 3.0, "three seconds of silence"
    assert 4_000 < message.milliseconds < 1000 * (1.9 + silent)


async def test_nobody_there_busy_or_declined_comes_to_the_mailbox(
    exchange: MessageExchange,
) -> None:
    for status in (486, 603, 480):
        async with exchange.phone("bob") as bob, exchange.phone("alice") as alice:
            media = RtpPhone()
            call = alice.invite("1002", media.sdp())
            (await bob.incoming.get()).refuse(status)
            media.read((await call.answered()).body)
            await call.bye()
            media.close()
    async with exchange.calling("alice", "1002") as caller:  # offline
        await caller.hang_up()
    records = await exchange.over()

    causes = {record.cause for record in records}
    assert all(record.outcome.value == "answered" for record in records)
    assert causes == {"caller-hung-up"}
    assert await exchange.kept() == []  # nobody said anything


async def test_what_was_left_while_the_key_holder_and_the_ledger_were_away_comes_home(
    exchange: MessageExchange,
) -> None:
    await exchange.key_holder_away()
    full = exchange.office.ground.committer
    async with exchange.database.begin():  # nobody else can write: SQLite has one writer
        async with exchange.calling("alice", "*981002") as caller:
            caller.speak()
            await to_beep(caller)
            await caller.say(HERTZ, 1.6)
            await caller.hang_up()
        await until(lambda: _waits(exchange), 30)
        assert "wait" in " ".join(exchange.office.alarms())
    await exchange.office.deposits.idle()
    await full.retry()
    await exchange.office.chores()
    [message] = await exchange.kept()
    assert message.adopted_at is None

    await exchange.key_holder_back()
    await exchange.office.chores()

    [message] = await exchange.kept()
    assert message.adopted_at is not None
    assert exchange.office.deposits.waiting == 0


async def test_a_wrong_pin_opens_nothing_and_a_phone_of_nobodys_is_refused(
    exchange: MessageExchange,
) -> None:
    await leave(exchange, seconds=1.5)
    async with exchange.calling("bob", "*97") as bob:
        bob.speak()
        for _ in range(3):
            await bob.prompted("vm-pin")
            bob.press("998877#")
        await asyncio.wait_for(bob.call.ended.wait(), 60)
    await exchange.lobby()
    async with exchange.calling("lobby", "*97") as lobby:
        lobby.speak()
        await asyncio.wait_for(lobby.call.ended.wait(), 60)

    assert await states(exchange) == [MessageState.NEW]
    records = {record.cause for record in await exchange.over()}
    assert {"not-signed-in", "not-here"} <= records
    actions = await exchange.ledger_actions()
    assert "message.heard" not in actions


async def test_delete_take_back_and_send_on(exchange: MessageExchange) -> None:
    await leave(exchange, seconds=1.5)
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 0.5)
        bob.press("3")
        await bob.prompted("vm-deleted")
        assert await states(exchange) == [MessageState.DELETED]
        bob.press("3")
        await bob.prompted("vm-undeleted")
        assert await states(exchange) == [MessageState.SAVED]
        await bob.hang_up()

    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 0.5)
        bob.press("8")
        await bob.prompted("vm-whom")
        bob.press("1001#")
        await bob.prompted("vm-comment")
        bob.press("#")
        await until(lambda: _has(exchange, "1001"))
        await bob.hang_up()
    [sent] = await exchange.kept("1001")
    [original] = await exchange.kept()
    assert sent.forwarded_from == original.id
    assert sent.content != original.content
    await exchange.office.chores()

    async with exchange.calling("alice", "*97") as alice:
        await sign_in(alice)
        await alice.hears(HERTZ, 0.8)
        await alice.hang_up()


async def _has(exchange: MessageExchange, number: str) -> bool:
    return bool(await exchange.kept(number))


async def test_a_crashed_worker_leaves_a_message_that_says_it_was_cut(
    exchange: MessageExchange,
) -> None:
    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await to_beep(caller)
        await caller.say(HERTZ, 3.4)
        await exchange.workers[0].kill()
        await caller.call.ended.wait()
    await exchange.workers[0].start()
    await exchange.office.deposits.idle()
    await until(lambda: _recorded(exchange, "message.interrupted"))
    [message] = await exchange.kept()
    assert not message.is_complete
    assert message.segments >= 2
    assert "message.interrupted" in await exchange.ledger_actions()
    await exchange.office.chores()

    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 1.5)
        await bob.hang_up()


async def test_one_flipped_bit_is_refused_recorded_and_harms_no_other_message(
    exchange: MessageExchange,
) -> None:
    await leave(exchange, seconds=1.5)
    [broken] = exchange.files
    await leave(exchange, seconds=1.5)
    data = bytearray(broken.read_bytes())
    data[len(data) // 2] ^= 4
    broken.chmod(0o600)
    broken.write_bytes(data)

    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.prompted("vm-damaged")
        assert await _recorded(exchange, "message.damaged")
        bob.press("#")
        await bob.hears(HERTZ, 0.8)
        await bob.hang_up()

    assert await states(exchange) == [MessageState.NEW, MessageState.SAVED]
    assert "damaged" in " ".join(exchange.office.alarms())


async def _waits(exchange: MessageExchange) -> bool:
    return exchange.office.deposits.waiting > 0


async def _recorded(exchange: MessageExchange, action: str) -> bool:
    return action in await exchange.ledger_actions()
