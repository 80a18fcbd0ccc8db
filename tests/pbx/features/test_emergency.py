"""Emergency calls with nobody to ring, nobody who answers, and phones that refuse."""

from __future__ import annotations

import asyncio

import pytest

from storage.calls import CallOutcome, CallRecord
from tests.support.calling import database, exchange
from tests.support.exchange import TestExchange
from tests.support.rtp_phone import RtpPhone

__all__ = ["database", "exchange"]

WORDS = 45.0
"""Seconds at most until the announcement was made as often as it is."""


async def the_record(exchange: TestExchange) -> CallRecord:
    [record] = await exchange.over()
    assert await exchange.media.calls() == []
    return record


async def test_with_nobody_to_ring_the_caller_hears_words_and_then_the_end(
    exchange: TestExchange,
) -> None:
    media = RtpPhone()
    async with exchange.phone("alice") as alice:
        call = alice.invite("911", media.sdp())
        media.read((await call.answered()).body)
        media.send()
        assert await asyncio.to_thread(media.listen, 5.0)
        await asyncio.wait_for(call.ended.wait(), WORDS)
    media.close()
    record = await the_record(exchange)
    assert (record.is_emergency, record.cause) == (True, "emergency-no-line")


@pytest.mark.parametrize("status", [486, 603, 480])
async def test_a_phone_on_site_that_refuses_does_not_end_the_call(
    exchange: TestExchange, status: int
) -> None:
    await exchange.enrol("1003", "front", emergency=True)
    media = RtpPhone()
    async with exchange.phone("alice") as alice, exchange.phone("front") as front:
        call = alice.invite("911", media.sdp())
        await call.answered()
        async with asyncio.timeout(60):
            incoming = await front.incoming.get()
            incoming.refuse(status)
            await incoming.confirmed.wait()
        assert (await call.ask(call.message("INFO"))).status == 200
        assert not call.ended.is_set()
        await call.bye()
    media.close()
    record = await the_record(exchange)
    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "caller-hung-up")


async def test_a_caller_who_hangs_up_while_it_rings_on_site_stops_the_ringing(
    exchange: TestExchange,
) -> None:
    await exchange.enrol("1003", "front", emergency=True)
    media = RtpPhone()
    async with exchange.phone("alice") as alice, exchange.phone("front") as front:
        call = alice.invite("911", media.sdp())
        await call.answered()
        async with asyncio.timeout(60):
            incoming = await front.incoming.get()
            incoming.ring()
            await call.bye()
            await incoming.cancelled.wait()
    media.close()
    assert (await the_record(exchange)).cause == "caller-hung-up"


async def test_a_phone_in_whose_codec_nothing_can_be_said_is_heard_by_one_that_has_it(
    exchange: TestExchange,
) -> None:
    await exchange.enrol("1003", "front", emergency=True)
    ours, theirs = (RtpPhone(formats=((18, "G729/8000"),)) for _ in range(2))
    async with exchange.phone("alice") as alice, exchange.phone("front") as front:
        call = alice.invite("911", ours.sdp())
        async with asyncio.timeout(60):
            incoming = await front.incoming.get()
            theirs.read(incoming.invite.body)
            incoming.answer(theirs.sdp())
            ours.read((await call.answered()).body)
            while not theirs.heard:
                ours.send(b"\x31" * 20, 18)
                await asyncio.to_thread(theirs.listen, 0.05)
        await call.bye()
        await asyncio.wait_for(incoming.ended.wait(), 60)
    ours.close()
    theirs.close()
    record = await the_record(exchange)
    assert (record.is_emergency, record.cause) == (True, "caller-hung-up")
