"""A phone that sends its keys in SIP INFO: heard by menus, never while a PIN is entered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database
from storage.messages import MessageState
from tests.support.calling import database, talking
from tests.support.message_exchange import PIN, Caller, MessageExchange
from tests.support.voicemail_calls import HERTZ, leave, past_beep

__all__ = ["database"]

BARE, RELAY = "application/dtmf", "application/dtmf-relay"


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        yield running


async def signal(caller: Caller, key: str, kind: str = RELAY) -> int:
    """Press a key in signalling; how that is answered."""
    body = key if kind == BARE else f"Signal={key}\r\nDuration=160\r\n"
    info = caller.call.message("INFO", body.encode())
    info.headers.set("Content-Type", kind)
    return (await caller.call.ask(info)).status


async def test_a_message_is_left_changed_and_saved_by_keys_in_signalling(
    exchange: MessageExchange, capsys: pytest.CaptureFixture[str]
) -> None:
    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await caller.prompted("vm-unavailable")
        assert await signal(caller, "1") == 200
        await past_beep(caller)
        await caller.say(HERTZ, 1.5)
        assert await signal(caller, "#", BARE) == 200
        await caller.prompted("vm-review")
        assert await signal(caller, "4") == 200  # urgent
        await caller.prompted("vm-urgent-on")
        assert await signal(caller, "?") == 400
        assert await signal(caller, "1", "application/sdp") == 415
        assert await signal(caller, "1") == 200
        await caller.call.ended.wait()

    [message] = await exchange.kept()
    assert (message.is_urgent, message.is_complete) == (True, True)
    assert "Signal=" not in "".join(capsys.readouterr())


async def test_a_pin_in_signalling_is_refused_and_opens_nothing(
    exchange: MessageExchange,
) -> None:
    await leave(exchange)
    async with exchange.calling("bob", "*97") as bob:
        bob.speak()
        await bob.prompted("vm-pin")
        for kind in (RELAY, BARE):
            assert {await signal(bob, key, kind) for key in PIN + "#"} == {415}
        assert "session.opened" not in await exchange.ledger_actions()

        bob.press(PIN + "#")
        await bob.hears(HERTZ, 0.8)
        assert await signal(bob, "2") == 200  # where a menu listens, the same keys are taken
        await bob.hang_up()

    [message] = await exchange.kept()
    assert message.state is MessageState.SAVED


async def test_between_two_phones_nobody_listens_to_keys(exchange: MessageExchange) -> None:
    async with talking(exchange) as talk:
        assert await signal(Caller(talk.alice, talk.outgoing, talk.alice_media), "5") == 415
        await talk.outgoing.bye()
