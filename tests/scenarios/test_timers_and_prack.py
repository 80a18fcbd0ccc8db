"""Reliable provisional responses (RFC 3262) and session timers (RFC 4028) with a real phone."""

from __future__ import annotations

import asyncio

import pytest

from storage.calls import CallOutcome
from tests.support import tone
from tests.support.exchange import TestExchange
from tests.support.pjsua import PjsuaPhone
from tests.support.rtp_phone import RtpPhone

pytestmark = pytest.mark.slow

ALICE_HZ, BOB_HZ = 440.0, 1000.0
OPTIONAL_RELIABLE, REQUIRED_RELIABLE = 2, 1
REQUIRED_TIMER = 2


def phone(exchange: TestExchange, name: str, **options: object) -> PjsuaPhone:
    hertz = ALICE_HZ if name == "alice" else BOB_HZ
    return PjsuaPhone(**exchange.phone_options(name, tone_hz=hertz, log_level=5, **options))


def said(phone: PjsuaPhone, start: str) -> bool:
    """Whether a line of a message in this phone's log begins so."""
    return any(line.startswith(start) for line in phone.log)


@pytest.mark.parametrize("use", [OPTIONAL_RELIABLE, REQUIRED_RELIABLE])
async def test_ringing_is_acknowledged_by_prack_and_the_call_goes_on(
    exchange: TestExchange, use: int
) -> None:
    async with (
        phone(exchange, "alice", prack=use) as caller,
        phone(exchange, "bob", prack=OPTIONAL_RELIABLE, answer_with=180) as callee,
    ):
        await caller.registered()
        await callee.registered()
        call = await caller.call("sip:1002@clinic.example")
        await caller.wait("state", call=call, state="EARLY")
        callee.do("answer", call=0, code=200)
        await caller.confirmed(call)
        await tone.until_heard((await caller.wait("recording"))["path"], BOB_HZ, seconds=1.0)
        caller.do("hangup", call=call)
        await callee.disconnected(0)

    assert said(callee, "PRACK sip:")  # ours, for the phone's reliable 180
    assert said(caller, "PRACK sip:") is (use == REQUIRED_RELIABLE)
    [record] = await exchange.over()
    assert record.outcome is CallOutcome.ANSWERED


def pass_time(exchange: TestExchange, seconds: float) -> None:
    """For the session timers; a real phone does not notice."""
    exchange.stack.expire(asyncio.get_running_loop().time() + seconds)
    exchange.driver.poke()


async def test_a_short_session_is_agreed_refreshed_by_the_phone_and_else_over(
    exchange: TestExchange,
) -> None:
    async with (
        phone(exchange, "alice", session_expires=90, session_timer=REQUIRED_TIMER) as caller,
        phone(exchange, "bob", answer_with=200) as callee,
    ):
        await caller.registered()
        await callee.registered()
        call = await caller.call("sip:1002@clinic.example")
        await caller.confirmed(call)
        await callee.confirmed(0)
        agreed = caller.log.count("Session-Expires: 90;refresher=uac")
        assert agreed == 1
        caller.do("update", call=call)
        await tone.until_heard((await caller.wait("recording"))["path"], BOB_HZ, seconds=1.0)
        refreshed = caller.log.count("Session-Expires: 90;refresher=uac")
        assert refreshed == agreed + 2  # asked for, and agreed again

        pass_time(exchange, 46)  # half of it: the phone's turn, and not yet too late
        assert len(exchange.calls) == 1
        pass_time(exchange, 91)
        await caller.disconnected(call)
        await callee.disconnected(0)

    [record] = await exchange.over()
    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "caller-session-expired")


async def test_the_session_of_a_callee_is_refreshed_by_the_exchange(
    exchange: TestExchange,
) -> None:
    async with (
        phone(exchange, "alice") as caller,
        phone(exchange, "bob", answer_with=200, session_timer=REQUIRED_TIMER) as callee,
    ):
        await caller.registered()
        await callee.registered()
        call = await caller.call("sip:1002@clinic.example")
        await caller.confirmed(call)
        await callee.confirmed(0)
        assert callee.log.count("Session-Expires: 1800;refresher=uac") == 1
        path = (await caller.wait("recording"))["path"]
        await tone.until_heard(path, BOB_HZ, seconds=1.0)
        pass_time(exchange, 901)
        await tone.until_heard(path, BOB_HZ, seconds=2.5)
        assert callee.log.count("Session-Expires: 1800;refresher=uac") == 3
        caller.do("hangup", call=call)
        await callee.disconnected(0)

    [record] = await exchange.over()
    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "caller-hung-up")


async def test_a_callee_offers_again_straight_after_its_ack(exchange: TestExchange) -> None:
    ours, theirs = RtpPhone(), RtpPhone()
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", ours.sdp())
        answered = asyncio.create_task(call.answered())
        async with asyncio.timeout(60):
            incoming = await bob.incoming.get()
            theirs.read(incoming.invite.body)
            incoming.answer(theirs.sdp())
            await incoming.confirmed.wait()
            again = await incoming.reinvite(theirs.sdp())
            ours.read((await answered).body)
        assert again.status == 200
        theirs.read(again.body)
        while not theirs.heard:
            ours.send()
            theirs.send()
            await asyncio.to_thread(theirs.listen, 0.1)
            ours.take()
        assert (await call.bye()).status == 200
        await asyncio.wait_for(incoming.ended.wait(), 60)
    ours.close()
    theirs.close()
    [record] = await exchange.over()
    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "caller-hung-up")
