"""A phone changes its codec in the middle of a call; the other one need not hear of it."""

from __future__ import annotations

import asyncio

import pytest

from media.worker.codecs.g711 import decode_alaw
from tests.support.calling import talking
from tests.support.exchange import TestExchange
from tests.support.tone import seconds_of


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_a_phone_that_changes_its_codec_hears_the_other_in_the_new_one(
    exchange: TestExchange, method: str
) -> None:
    async with talking(exchange) as talk:
        talk.alice_media.formats = ((8, "PCMA/8000"), (101, "telephone-event/8000"))
        if method == "INVITE":
            changed = await talk.outgoing.reinvite(talk.alice_media.sdp())
        else:
            changed = await talk.outgoing.ask(
                talk.outgoing.message("UPDATE", talk.alice_media.sdp())
            )
        assert changed.status == 200
        assert b"RTP/SAVP 8" in changed.body
        for _ in range(60):
            talk.bob_media.send_tone(1000.0)
            talk.alice_media.send(b"\xd5" * 160, 8)
            await asyncio.to_thread(talk.alice_media.listen, 0.02)
        heard = [packet for packet in talk.alice_media.heard if packet.payload_type == 8]
        samples = [sample for packet in heard for sample in decode_alaw(packet.payload)]
        assert seconds_of(samples, 8000, 1000.0) > 0.5
        talk.bob_media.take()
        assert {packet.payload_type for packet in talk.bob_media.heard} == {0}
        assert talk.incoming.requests.empty()
        await talk.outgoing.bye()
    assert len(await exchange.over()) == 1
