"""A planned restart waits for what would be lost, and for nothing else unless it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pbx.restarting import Restart
from tests.support.calling import database, exchange, talking
from tests.support.exchange import TestExchange
from tests.support.phone_call import CallFailed, Incoming, Outgoing
from tests.support.rtp_phone import RtpPhone

__all__ = ["database", "exchange"]
LONG = 600.0


class Order:
    """A restart that only says that its time has come."""

    def __init__(self, exchange: TestExchange) -> None:
        self.gave_way = asyncio.Event()
        self.restart = Restart(self.gave_way.set)
        self.restart.calls = exchange.calls

    async def gives_way(self) -> None:
        await asyncio.wait_for(self.gave_way.wait(), 60)
        assert self.restart.state == "going"


@asynccontextmanager
async def ringing(exchange: TestExchange) -> AsyncIterator[tuple[Outgoing, Incoming, RtpPhone]]:
    ours, theirs = RtpPhone(), RtpPhone()
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        outgoing = alice.invite("1002", ours.sdp())
        incoming = await asyncio.wait_for(bob.incoming.get(), 60)
        incoming.ring()
        theirs.read(incoming.invite.body)
        yield outgoing, incoming, theirs
    ours.close()
    theirs.close()


async def test_without_calls_it_gives_way_at_once_and_its_name_is_its_own(
    exchange: TestExchange,
) -> None:
    order = Order(exchange)
    assert order.restart.state == "none"
    assert order.restart.run != Order(exchange).restart.run
    order.restart.begin(LONG, drain=True)
    await order.gives_way()
    assert not order.restart.call_off()


async def test_it_waits_for_a_phone_that_rings_and_for_nobody_who_talks(
    exchange: TestExchange,
) -> None:
    order = Order(exchange)
    async with ringing(exchange) as (outgoing, incoming, theirs):
        order.restart.begin(LONG, drain=False)
        assert order.restart.state == "waiting"
        assert order.restart.awaited == 1
        assert 0 < order.restart.seconds_left <= LONG
        incoming.answer(theirs.sdp())
        await outgoing.answered()
        await order.gives_way()
        assert len(exchange.calls) == 1
        await outgoing.bye()


async def test_draining_waits_for_the_end_of_every_call(exchange: TestExchange) -> None:
    order = Order(exchange)
    async with talking(exchange) as talk:
        order.restart.begin(LONG, drain=True)
        await talk.outgoing.ask(talk.outgoing.message("INFO"))
        assert (order.restart.state, order.restart.awaited) == ("waiting", 1)
        await talk.outgoing.bye()
        await order.gives_way()


async def test_after_its_time_it_waits_no_longer(exchange: TestExchange) -> None:
    order = Order(exchange)
    async with talking(exchange) as talk:
        order.restart.begin(LONG, drain=True)
        order.restart.begin(0.0, drain=True)  # somebody has lost patience
        await order.gives_way()
        assert len(exchange.calls) == 1
        await talk.outgoing.bye()


async def test_meanwhile_only_emergency_calls_begin_and_called_off_all_do(
    exchange: TestExchange,
) -> None:
    order = Order(exchange)
    media = RtpPhone()
    async with talking(exchange) as talk:
        order.restart.begin(LONG, drain=True)
        with pytest.raises(CallFailed, match="503"):
            await talk.alice.invite("1002", media.sdp()).answered()
        for_help = talk.alice.invite("911", media.sdp())
        await for_help.answered()
        await for_help.bye()
        assert order.restart.call_off()
        assert not order.restart.call_off()
        assert order.restart.state == "none"
        second = talk.alice.invite("*43", media.sdp())
        await second.answered()
        await second.bye()
        await talk.outgoing.bye()
    media.close()
    assert not order.gave_way.is_set()
