"""`*43`: words, and then the caller's own voice."""

from __future__ import annotations

import asyncio

from storage.calls import CallOutcome
from tests.support.calling import database, exchange
from tests.support.exchange import TestExchange
from tests.support.rtp_phone import RtpPhone

__all__ = ["database", "exchange"]

VOICE = bytes(range(160))
"""Unlike any prompt."""


async def test_the_caller_hears_the_caller_after_the_words(exchange: TestExchange) -> None:
    media = RtpPhone()
    async with exchange.phone("alice") as alice:
        call = alice.invite("*43", media.sdp())
        media.read((await call.answered()).body)
        async with asyncio.timeout(60):
            while not any(packet.payload == VOICE for packet in media.heard):
                media.send(VOICE)
                await asyncio.to_thread(media.listen, 0.02)
        assert (await call.bye()).status == 200
    media.close()
    [record] = await exchange.over()
    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "caller-hung-up")
    assert record.route == "echo"
