"""Parked calls: put away, taken back, rung back, and never forgotten."""

from __future__ import annotations

import asyncio

import pytest

from media.client import Prompt
from media.prompts import TEXTS
from pbx.b2bua.config import CallsConfig
from pbx.b2bua.identity import Place
from pbx.features.park import words
from storage.calls import CallOutcome
from tests.support.calling import database, exchange
from tests.support.exchange import DOMAIN
from tests.support.front_desk import FrontDesk, front_desk
from tests.support.phone_call import Call
from tests.support.rtp_phone import RtpPhone
from tests.support.transfers import (
    attended,
    call_between,
    hear_each_other,
    news,
    refer,
    replaced,
)

__all__ = ["database", "exchange", "front_desk"]


async def park(call: Call, number: str = "*70", *, told: bool = True) -> None:
    assert (await refer(call, f"<sip:{number}@{DOMAIN}>")).status == 202
    assert await news(call) == "100"
    if told:
        assert await news(call) == "200"
        await asyncio.wait_for(call.ended.wait(), 60)


async def hears_something(media: RtpPhone) -> None:
    media.heard.clear()
    async with asyncio.timeout(60):
        while len(media.heard) < 10:
            await asyncio.to_thread(media.listen, 0.1)
    assert media.refused == 0


@pytest.mark.parametrize("parker", ["callee", "caller"])
async def test_a_call_is_parked_and_taken_back_at_another_phone(
    front_desk: FrontDesk, parker: str
) -> None:
    desk = front_desk
    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, ours, theirs):
        by, other, media = (
            (at_bob, outgoing, ours) if parker == "callee" else (outgoing, at_bob, theirs)
        )
        await park(by)
        await hears_something(media)
        [row] = desk.exchange.calls.snapshot()
        assert row.state == "parked at 1"
        assert await desk.call(desk.dora, "*702").refused() == 404
        taken = desk.call(desk.carol, "*701")
        await hear_each_other(media, await taken.answered())
        assert len(desk.exchange.calls.lot) == 0
        assert desk.exchange.calls.snapshot()[0].state == "talking"
        await taken.call.bye()
        await asyncio.wait_for(other.ended.wait(), 60)

    records = await desk.records(2)
    record = next(r for r in records if r.route == "person")
    assert record.outcome is CallOutcome.ANSWERED
    kinds = [one["kind"] for one in await desk.exchange.transfers()]
    assert kinds == ["parked", "retrieved"]


async def test_the_one_who_is_parked_hangs_up_and_the_place_is_free(
    front_desk: FrontDesk,
) -> None:
    desk = front_desk
    for _ in range(2):
        async with call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, _, _):
            await park(at_bob, "*707")
            await outgoing.bye()
    assert await desk.call(desk.carol, "*707").refused() == 404
    await desk.records(3)


async def test_it_is_taken_while_its_place_is_still_being_said(front_desk: FrontDesk) -> None:
    desk = front_desk
    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, ours, theirs):
        await park(at_bob, told=False)
        await hears_something(theirs)
        taken = desk.call(desk.carol, "*701")
        media = await taken.answered()
        assert await news(at_bob) == "200"
        await asyncio.wait_for(at_bob.ended.wait(), 60)
        await hear_each_other(ours, media)
        await outgoing.bye()
        await taken.over()
    await desk.records()


async def test_nobody_takes_it_so_it_rings_where_it_came_from(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.calls.reconfigure(CallsConfig(park_seconds=1, ring_seconds=30))
    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, ours, _):
        await park(at_bob)
        (await desk.rung(desk.bob)).refuse(486)
        again = await desk.rung(desk.bob)
        assert again.invite.from_.uri.user == "1001"
        media = await desk.answer(again)
        await hear_each_other(ours, media)
        assert len(desk.exchange.calls.lot) == 0
        await outgoing.bye()
        await asyncio.wait_for(again.ended.wait(), 60)
    await desk.records()
    kinds = [one["kind"] for one in await desk.exchange.transfers()]
    assert kinds == ["parked", "came-back"]


async def test_it_is_taken_while_it_rings_where_it_came_from(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.calls.reconfigure(CallsConfig(park_seconds=1, ring_seconds=30))
    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, ours, _):
        await park(at_bob)
        back = await desk.rung(desk.bob)
        taken = desk.call(desk.carol, "*701")
        media = await taken.answered()
        await desk.cancelled(back)
        await hear_each_other(ours, media)
        await outgoing.bye()
        await taken.over()
    await desk.records()


async def test_after_the_last_try_it_ends(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.calls.reconfigure(CallsConfig(park_seconds=1, park_returns=1))
    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, _, _):
        await park(at_bob)
        (await desk.rung(desk.bob)).refuse(486)
        await asyncio.wait_for(outgoing.ended.wait(), 60)
    [record] = await desk.records()
    assert record.cause == "park-given-up"


async def test_a_place_is_made_ready_and_somebody_is_put_through_to_it(
    front_desk: FrontDesk,
) -> None:
    desk = front_desk
    async with call_between(desk.alice, "1002", desk.bob) as (_, at_bob, ours, _):
        second = desk.call(desk.bob, "*70")
        await hears_something(await second.answered())
        assert await desk.call(desk.carol, "*701").refused() == 404  # it is only made ready
        assert (await refer(at_bob, attended(replaced(second.call)))).status == 202
        assert await news(at_bob) == "100"
        assert await news(at_bob) == "200"
        await second.over()
        await asyncio.wait_for(at_bob.ended.wait(), 60)
        taken = desk.call(desk.carol, "*701")
        await hear_each_other(ours, await taken.answered())
        await taken.call.bye()
    records = await desk.records(3)
    assert {"parked", "callee-hung-up"} & {record.cause for record in records}


async def test_a_place_that_was_made_ready_is_given_back(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.calls.reconfigure(CallsConfig(park_slots=1))
    second = desk.call(desk.bob, "*70")
    await second.answered()
    assert await desk.call(desk.carol, "*70").refused() == 486
    await second.call.bye()
    third = desk.call(desk.carol, "*70")
    await third.answered()
    await third.call.bye()
    await desk.records(3)


async def test_no_place_is_free(front_desk: FrontDesk) -> None:
    desk = front_desk
    async with (
        call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, _, _),
        call_between(desk.carol, "1004", desk.dora) as (other, at_dora, ours, theirs),
    ):
        await park(at_bob, "*703")
        for number in ("*703", "*7021"):  # taken; there are twenty
            assert (await refer(at_dora, f"<sip:{number}@{DOMAIN}>")).status == 486
        await hear_each_other(ours, theirs)
        await outgoing.bye()
        await other.bye()
    await desk.records(2)


async def test_a_phone_in_the_public_that_is_nobodys_takes_no_call(
    front_desk: FrontDesk,
) -> None:
    desk = front_desk
    await desk.exchange.enrol("1009", "lobby", place=Place.LOBBY)
    await desk.exchange.enrol("1010", "ward", place=Place.NURSE_STATION)
    desk.exchange.release("1009")
    desk.exchange.release("1010")
    async with (
        call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, ours, _),
        desk.exchange.phone("lobby") as lobby,
        desk.exchange.phone("ward") as ward,
    ):
        await park(at_bob)
        assert await desk.call(lobby, "*701").refused() == 403
        assert await desk.call(lobby, "*70").refused() == 403
        taken = desk.call(ward, "*701")  # nobody's too, but in no patient's reach
        await hear_each_other(ours, await taken.answered())
        await outgoing.bye()
        await taken.over()
    await desk.records(3)
    assert (await desk.exchange.ledger_actions()).count("call.retrieved") == 1


def test_the_place_is_said_as_it_is_dialled() -> None:
    said = [sound.name for sound in words("*7012").sounds if isinstance(sound, Prompt)]

    assert said == ["park-at", "number-7", "number-0", "number-1", "number-2"]
    assert set(said) <= set(TEXTS)
    assert {"park-empty", "park-full", "pick-up-none"} <= set(TEXTS)
