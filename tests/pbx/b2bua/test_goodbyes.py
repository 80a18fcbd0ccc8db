"""A phone that is not back yet when its call ends."""

import asyncio
from uuid import uuid4

from pbx.sip.dialog import DialogId
from tests.support.calling import Talk, talking
from tests.support.exchange import TestExchange


def owed(exchange: TestExchange, talk: Talk) -> None:
    """As a call does that was taken back."""
    invite = talk.incoming.invite
    dialog_id = DialogId(invite.call_id, invite.from_.tag or "", talk.incoming._tag)
    dialog = exchange.stack.dialog(dialog_id)
    assert dialog is not None
    [bob] = [d.id for d in exchange.directory.entries.devices if d.username == "bob"]
    for _ in range(2):
        exchange.calls.goodbyes.owe(bob, dialog)


async def test_it_is_told_when_it_registers(exchange: TestExchange) -> None:
    goodbyes = exchange.calls.goodbyes
    async with talking(exchange) as talk:
        owed(exchange, talk)
        assert len(goodbyes) == 1
        goodbyes.reachable(uuid4())  # somebody else
        assert not talk.incoming.ended.is_set()
        await talk.bob.register()
        await asyncio.wait_for(talk.incoming.ended.wait(), 60)
        assert len(goodbyes) == 0
        await talk.outgoing.bye()


async def test_the_end_of_the_exchange_waits_for_nobody(exchange: TestExchange) -> None:
    async with talking(exchange) as talk:
        owed(exchange, talk)
        exchange.calls.goodbyes.close()
        assert len(exchange.calls.goodbyes) == 0
        await talk.outgoing.bye()
