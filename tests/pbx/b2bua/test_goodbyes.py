"""A phone that is away when its call ends."""

import asyncio
from uuid import uuid4

from tests.support.calling import talking
from tests.support.exchange import TestExchange


async def test_it_is_told_when_it_registers_again(exchange: TestExchange) -> None:
    goodbyes = exchange.calls.goodbyes
    async with talking(exchange) as talk:
        talk.bob.close()
        await asyncio.wait_for(talk.bob.closed.wait(), 15)
        assert (await talk.outgoing.bye()).status == 200
        goodbyes.reachable(uuid4())  # somebody else
        await exchange.connect(talk.bob)
        await talk.bob.register()
        await asyncio.wait_for(talk.incoming.ended.wait(), 15)
        assert len(goodbyes) == 0
