"""Calls that another exchange takes back as they are: on hold, and on the way to somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from media.client import Place
from pbx.b2bua.snapshot import CallSnapshot, JourneySnapshot
from pbx.features.park import MUSIC
from storage.calls import CallOutcome, CallRecord
from tests.support.calling import Talk, talking
from tests.support.exchange import DOMAIN, TestExchange
from tests.support.phone import Phone
from tests.support.phone_call import Incoming
from tests.support.rtp_phone import RtpPhone
from tests.support.transfers import (
    attended,
    call_between,
    hear_each_other,
    news,
    refer,
    replaced,
    transfers,
)

RINGS = f"<sip:1003@{DOMAIN}>"


@pytest.fixture
async def carol(exchange: TestExchange) -> AsyncIterator[Phone]:
    await exchange.enrol("1003", "carol")
    async with exchange.phone("carol") as phone:
        yield phone


async def back(exchange: TestExchange, *phones: Phone) -> None:
    """They connect and register again."""
    for phone in phones:
        await exchange.connect(phone)
        assert (await phone.register()).status == 200


async def ringing_at(phone: Phone) -> Incoming:
    incoming = await asyncio.wait_for(phone.incoming.get(), 60)
    incoming.ring()
    return incoming


async def the_record(exchange: TestExchange) -> CallRecord:
    records = await exchange.over()
    assert len(exchange.calls.listeners) == 0
    assert await exchange.media.calls() == []
    [record] = [one for one in records if one.cause != "transferred"]
    return record


async def told(exchange: TestExchange) -> list[tuple[str, int]]:
    return [(one["kind"], one["status"]) for one in await transfers(exchange)]


@pytest.mark.parametrize("crashes", [False, True])
async def test_a_call_on_hold_is_on_hold_and_can_be_resumed(
    exchange: TestExchange, crashes: bool
) -> None:
    async with talking(exchange) as talk:
        held = await talk.outgoing.reinvite(talk.alice_media.sdp("sendonly"))
        assert b"a=recvonly" in held.body
        await talk.outgoing.ask(talk.outgoing.message("INFO"))
        await exchange.restart(crashes=crashes)
        talk.bob_media.send()
        await asyncio.to_thread(talk.bob_media.listen, 60.0, until=5)  # music, all the time
        await back(exchange, talk.alice, talk.bob)
        assert [row.state for row in exchange.calls.snapshot()] == ["talking"]
        resumed = await talk.outgoing.reinvite(talk.alice_media.sdp())
        assert b"a=sendrecv" in resumed.body
        await hear_each_other(talk.alice_media, talk.bob_media)
        await talk.incoming.bye()
        await asyncio.wait_for(talk.outgoing.ended.wait(), 60)
    record = await the_record(exchange)

    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "callee-hung-up")


@pytest.mark.parametrize("change", ["waits", "is taken over"])
async def test_who_had_been_parted_before_that_was_kept_hears_the_other_again(
    exchange: TestExchange, carol: Phone, change: str
) -> None:
    """Killed between what the worker was told, and the snapshot that says so."""
    async with talking(exchange) as talk:
        [stored] = await exchange.media.calls()
        at_alice = exchange.snapshots.open(stored.snapshot).legs[0].media
        if change == "waits":
            await exchange.media.feed(at_alice, MUSIC)
        else:
            comer = RtpPhone()
            place = Place(local="127.0.0.1", peer="127.0.0.1")
            leg = await exchange.media.open(stored.call, place, print, comer.sdp())
            await exchange.media.make_answer(leg)
            await exchange.media.join(at_alice, leg)
            comer.close()
        await exchange.restart(crashes=True)
        await back(exchange, talk.alice, talk.bob)
        await hear_each_other(talk.alice_media, talk.bob_media)
        await talk.outgoing.bye()
        await asyncio.wait_for(talk.incoming.ended.wait(), 60)

    assert (await the_record(exchange)).cause == "caller-hung-up"


async def on_the_way(talk: Talk, carol: Phone) -> Incoming:
    """Bob puts Alice through to Carol, who rings."""
    assert (await refer(talk.incoming, RINGS)).status == 202
    assert await news(talk.incoming) == "100"
    ringing = await ringing_at(carol)
    assert await news(talk.incoming) == "180"
    return ringing


@pytest.mark.parametrize("crashes", [False, True])
async def test_who_was_being_put_through_is_with_the_transferor_again(
    exchange: TestExchange, carol: Phone, crashes: bool
) -> None:
    async with talking(exchange) as talk:
        ringing = await on_the_way(talk, carol)
        await exchange.restart(crashes=crashes)
        if not crashes:  # a crash tells nobody
            await asyncio.wait_for(ringing.cancelled.wait(), 60)
        await back(exchange, talk.alice, talk.bob)
        assert await news(talk.incoming) == "503"
        await hear_each_other(talk.alice_media, talk.bob_media)
        await talk.outgoing.bye()
        await asyncio.wait_for(talk.incoming.ended.wait(), 60)
    record = await the_record(exchange)

    assert record.cause == "caller-hung-up"
    assert await told(exchange) == [("blind", 503)]


async def test_a_transferor_who_had_left_is_rung_again(
    exchange: TestExchange, carol: Phone
) -> None:
    theirs = RtpPhone()
    async with talking(exchange) as talk:
        await on_the_way(talk, carol)
        await talk.incoming.bye()
        await talk.outgoing.reinvite(talk.alice_media.sdp())  # behind it: the call has heard
        await exchange.restart(crashes=True)
        await back(exchange, talk.alice, talk.bob)
        again = await ringing_at(talk.bob)
        theirs.read(again.invite.body)
        again.answer(theirs.sdp())
        await asyncio.wait_for(again.confirmed.wait(), 60)
        await hear_each_other(talk.alice_media, theirs)
        await talk.outgoing.bye()
        await asyncio.wait_for(again.ended.wait(), 60)
    theirs.close()

    assert (await the_record(exchange)).cause == "caller-hung-up"


async def test_whom_an_attended_transfer_had_reached_keeps_the_call(
    exchange: TestExchange, carol: Phone
) -> None:
    """Killed between the moment when the worker gave the leg to the other call, and the join."""
    async with (
        talking(exchange) as talk,
        call_between(talk.bob, "1003", carol) as (second, at_carol, _, carol_media),
    ):
        await half_way(exchange)
        await exchange.restart(crashes=True)
        await back(exchange, talk.alice, talk.bob, carol)
        await hear_each_other(talk.alice_media, carol_media)
        for gone in (talk.incoming, second):
            await asyncio.wait_for(gone.ended.wait(), 60)
        await talk.outgoing.bye()
        await asyncio.wait_for(at_carol.ended.wait(), 60)
    record = await the_record(exchange)

    assert record.cause == "caller-hung-up"
    assert await told(exchange) == [("attended", 200)]
    assert len(record.legs) == 3


async def test_a_call_whose_caller_went_on_in_another_one_has_its_whole_record(
    exchange: TestExchange, carol: Phone
) -> None:
    """Bob puts two together who had both called him; killed before that was written down."""
    async with (
        talking(exchange) as talk,
        call_between(carol, "1002", talk.bob) as (second, at_bob, carol_media, _),
    ):
        assert (await refer(talk.incoming, attended(replaced(at_bob)))).status == 202
        for gone in (talk.incoming, at_bob):
            await asyncio.wait_for(gone.ended.wait(), 60)
        await exchange.restart(crashes=True)
        await back(exchange, talk.alice, talk.bob, carol)
        await hear_each_other(talk.alice_media, carol_media)
        await talk.outgoing.bye()
        await asyncio.wait_for(second.ended.wait(), 60)
    first, rest = sorted(await exchange.over(), key=lambda record: record.started_at)

    assert (first.cause, rest.cause) == ("caller-hung-up", "transferred")
    assert len(first.legs) == 3
    device = {entry.username: entry.id for entry in exchange.directory.entries.devices}
    assert rest.caller_device == device["carol"]
    assert sorted(leg.device for leg in rest.legs) == sorted((device["bob"], device["carol"]))
    assert await exchange.media.calls() == []


async def half_way(exchange: TestExchange) -> None:
    """What the worker has when the leg has moved and nothing else has happened."""
    opened = [exchange.snapshots.open(one.snapshot) for one in await exchange.media.calls()]
    first, second = sorted(opened, key=lambda snapshot: snapshot.started_at)
    alice, bob = first.legs
    target = second.legs[1]
    journey = JourneySnapshot(
        kind="attended", by=bob.id, who=alice.id, number="1003", to=target.id, wants_news=True
    )
    joined: CallSnapshot = replace(first, legs=(*first.legs, target), journey=journey)
    rest: CallSnapshot = replace(
        second, legs=second.legs[:1], ended_at=second.started_at + 1, cause="transferred"
    )
    await exchange.media.move(
        target.media, str(first.id), exchange.snapshots.seal(joined), exchange.snapshots.seal(rest)
    )


async def test_an_emergency_call_that_nobody_had_taken_rings_the_phones_that_come_back(
    exchange: TestExchange,
) -> None:
    await exchange.enrol("1003", "carol", emergency=True)
    ours, theirs = RtpPhone(), RtpPhone()
    async with exchange.phone("alice") as alice, exchange.phone("carol") as carol:
        call = alice.invite("911", ours.sdp())
        ours.read((await call.answered()).body)
        ringing = await ringing_at(carol)
        await exchange.restart()
        await asyncio.wait_for(ringing.cancelled.wait(), 60)
        await back(exchange, alice, carol)
        again = await ringing_at(carol)
        theirs.read(again.invite.body)
        again.answer(theirs.sdp())
        await asyncio.wait_for(again.confirmed.wait(), 60)
        await hear_each_other(ours, theirs)
        await call.bye()
        await asyncio.wait_for(again.ended.wait(), 60)
    ours.close()
    theirs.close()
    record = await the_record(exchange)

    assert record.is_emergency
    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "caller-hung-up")


async def test_what_could_not_be_taken_back_ends_before(exchange: TestExchange) -> None:
    media = RtpPhone()
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", media.sdp())
        answered = asyncio.create_task(call.answered())
        incoming = await ringing_at(bob)
        await exchange.restart()
        await asyncio.wait_for(incoming.cancelled.wait(), 60)
        answered.cancel()
        await asyncio.gather(answered, return_exceptions=True)
    media.close()

    assert (await the_record(exchange)).cause == "shutdown"
