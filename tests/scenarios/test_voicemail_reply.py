"""Whoever hears a message calls back from it; whoever falls silent is signed out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from pbx.features.voicemail_login import Listener
from pbx.features.voicemail_reply import number_of
from pbx.voicemail.config import VoicemailConfig
from storage.database import Database
from storage.identifiers import new_id
from storage.keyholder.protocol import SessionView
from storage.ledger.actions import Action
from storage.models.ledger import ledger
from tests.support.calling import database
from tests.support.message_exchange import Caller, MessageExchange
from tests.support.rtp_phone import RtpPhone
from tests.support.voicemail_calls import HERTZ, leave, sign_in

__all__ = ["database"]
BOB, ALICE = 450.0, 620.0
"""What they say to one another."""


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        yield running


async def by_phone(exchange: MessageExchange) -> list[SessionView]:
    """Ben's sessions by PIN: he is signed in at a terminal too."""
    sessions = await exchange.keyholder.sessions(exchange.people["ben"].id)
    return [one for one in sessions if one.kind == "phone"]


async def test_the_owner_calls_back_whoever_left_the_message(exchange: MessageExchange) -> None:
    await leave(exchange)
    async with exchange.phone("alice") as alice, exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 0.5)
        bob.press("9")
        incoming = await asyncio.wait_for(alice.incoming.get(), 60)
        with closing(RtpPhone()) as media:
            media.read(incoming.invite.body)
            incoming.answer(media.sdp())
            await asyncio.wait_for(incoming.confirmed.wait(), 60)
            hers = Caller(alice, incoming, media)  # type: ignore[arg-type]
            hers.speak(ALICE)
            await bob.hears(ALICE, 0.5)
            bob.speak(BOB)
            await hers.hears(BOB, 0.5)
            assert await by_phone(exchange) == []
            await bob.hang_up()
            await asyncio.wait_for(incoming.ended.wait(), 60)
            hers.quiet()

    heard = [record for record in await exchange.over() if record.parties.dialled == "*97"]
    assert [record.outcome.value for record in heard] == ["answered"]
    actions = await exchange.ledger_actions()
    assert actions.count("session.ended") == 1


async def test_nobody_answers_and_the_menu_goes_on(exchange: MessageExchange) -> None:
    await leave(exchange)
    async with exchange.phone("alice") as alice, exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 0.5)
        bob.press("9")
        (await asyncio.wait_for(alice.incoming.get(), 60)).refuse(486)
        await asyncio.sleep(0.6)
        bob.press("1")  # hear it again
        await bob.hears(HERTZ, 0.8)
        await bob.hang_up()


async def test_a_session_that_was_idle_for_five_minutes_opens_nothing(
    exchange: MessageExchange,
) -> None:
    """By the key holder's own clock, whatever the exchange thinks of it."""
    await leave(exchange)
    await leave(exchange)
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 0.8)
        exchange.house.time.pass_(301)
        bob.press("#")
        await asyncio.wait_for(bob.call.ended.wait(), 60)

    assert (await exchange.ledger_actions()).count("message.heard") == 2  # one, intended and done
    assert [record.cause for record in await exchange.over()][-1] == "session-ended"


async def test_whoever_presses_nothing_is_hung_up_on_and_signed_out(
    exchange: MessageExchange,
) -> None:
    exchange.config = VoicemailConfig(silence_seconds=3)
    msgspec.structs.force_setattr(exchange.config, "idle_seconds", 1)
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await asyncio.wait_for(bob.call.ended.wait(), 60)

    assert [record.cause for record in await exchange.over()] == ["idle"]
    assert await by_phone(exchange) == []


async def test_whoever_learns_a_number_has_a_row_of_it_in_this_hour_and_later(
    exchange: MessageExchange,
) -> None:
    await leave(exchange)
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.prompted("vm-from")
        assert await read_parties(exchange) == ["done"]
        bob.press("#")  # and hears nothing of it
        await bob.hang_up()
    await exchange.over()

    [message] = await exchange.kept()
    exchange.house.time.pass_(2 * 3_600)
    await exchange.sign_in_again("ben")
    ben = exchange.people["ben"]
    for session, number in ((ben.session, "1001"), (b"no session", "")):
        reader = Listener(ben.id, session, new_id(exchange.now), "1002")
        assert await number_of(exchange.office, reader, message) == number
    assert (await read_parties(exchange))[1:] == ["intended", "done", "intended", "refused"]


async def read_parties(exchange: MessageExchange) -> list[str]:
    query = select(ledger.c.outcome).where(ledger.c.action == Action.CALL_PARTIES_READ)
    async with exchange.database.read() as connection:
        return list((await connection.scalars(query.order_by(ledger.c.sequence))).all())
