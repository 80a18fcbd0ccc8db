"""A receptionist puts a caller through to somebody's mailbox, and to no other service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx.sip.message import Response
from storage.database import Database
from storage.messages import MessageState
from tests.support.calling import database
from tests.support.exchange import DOMAIN
from tests.support.message_exchange import Caller, MessageExchange
from tests.support.phone_call import Call
from tests.support.rtp_phone import RtpPhone
from tests.support.voicemail_calls import to_beep

__all__ = ["database"]
HERTZ = 700.0


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        yield running


async def refer(call: Call, user: str) -> Response:
    request = call.message("REFER")
    request.headers.add("Refer-To", f"<sip:{user}@{DOMAIN}>")
    request.headers.add("Contact", call.phone.contact)
    return await call.ask(request)


async def test_a_caller_who_is_put_through_to_a_mailbox_leaves_a_message(
    exchange: MessageExchange,
) -> None:
    await exchange.enrol("1050", "desk")
    async with exchange.phone("alice") as alice, exchange.phone("desk") as desk:
        ours, theirs = RtpPhone(), RtpPhone()
        outgoing = alice.invite("1050", ours.sdp())
        async with asyncio.timeout(60):
            at_desk = await desk.incoming.get()
            theirs.read(at_desk.invite.body)
            at_desk.answer(theirs.sdp())
            ours.read((await outgoing.answered()).body)
            await at_desk.confirmed.wait()
        assert (await refer(at_desk, "*97")).status == 403
        assert (await refer(at_desk, "*981099")).status == 404  # nobody's
        assert (await refer(outgoing, "*981002")).status == 403  # the desk is no caller
        assert (await refer(at_desk, "*981002")).status == 202
        await asyncio.wait_for(at_desk.ended.wait(), 60)
        caller = Caller(alice, outgoing, ours)
        caller.speak()
        await to_beep(caller)
        await caller.say(HERTZ, 2.0)
        await caller.hang_up()
        caller.quiet()
        ours.close()
        theirs.close()
    [message] = await exchange.kept()
    assert message.state is MessageState.NEW
    assert message.milliseconds > 1_500
