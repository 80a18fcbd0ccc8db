"""`*8`: a colleague in a common group answers what rings elsewhere, and nobody else does."""

from __future__ import annotations

import asyncio

import pytest

from pbx.b2bua.callee_leg import ELSEWHERE
from pbx.b2bua.identity import Place
from storage.calls import CallOutcome
from tests.support.calling import database, exchange
from tests.support.exchange import DOMAIN
from tests.support.front_desk import FrontDesk, front_desk
from tests.support.transfers import call_between, change, hear_each_other, news, refer

__all__ = ["database", "exchange", "front_desk"]


@pytest.mark.parametrize("dialled", ["*81002", "*82000"])
async def test_a_member_of_the_group_takes_the_call(front_desk: FrontDesk, dialled: str) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", "1003", "1004")

    placed = desk.call(desk.alice, "1002" if dialled == "*81002" else "2000")
    at_bob = await desk.rung(desk.bob)
    picked = desk.call(desk.carol, dialled)
    ours, theirs = await asyncio.gather(placed.answered(), picked.answered())
    assert await desk.cancelled(at_bob) == ELSEWHERE
    await hear_each_other(ours, theirs)
    shown = await change(placed.call)  # Alice is told that she hears Carol
    asserted = shown.headers.first("P-Asserted-Identity")
    assert asserted == f'"Person 1003" <sip:1003@{DOMAIN}>'
    placed.call.answer_in_dialog(shown, 200, ours.sdp())
    await picked.call.bye()
    await placed.over()

    [record] = await desk.records()
    carol = desk.exchange.directory.tenancies["1003"]
    assert (record.outcome, record.callee_tenure) == (CallOutcome.ANSWERED, carol.tenure)
    assert "call.picked_up" not in await desk.exchange.ledger_actions()
    assert [(one["kind"], one["status"]) for one in await transfers(desk)] == [("picked-up", 200)]


async def transfers(desk: FrontDesk) -> list[dict[str, object]]:
    return await desk.exchange.transfers()


async def test_a_stranger_is_refused_with_a_row_whether_or_not_anything_rings(
    front_desk: FrontDesk,
) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", "1003")

    assert await desk.call(desk.dora, "*81002").refused() == 403
    placed = desk.call(desk.alice, "1002")
    at_bob = await desk.rung(desk.bob)
    assert await desk.call(desk.dora, "*81002").refused() == 403
    media = await desk.answer(at_bob)
    await hear_each_other(await placed.answered(), media)
    await placed.call.bye()
    await desk.records(3)
    assert (await desk.exchange.ledger_actions()).count("call.picked_up") == 1  # one a minute


async def test_where_nothing_rings_there_is_nothing_to_pick_up(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", "1003")

    assert await desk.call(desk.carol, "*81002").refused() == 404
    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, _, _, _):
        assert await desk.call(desk.carol, "*81002").refused() == 404  # they talk already
        await outgoing.bye()
    await desk.records(3)


async def test_two_who_are_as_fast_as_each_other(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", "1003", "1004")

    placed = desk.call(desk.alice, "1002")
    at_bob = await desk.rung(desk.bob)
    both = [desk.call(phone, "*81002") for phone in (desk.carol, desk.dora)]
    done = await asyncio.wait_for(
        asyncio.gather(*(each.task for each in both), return_exceptions=True), 20
    )
    assert sorted(result is None for result in done) == [False, True]
    await desk.cancelled(at_bob)
    winner = both[done.index(None)]
    await hear_each_other(await placed.answered(), winner.media)
    await placed.call.bye()
    assert len(await desk.exchange.over()) in (1, 2)  # the slower one came late or too late
    assert len(desk.exchange.calls.listeners) == 0


async def test_whoever_gives_up_picking_up_ends_nobody_elses_call(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", "1003")

    placed = desk.call(desk.alice, "1002")
    at_bob = await desk.rung(desk.bob)
    in_clear = desk.call(desk.carol, "*81002", without_keys=True)
    assert await in_clear.refused() == 488
    assert not at_bob.cancelled.is_set()
    await hear_each_other(await desk.answer(at_bob), await placed.answered())
    await placed.call.bye()
    await desk.records()


async def test_a_call_that_is_put_through_is_picked_up(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1003", "1004")

    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, ours, _):
        assert (await refer(at_bob, f"<sip:1003@{DOMAIN}>")).status == 202
        assert await news(at_bob) == "100"
        at_carol = await desk.rung(desk.carol)
        picked = desk.call(desk.dora, "*81003")
        theirs = await picked.answered()
        await desk.cancelled(at_carol)
        await asyncio.wait_for(at_bob.ended.wait(), 60)
        await hear_each_other(ours, theirs)
        await outgoing.bye()
        await picked.over()
    await desk.records()


async def test_a_call_for_help_is_answered_by_the_phones_that_it_rings_alone(
    front_desk: FrontDesk,
) -> None:
    desk = front_desk
    await desk.exchange.enrol("1005", "guard", place=Place.NURSE_STATION, emergency=True)
    desk.exchange.group("2000", "1005", "1003")

    async with desk.exchange.phone("guard") as guard:
        placed = desk.call(desk.alice, "911")
        at_guard = await desk.rung(guard)
        assert await desk.call(desk.carol, "*81005").refused() == 404
        media = await desk.answer(at_guard)
        await hear_each_other(await placed.answered(), media)
        await placed.call.bye()
    await desk.records(2)
