"""Real phones help each other: a group rings, a colleague picks up, a call is parked and taken.

The right two people hear each other, at both ends, and nothing crosses the network in clear.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from storage.calls import CallOutcome, CallRecord
from tests.support.ear import MUSIC_HZ, Ear
from tests.support.exchange import TestExchange
from tests.support.pjsua import PjsuaPhone

pytestmark = pytest.mark.slow

HERTZ = {"alice": 880.0, "bob": 1000.0, "carol": 1250.0}


@dataclass
class Ward:
    """Alice calls; Bob and Carol are in one group."""

    exchange: TestExchange
    alice: PjsuaPhone
    bob: PjsuaPhone
    carol: PjsuaPhone

    async def over(self, count: int) -> list[CallRecord]:
        records = await self.exchange.over()
        assert len(records) == count
        assert len(self.exchange.calls.listeners) == 0
        assert len(self.exchange.calls.lot) == 0
        assert await self.exchange.media.calls() == []
        return records


@asynccontextmanager
async def ward(exchange: TestExchange, **answers: int) -> AsyncIterator[Ward]:
    """Each phone answers as it is told to: 180 rings on, 200 takes the call."""
    await exchange.enrol("1003", "carol")
    exchange.group("2000", "1002", "1003", name="Ward", ring_seconds=60)
    async with AsyncExitStack() as entered:
        phones = []
        for name in HERTZ:
            options = {"answer_with": answers[name]} if name in answers else {}
            settings = exchange.phone_options(name, tone_hz=HERTZ[name], **options)
            phone = await entered.enter_async_context(PjsuaPhone(**settings))
            await phone.registered()
            phones.append(phone)
        yield Ward(exchange, *phones)


async def ear_of(phone: PjsuaPhone) -> Ear:
    return Ear((await phone.wait("recording"))["path"])


async def hear_each_other(one: PjsuaPhone, other: PjsuaPhone, hertz: tuple[str, str]) -> None:
    """By the next recording of each: `hertz` names who speaks at `one` and at `other`."""
    here, there = await asyncio.gather(ear_of(one), ear_of(other))
    await asyncio.gather(here.hears(HERTZ[hertz[1]]), there.hears(HERTZ[hertz[0]]))


async def test_a_group_rings_and_one_of_them_answers(exchange: TestExchange) -> None:
    async with ward(exchange, bob=180, carol=180) as w:
        call = await w.alice.call("sip:2000@clinic.example")
        await asyncio.gather(w.bob.wait("incoming"), w.carol.wait("incoming"))
        w.carol.do("answer", call=0, code=200)
        await w.alice.confirmed(call)
        await w.bob.disconnected(0)
        await hear_each_other(w.alice, w.carol, ("alice", "carol"))
        w.carol.do("hangup", call=0)
        await w.alice.disconnected(call)
        [record] = await w.over(1)
    assert (record.route, record.outcome) == ("group", CallOutcome.ANSWERED)


async def test_a_colleague_picks_up_what_rings_elsewhere(exchange: TestExchange) -> None:
    async with ward(exchange, bob=180) as w:
        call = await w.alice.call("sip:1002@clinic.example")
        await w.bob.wait("incoming")
        picked = await w.carol.call("sip:*81002@clinic.example")
        await asyncio.gather(w.alice.confirmed(call), w.carol.confirmed(picked))
        await w.bob.disconnected(0)
        await hear_each_other(w.alice, w.carol, ("alice", "carol"))
        w.alice.do("hangup", call=call)
        await w.carol.disconnected(picked)
        [record] = await w.over(1)
    assert record.callee_tenure == exchange.directory.tenancies["1003"].tenure
    assert [one["kind"] for one in await exchange.transfers()] == ["picked-up"]


async def test_a_call_is_parked_and_taken_back_at_another_phone(exchange: TestExchange) -> None:
    async with ward(exchange, bob=200) as w:
        call = await w.alice.call("sip:1002@clinic.example")
        await w.alice.confirmed(call)
        at_alice, at_bob = await asyncio.gather(ear_of(w.alice), ear_of(w.bob))
        await asyncio.gather(at_alice.hears(HERTZ["bob"]), at_bob.hears(HERTZ["alice"]))
        w.bob.do("transfer", call=0, uri="sip:*70@clinic.example")
        await at_alice.hears(MUSIC_HZ)
        await w.bob.wait("transfer", code=200, final=True, seconds=30)
        await w.bob.disconnected(0)
        [row] = exchange.calls.snapshot()
        assert row.state == "parked at 1"
        await at_alice.hears(MUSIC_HZ, never=(HERTZ["bob"],))
        taken = await w.carol.call("sip:*701@clinic.example")
        await w.carol.confirmed(taken)
        at_carol = await ear_of(w.carol)
        await asyncio.gather(at_alice.hears(HERTZ["carol"]), at_carol.hears(HERTZ["alice"]))
        w.alice.do("hangup", call=call)
        await w.carol.disconnected(taken)
        await w.over(1)
    assert [one["kind"] for one in await exchange.transfers()] == ["parked", "retrieved"]
