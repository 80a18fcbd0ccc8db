"""A call of half an hour: its sequence numbers wrap, one of them while it is on hold.

Time is compressed: phones send as fast as they are heard, and begin near where a number wraps. What
is never compressed is music, which the worker paces. LONG_CALL_FRAMES: how many frames each phone
says; 90000 are half an hour of speech.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.support.calling import Talk, talking
from tests.support.exchange import TestExchange
from tests.support.rtp_phone import RtpPhone

FRAMES = int(os.environ.get("LONG_CALL_FRAMES", "0"))
BURST = 40
NEAR = 65_536 - 2 * BURST
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300 + FRAMES // 100),
]


async def say(speaker: RtpPhone, listener: RtpPhone, count: int) -> int:
    """So many frames, heard in full; the sequence number that was heard last."""
    heard = 0
    for _ in range(count):
        speaker.send()
    while heard < count:
        fresh = await asyncio.to_thread(listener.listen, 60.0, until=count - heard)
        assert fresh, "what was said is heard"
        heard += len(fresh)
    last = listener.heard[-1].sequence
    listener.heard.clear()
    return last


async def music(listener: RtpPhone, *, until: int) -> None:
    """Paced by the worker, until the number that is heard has wrapped and come this far."""
    listener.heard.clear()
    before = -1
    async with asyncio.timeout(60):
        while True:
            for heard in await asyncio.to_thread(listener.listen, 1.0):
                assert before < 0 or (heard.sequence - before) % 65_536 == 1
                before = heard.sequence
            if until <= before < NEAR:
                return


async def test_numbers_wrap_while_the_call_is_on_hold(exchange: TestExchange) -> None:
    async with talking(exchange) as talk:
        alice, bob = talk.alice_media, talk.bob_media
        bob.sequence = NEAR  # his own number wraps on hold too
        said = {alice: 0, bob: 0}
        last = 0
        while not NEAR <= last < 65_536 - BURST // 2:
            left = NEAR - last if last < NEAR else 1
            count = min(BURST, max(left, 1))
            last = await say(alice, bob, count)
            said[alice] += count
        await say(bob, alice, BURST)
        held = await talk.outgoing.reinvite(alice.sdp("sendonly"))
        assert b"a=recvonly" in held.body
        for _ in range(2 * BURST):  # said into the music: nobody hears it, and it counts
            bob.send()
        await music(bob, until=20)
        assert bob.sequence < NEAR  # his has wrapped while nobody heard him
        assert (await talk.outgoing.reinvite(alice.sdp())).status == 200
        await resumed(talk)
        while said[alice] < FRAMES:
            for speaker, listener in ((alice, bob), (bob, alice)):
                await say(speaker, listener, BURST)
                said[speaker] += BURST
        assert alice.refused == bob.refused == 0
        await talk.outgoing.bye()
        await asyncio.wait_for(talk.incoming.ended.wait(), 60)
    [record] = await exchange.over()

    print(f"frames {said[alice]} and {said[bob]}")
    assert record.cause == "caller-hung-up"
    for leg in record.legs:
        assert leg.receipt.refused == 0
        assert leg.receipt.lost == 0
        assert leg.receipt.rekeys == 0


async def resumed(talk: Talk) -> None:
    """Both hear each other again; what was music still is read away."""
    alice, bob = talk.alice_media, talk.bob_media
    for speaker, listener in ((alice, bob), (bob, alice)):
        async with asyncio.timeout(60):
            while not any(heard.payload == b"\x31" * 160 for heard in listener.take()):
                speaker.send(b"\x31" * 160)
                await asyncio.sleep(0.02)
    for phone in (alice, bob):
        await asyncio.to_thread(phone.listen, 0.3, until=1_000)
        phone.heard.clear()
