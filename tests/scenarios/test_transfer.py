"""Somebody is put through: the right two people hear each other, at every step and both ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pbx.b2bua.config import CallsConfig
from storage.calls import CallRecord
from tests.support.baresip import BaresipPhone
from tests.support.ear import MUSIC_HZ, Ear
from tests.support.exchange import DOMAIN, SECRET, TestExchange
from tests.support.pjsua import PjsuaPhone

pytestmark = pytest.mark.slow

HERTZ = {"alice": 880.0, "bob": 1000.0, "carol": 1250.0}
RINGBACK_HZ = 480.0


@dataclass
class Three:
    """Alice has called Bob, who answered; Carol is there too."""

    alice: PjsuaPhone
    bob: PjsuaPhone
    carol: PjsuaPhone
    call: int
    at_alice: Ear
    at_bob: Ear


async def ear_of(phone: PjsuaPhone) -> Ear:
    return Ear((await phone.wait("recording"))["path"])


@asynccontextmanager
async def three(
    exchange: TestExchange, *, ring_seconds: int = 30, **carol: object
) -> AsyncIterator[Three]:
    exchange.calls.reconfigure(CallsConfig(ring_seconds=ring_seconds))
    await exchange.enrol("1003", "carol")
    async with AsyncExitStack() as entered:
        phones = []
        for name, options in (("alice", {}), ("bob", {"answer_with": 200}), ("carol", carol)):
            settings = exchange.phone_options(name, tone_hz=HERTZ[name], **options)
            phone = await entered.enter_async_context(PjsuaPhone(**settings))
            await phone.registered()
            phones.append(phone)
        alice, bob, other = phones
        call = await alice.call("sip:1002@clinic.example")
        await alice.confirmed(call)
        at_alice, at_bob = await ear_of(alice), await ear_of(bob)
        await asyncio.gather(at_alice.hears(HERTZ["bob"]), at_bob.hears(HERTZ["alice"]))
        yield Three(alice, bob, other, call, at_alice, at_bob)


async def the_records(exchange: TestExchange, count: int) -> list[CallRecord]:
    records = await exchange.over()
    assert len(records) == count
    assert len(exchange.calls.listeners) == 0
    assert await exchange.media.calls() == []
    return records


@pytest.mark.parametrize("transferor", ["callee", "caller"])
@pytest.mark.parametrize("holds", [True, False])
async def test_a_blind_transfer(exchange: TestExchange, transferor: str, holds: bool) -> None:
    async with three(exchange, answer_with=180) as t:
        phone, number, waiting, at_waiting, hertz = (
            (t.bob, 0, t.alice, t.at_alice, "alice")
            if transferor == "callee"
            else (t.alice, t.call, t.bob, t.at_bob, "bob")
        )
        if holds:
            phone.do("hold", call=number)
            await at_waiting.hears(MUSIC_HZ)
        phone.do("transfer", call=number, uri="sip:1003@clinic.example")
        await phone.wait("transfer", code=180)
        await at_waiting.hears(RINGBACK_HZ, 0.2)
        await at_waiting.hears(RINGBACK_HZ, 0.4, never=(HERTZ["bob"], HERTZ["alice"]))
        t.carol.do("answer", call=0, code=200)
        await phone.wait("transfer", code=200, final=True)
        await phone.disconnected(number)
        at_carol = await ear_of(t.carol)
        await asyncio.gather(at_waiting.hears(HERTZ["carol"]), at_carol.hears(HERTZ[hertz]))
        waiting.do("hold", call=t.call if waiting is t.alice else 0)
        await at_carol.hears(MUSIC_HZ, 0.3)
        await at_carol.hears(MUSIC_HZ, never=(HERTZ[hertz],))
        waiting.do("resume", call=t.call if waiting is t.alice else 0)
        await asyncio.gather(at_waiting.hears(HERTZ["carol"]), at_carol.hears(HERTZ[hertz]))
        t.carol.do("hangup", call=0)
        await waiting.disconnected(t.call if waiting is t.alice else 0)

    [record] = await the_records(exchange, 1)
    assert record.cause == "callee-hung-up"
    assert len(record.legs) == 3
    assert [leg.receipt.rekeys for leg in record.legs] == [0, 0, 0]


@pytest.mark.parametrize(("carol", "status"), [({"answer_with": 486}, 486), ({}, 480)])
async def test_a_target_that_does_not_take_the_call_leaves_it_where_it_was(
    exchange: TestExchange, carol: dict[str, int], status: int
) -> None:
    async with three(exchange, ring_seconds=5, **carol) as t:
        t.bob.do("transfer", call=0, uri="sip:1003@clinic.example")
        await t.bob.wait("transfer", code=status, final=True, seconds=20)
        await asyncio.gather(t.at_alice.hears(HERTZ["bob"]), t.at_bob.hears(HERTZ["alice"]))
        t.alice.do("hangup", call=t.call)
        await t.bob.disconnected(0)

    [record] = await the_records(exchange, 1)
    assert record.cause == "caller-hung-up"


async def test_a_transferor_who_has_hung_up_is_rung_when_nobody_takes_the_call(
    exchange: TestExchange,
) -> None:
    async with three(exchange, answer_with=180) as t:
        t.bob.do("transfer", call=0, uri="sip:1003@clinic.example")
        await t.carol.wait("incoming")
        t.bob.do("hangup", call=0)
        await t.at_alice.hears(RINGBACK_HZ, 0.4)
        t.carol.do("hangup", call=0, code=486)
        at_bob = await ear_of(t.bob)
        await asyncio.gather(t.at_alice.hears(HERTZ["bob"]), at_bob.hears(HERTZ["alice"]))
        t.alice.do("hangup", call=t.call)
        await t.bob.disconnected(1)

    await the_records(exchange, 1)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("sip:911@clinic.example", 403),
        ("sip:933@clinic.example", 403),
        ("sip:*43@clinic.example", 403),
        ("sip:4711@clinic.example", 404),
        ("sip:1001@clinic.example", 480),
        ("sip:1003@elsewhere.example", 403),
    ],
)
async def test_nobody_is_put_through_outside_nor_to_help_nor_to_nobody(
    exchange: TestExchange, target: str, status: int
) -> None:
    async with three(exchange, answer_with=200) as t:
        t.bob.do("transfer", call=0, uri=target)
        refused = await t.bob.wait("transfer", final=True)
        assert refused["code"] == status
        await asyncio.gather(t.at_alice.hears(HERTZ["bob"]), t.at_bob.hears(HERTZ["alice"]))
        t.alice.do("hangup", call=t.call)
        await t.bob.disconnected(0)
        assert not any(event["event"] == "incoming" for event in t.carol.events)

    await the_records(exchange, 1)


@pytest.mark.parametrize("consulted_by", ["transferor", "target"])
async def test_an_attended_transfer(exchange: TestExchange, consulted_by: str) -> None:
    async with three(exchange, answer_with=200) as t:
        t.bob.do("hold", call=0)
        await t.at_alice.hears(MUSIC_HZ)
        if consulted_by == "transferor":
            second = await t.bob.call("sip:1003@clinic.example")
            await t.bob.confirmed(second)
            theirs = 0
        else:
            theirs = await t.carol.call("sip:1002@clinic.example")
            await t.carol.confirmed(theirs)
            second = 1
        at_bob, at_carol = await ear_of(t.bob), await ear_of(t.carol)
        await asyncio.gather(at_bob.hears(HERTZ["carol"]), at_carol.hears(HERTZ["bob"]))
        t.bob.do("replace", call=0, **{"with": second})
        await t.bob.wait("transfer", code=200, final=True)
        await t.bob.disconnected(0)
        await t.at_alice.hears(HERTZ["carol"])
        await asyncio.gather(
            t.at_alice.hears(HERTZ["carol"], never=(HERTZ["bob"],)),
            at_carol.hears(HERTZ["alice"], never=(HERTZ["bob"],)),
        )
        t.carol.do("hold", call=theirs)
        await t.at_alice.hears(MUSIC_HZ)
        t.carol.do("resume", call=theirs)
        await asyncio.gather(t.at_alice.hears(HERTZ["carol"]), at_carol.hears(HERTZ["alice"]))
        t.alice.do("hangup", call=t.call)
        await t.carol.disconnected(theirs)

    first, second_record = await the_records(exchange, 2)
    assert {first.cause, second_record.cause} == {"caller-hung-up", "transferred"}
    assert sorted(len(record.legs) for record in (first, second_record)) == [2, 3]


async def test_a_transfer_to_a_phone_that_still_rings(exchange: TestExchange) -> None:
    async with three(exchange, answer_with=180) as t:
        t.bob.do("hold", call=0)
        await t.at_alice.hears(MUSIC_HZ)
        second = await t.bob.call("sip:1003@clinic.example")
        await t.bob.wait("state", call=second, state="EARLY")
        t.bob.do("replace", call=0, **{"with": second})
        await t.bob.disconnected(second)
        t.carol.do("answer", call=0, code=200)
        await t.bob.wait("transfer", code=200, final=True)
        at_carol = await ear_of(t.carol)
        await asyncio.gather(t.at_alice.hears(HERTZ["carol"]), at_carol.hears(HERTZ["alice"]))
        t.carol.do("hangup", call=0)
        await t.alice.disconnected(t.call)
        assert sum(event["event"] == "incoming" for event in t.carol.events) == 1

    await the_records(exchange, 2)


async def test_baresip_is_put_through_without_support_for_replaces(
    exchange: TestExchange,
) -> None:
    await exchange.enrol("1004", "dora", md5=True)
    dora = BaresipPhone(
        exchange.folder / "baresip", user="dora", username="dora", password=SECRET,
        domain=DOMAIN, host="127.0.0.1", port=exchange.md5_port, tone_hz=700,
    )  # fmt: skip

    def newest() -> Path:
        return max(dora.folder.glob("dump-*-dec.wav"), default=dora.folder / "not-yet.wav")

    async with three(exchange) as t, dora:
        await dora.wait("REGISTER_OK")
        second = await t.bob.call("sip:1004@clinic.example")
        await t.bob.confirmed(second)
        at_bob, at_dora = await ear_of(t.bob), Ear(newest, 8000)
        await asyncio.gather(at_bob.hears(700.0), at_dora.hears(HERTZ["bob"]))
        t.bob.do("replace", call=0, **{"with": second})
        await t.bob.wait("transfer", code=200, final=True)
        await asyncio.gather(t.at_alice.hears(700.0), at_dora.hears(HERTZ["alice"]))
        t.alice.do("hangup", call=t.call)
        await dora.wait("CALL_CLOSED")

    await the_records(exchange, 2)
