"""Offers and answers in the middle of a call that are cut short."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.calling import talking
from tests.support.exchange import TestExchange


@pytest.mark.parametrize("is_late", [True, False])
async def test_a_phone_whose_connection_breaks_while_it_offers_may_offer_again(
    exchange: TestExchange, is_late: bool
) -> None:
    async with talking(exchange) as talk:
        phone, sdp = talk.outgoing, talk.alice_media.sdp()
        phone.answers_with = sdp
        [leg, _] = exchange.legs()
        talk.alice.start(phone.message("INVITE", b"" if is_late else sdp))
        talk.alice.close()
        async with asyncio.timeout(60):
            while exchange.stack.facts(leg.flow) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await exchange.connect(talk.alice)
        assert (await talk.alice.register()).status == 200
        async with asyncio.timeout(60):  # ours may cross it: it is told again how the session is
            while (held := await phone.reinvite(sdp)).status == 491:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert held.status == 200
        assert (await talk.incoming.ask(talk.incoming.message("INFO"))).status == 200
        await phone.bye()
    assert len(await exchange.over()) == 1
