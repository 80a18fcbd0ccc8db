"""What a mailbox's owner meets when something goes wrong meanwhile: a message is deleted by
somebody else, key holder or disk go away, a phone is put down in the middle of any menu."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from storage import messages
from storage.database import Database
from storage.errors import StorageError
from storage.keyholder.protocol import Edge, SessionView
from storage.messages import Message, MessageState
from storage.retention import Due
from tests.support.calling import database
from tests.support.disk_shim import environment
from tests.support.keyholder import evidence
from tests.support.message_exchange import PIN, Caller, MessageExchange
from tests.support.voicemail_calls import HERTZ, do, leave, past_beep, sign_in, to_beep

pytestmark = pytest.mark.usefixtures("nothing_in_clear")

__all__ = ["database"]

OWN = 450.0
"""What an owner says."""


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        yield running


async def heard(exchange: MessageExchange) -> int:
    return (await exchange.ledger_actions()).count("message.heard")


@contextmanager
def unmounted(exchange: MessageExchange) -> Iterator[None]:
    """The disk of messages is not there."""
    path = exchange.store / "messages"
    away = path.rename(path.with_name("away"))
    try:
        yield
    finally:
        away.rename(path)


async def test_what_somebody_else_deletes_meanwhile_is_heard_no_more(
    exchange: MessageExchange,
) -> None:
    for _ in range(2):
        await leave(exchange, seconds=1.1)
    await exchange.office.chores()
    first, second = await exchange.kept()
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 0.3)
        before = await heard(exchange)
        await do(exchange, messages.delete, second.id, "owner")
        bob.press("#")
        await bob.prompted("vm-fault")
        assert await heard(exchange) == before, "it is not even asked for"
        await bob.prompted("vm-keys")
        bob.press("3")  # it is deleted already, and not brought back by a key pressed too often
        await bob.prompted("vm-fault")
        await bob.prompted("vm-no-more")
        await destroyed(exchange, first)  # which our rows do not know
        bob.press("1")
        await bob.prompted("vm-fault")
        await do(exchange, messages.delete, first.id, "owner")
        bob.press("2")
        await bob.prompted("vm-fault")
        await bob.prompted("vm-no-more")
        await bob.hang_up()
    assert {one.state for one in await exchange.kept()} == {MessageState.DELETED}
    assert [record.cause for record in await exchange.over()][-1] == "caller-hung-up"


async def destroyed(exchange: MessageExchange, message: Message) -> None:
    """At the key holder, whatever our rows say."""
    session = exchange.people["ben"].session
    await exchange.keyholder.destroy_message(message.id, "a wish", None, evidence(), session)


async def test_a_message_that_is_brought_back_is_not_destroyed_and_one_that_is_destroyed_not_back(
    exchange: MessageExchange,
) -> None:
    await leave(exchange, seconds=1.1)
    await exchange.office.chores()
    [message] = await exchange.kept()
    purge = exchange.office.purge
    exchange.house.time.pass_(40 * 86_400)
    due = Due(message.id, message.mailbox, message.content, "a rule")
    await do(exchange, messages.delete, message.id, "owner")

    await do(exchange, purge.undelete, message.id)  # after it was found due
    assert not await purge.destroy(due)
    assert [one.state for one in await exchange.kept()] == [MessageState.NEW]

    await do(exchange, messages.delete, message.id, "owner")
    destroying = asyncio.create_task(purge.destroy(due))
    while purge.destroying is None:  # noqa: ASYNC110 - it begins in this turn or the next
        await asyncio.sleep(0)
    with pytest.raises(StorageError, match="being destroyed"):
        await do(exchange, purge.undelete, message.id)
    assert await destroying
    assert [one.state for one in await exchange.kept()] == [MessageState.DESTROYED]


async def test_the_key_holder_goes_away_while_somebody_listens(exchange: MessageExchange) -> None:
    for _ in range(2):
        await leave(exchange, seconds=1.1)
    await exchange.office.chores()
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 0.3)
        await exchange.edges.pop(Edge.WORKER).stop()  # from the worker alone
        bob.press("#")
        await bob.prompted("vm-fault")
        await bob.prompted("vm-keys")
        await exchange.edges.pop(Edge.EXCHANGE).stop()
        bob.press("1")
        await bob.prompted("vm-away")
        await asyncio.wait_for(bob.call.ended.wait(), 60)
    await exchange.key_holder_back()
    async with exchange.calling("bob", "*97") as bob:
        bob.speak()
        await bob.prompted("vm-pin")
        await exchange.edges.pop(Edge.EXCHANGE).stop()
        bob.press(PIN + "#")
        await bob.prompted("vm-away")
        await asyncio.wait_for(bob.call.ended.wait(), 60)
    await exchange.key_holder_away()
    await exchange.key_holder_back()
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 0.5)
        await bob.hang_up()
    causes = [record.cause for record in await exchange.over()]
    assert causes[-3:] == [*2 * ["messages-away"], "caller-hung-up"]


async def test_without_the_disk_of_messages_a_listener_is_told_and_goes_on(
    exchange: MessageExchange,
) -> None:
    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await to_beep(caller)
        await caller.say(HERTZ, 1.1)
        caller.press("#")
        await caller.prompted("vm-review")
        with unmounted(exchange):
            caller.press("2")  # what was said is not there to be heard
            await caller.prompted("vm-fault")
        await caller.prompted("vm-review")
        caller.press("1")
        await caller.prompted("vm-left")
        await caller.hang_up()
    await exchange.kept()
    await exchange.office.chores()
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 0.3)
        with unmounted(exchange):
            await to_whom(bob, "1001#")
            bob.press("1")  # with a comment
            await bob.prompted("vm-record")
            await bob.prompted("vm-not-possible")
            await to_whom(bob, "1001#")
            bob.press("#")  # without one
            await bob.prompted("vm-fault")
            bob.press("*")
            await bob.prompted("vm-settings")
            bob.press("1")
            await bob.prompted("vm-record")
            await bob.prompted("vm-fault")
            await bob.prompted("vm-settings")
            bob.press("#")
            await bob.prompted("vm-damaged")
        spool, exchange.office.watch.spool = exchange.office.watch.spool, None
        await exchange.office.watch.look_at_disk()
        bob.press("1")
        await bob.hears(HERTZ, 0.3)
        spool = exchange.office.watch.spool
        assert spool is not None
        exchange.office.watch.spool = msgspec.structs.replace(spool, is_full=True)
        await to_whom(bob, "1001#", "vm-not-possible")
        exchange.office.watch.spool = spool
        await to_whom(bob, "1001#")
        bob.press("#")
        await bob.prompted("vm-sent")
        await bob.hang_up()
    await exchange.over()
    await exchange.office.chores()
    assert len(await exchange.kept("1001")) == 1
    assert len(exchange.files) == 2
    assert exchange.office.deposits.log.open_ == {}


async def to_whom(bob: Caller, number: str, then: str = "vm-comment") -> None:
    bob.press("8")
    await bob.prompted("vm-whom")
    bob.press(number)
    await bob.prompted(then)


KEYS = {
    "comment": "8",
    "greeting": "*1",
    "vm-keep": "*1",
    "vm-new-pin": "*4",
    "vm-deleted": "3",
}
"""What leads to each, in the end to a message that is deleted."""


async def test_whoever_hangs_up_in_a_menu_is_signed_out_and_leaves_nothing_behind(
    exchange: MessageExchange,
) -> None:
    await leave(exchange, seconds=1.1)
    await exchange.office.chores()
    for where in KEYS:
        async with exchange.calling("bob", "*97") as bob:
            await sign_in(bob)
            await bob.hears(HERTZ, 0.1)
            await into(bob, where)
            await bob.hang_up()
        async with asyncio.timeout(60):
            while await by_phone(exchange):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.05)
    await exchange.office.deposits.idle()
    async with asyncio.timeout(60):
        while len(exchange.files) > 1:  # noqa: ASYNC110 - a worker removes them
            await asyncio.sleep(0.1)
    assert await exchange.kept("1001") == []
    assert exchange.office.deposits.log.open_ == {}
    spoken = exchange.office.greetings.of(exchange.mailbox())
    assert (spoken.personal, spoken.name) == (None, None)
    [message] = await exchange.kept()
    assert message.state is MessageState.DELETED


async def by_phone(exchange: MessageExchange) -> list[SessionView]:
    sessions = await exchange.keyholder.sessions(exchange.people["ben"].id)
    return [one for one in sessions if one.kind == "phone"]


async def into(bob: Caller, where: str) -> None:
    """By the keys of an owner, up to the moment named."""
    first = KEYS[where][0]
    bob.press(first)
    match first:
        case "8":
            await bob.prompted("vm-whom")
            bob.press("1001#")
            await bob.prompted("vm-comment")
            bob.press("1")
            await past_beep(bob)
        case "3":
            await bob.prompted("vm-deleted")
        case "*":
            await bob.prompted("vm-settings")
            bob.press(KEYS[where][1:])
            if where in ("greeting", "vm-keep"):
                await past_beep(bob)
                await bob.say(OWN, 0.6)
            if where == "vm-keep":
                bob.press("#")
            if where == "vm-new-pin":
                await bob.prompted("vm-pin")
                bob.press(PIN + "#")
            if where != "greeting":
                await bob.prompted(where)


async def test_a_greeting_takes_the_place_of_the_one_before_and_a_wrong_pin_changes_none(
    exchange: MessageExchange,
) -> None:
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.prompted("vm-none")
        bob.press("*")
        for _ in range(2):
            await bob.prompted("vm-settings")
            bob.press("1")
            await past_beep(bob)
            await bob.say(OWN, 0.6)
            bob.press("#")
            await bob.prompted("vm-keep")
            with unmounted(exchange):
                bob.press("2")
                await bob.prompted("vm-fault")
            await bob.prompted("vm-keep")
            bob.press("1")
            await bob.prompted("vm-done")
        await bob.prompted("vm-settings")
        bob.press("3")
        await bob.prompted("vm-choose")
        bob.press("9")  # no choice
        await bob.prompted("vm-settings")
        bob.press("4")
        for prompt, entered in (("vm-pin", "111222"), ("vm-new-pin", "480263")):
            await bob.prompted(prompt)
            bob.press(entered + "#")
        await bob.prompted("vm-new-pin-again")
        bob.press("480263#")
        await bob.prompted("vm-refused")
        await bob.hang_up()
    await exchange.over()
    await exchange.office.chores()
    assert len(exchange.files) == 1


async def test_what_was_said_before_the_disk_failed_is_kept_and_the_caller_told(
    open_path: Path, database: Database
) -> None:
    exchange = MessageExchange(open_path, database)
    exchange.workers[0].environment |= environment(full_at=8)
    async with exchange:
        async with exchange.calling("alice", "*981002") as caller:
            caller.speak()
            await to_beep(caller)
            caller.speak(HERTZ)
            await caller.prompted("vm-not-possible")
            await asyncio.wait_for(caller.call.ended.wait(), 60)
        [message] = await exchange.kept()
        assert not message.is_complete
        assert message.milliseconds >= 500
        await exchange.office.chores()
        async with exchange.calling("bob", "*97") as bob:
            await sign_in(bob)
            await bob.prompted("vm-cut")
            await bob.hears(HERTZ, message.milliseconds / 2_000)
            await bob.hang_up()
