"""Who takes one call at a time is busy for the next, with everything that follows from it."""

from __future__ import annotations

import asyncio

from storage.calls import CallOutcome
from storage.reach import Reach, When
from tests.support.calling import database, exchange
from tests.support.exchange import DOMAIN
from tests.support.front_desk import FrontDesk, front_desk
from tests.support.transfers import call_between, news, refer

__all__ = ["database", "exchange", "front_desk"]
ONE = Reach(most_calls=1)


async def test_the_next_call_is_told_that_they_are_busy(front_desk: FrontDesk) -> None:
    desk = front_desk
    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, in_call, _, _):
        waiting = desk.call(desk.carol, "1002")
        at_bob = await desk.rung(desk.bob)  # without a limit the phone rings
        at_bob.refuse(486)
        assert await waiting.refused() == 486
        desk.exchange.arrange("1002", ONE)
        assert await desk.call(desk.carol, "1002").refused() == 486
        assert desk.is_quiet(desk.bob)
        assert (await refer(outgoing, f"<sip:1003@{DOMAIN}>")).status == 202  # Carol has none
        at_carol = await desk.rung(desk.carol)
        at_carol.refuse(486)
        while await news(outgoing) != "486":
            """Until they are in the call again: a BYE before that would ring her phone."""
        await outgoing.bye()
        await asyncio.wait_for(in_call.ended.wait(), 60)
    placed = desk.call(desk.carol, "1002")
    await desk.answer(await desk.rung(desk.bob))
    await placed.answered()
    await placed.call.bye()
    found = await desk.records(4)
    assert [record.outcome for record in found].count(CallOutcome.BUSY) == 2


async def test_busy_is_sent_on_and_a_group_passes_over_them(front_desk: FrontDesk) -> None:
    desk = front_desk
    to = desk.exchange.directory.tenancies["1004"].extension
    desk.exchange.arrange("1002", ONE.forwarded(When.BUSY, to, None))
    desk.exchange.group("2000", "1002", "1003", strategy="in-order", ring_seconds=60)
    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, _, _, _):
        placed = desk.call(desk.carol, "1002")
        at_dora = await desk.rung(desk.dora)
        await desk.answer(at_dora)
        await placed.answered()
        await placed.call.bye()
        grouped = desk.call(desk.dora, "2000")
        await desk.answer(await desk.rung(desk.carol))
        await grouped.answered()
        await grouped.call.bye()
        assert desk.is_quiet(desk.bob)
        await outgoing.bye()
    await desk.records(3)


async def test_nobody_is_put_through_to_them_but_they_call_and_help_comes(
    front_desk: FrontDesk,
) -> None:
    desk = front_desk
    desk.exchange.arrange("1002", ONE)
    async with (
        call_between(desk.alice, "1002", desk.bob) as (outgoing, _, _, _),
        call_between(desk.carol, "1004", desk.dora) as (other, at_dora, _, _),
    ):
        assert (await refer(at_dora, f"<sip:1002@{DOMAIN}>")).status == 486
        await other.bye()
        second = desk.call(desk.bob, "1003")  # to ask a colleague: nobody holds that off
        await desk.answer(await desk.rung(desk.carol))
        await second.answered()
        await second.call.bye()
        await outgoing.bye()
    await desk.records(3)
