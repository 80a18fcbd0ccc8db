"""Phones that come together in the middle of a call and speak different codecs: one of them is
asked for another, and nobody's call ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from tests.support.exchange import DOMAIN, TestExchange
from tests.support.phone import Phone
from tests.support.phone_call import Call
from tests.support.rtp_phone import RtpPhone
from tests.support.transfers import attended, change, hear_each_other, refer, replaced

G729, PCMU = (18, "G729/8000"), (0, "PCMU/8000")
EVENTS = (101, "telephone-event/8000")


class Speakers:
    """Media of phones, closed together."""

    def __init__(self) -> None:
        self.made: list[RtpPhone] = []

    def __call__(self, *formats: tuple[int, str]) -> RtpPhone:
        self.made.append(RtpPhone(formats=(*formats, EVENTS)))
        return self.made[-1]


@pytest.fixture
def speaking() -> Iterator[Speakers]:
    speakers = Speakers()
    yield speakers
    for phone in speakers.made:
        phone.close()


@pytest.fixture
async def carol(exchange: TestExchange) -> AsyncIterator[Phone]:
    await exchange.enrol("1003", "carol")
    async with exchange.phone("carol") as phone:
        yield phone


async def called(
    caller: Phone, number: str, callee: Phone, ours: RtpPhone, theirs: RtpPhone
) -> tuple[Any, Any]:
    outgoing = caller.invite(number, ours.sdp())
    async with asyncio.timeout(60):
        incoming = await callee.incoming.get()
        theirs.read(incoming.invite.body)
        incoming.answer(theirs.sdp())
        ours.read((await outgoing.answered()).body)
        await incoming.confirmed.wait()
    return outgoing, incoming


async def asked_for_another(call: Call, media: RtpPhone) -> None:
    """Its phone is offered G.711 in a re-INVITE, and takes it."""
    asked = await change(call)
    assert b"a=rtpmap:0 PCMU/8000" in asked.body
    media.read(asked.body)
    media.formats = (PCMU, EVENTS)
    call.answer_in_dialog(asked, 200, media.sdp())


async def answer_all(call: Call, media: RtpPhone) -> None:
    """Its phone keeps what it speaks."""
    while True:
        request = await call.requests.get()
        call.answer_in_dialog(request, 200, media.sdp() if request.method == "INVITE" else b"")


async def test_two_who_are_put_together_by_a_third_hear_each_other(
    exchange: TestExchange, carol: Phone, speaking: Speakers
) -> None:
    alice_media, carol_media = speaking(G729, PCMU), speaking(PCMU)
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        first, at_bob = await called(alice, "1002", bob, alice_media, speaking(G729))
        second, at_carol = await called(bob, "1003", carol, speaking(G729, PCMU), carol_media)
        carols = asyncio.create_task(answer_all(at_carol, carol_media))

        assert (await refer(at_bob, attended(replaced(second)))).status == 202
        await asked_for_another(first, alice_media)

        await hear_each_other(alice_media, carol_media)
        carols.cancel()
        await first.bye()
        await asyncio.wait_for(at_carol.ended.wait(), 60)
    causes = {record.cause for record in await exchange.over()}
    assert causes == {"caller-hung-up", "transferred"}


async def test_who_is_put_through_to_a_phone_without_its_codec_changes_it(
    exchange: TestExchange, carol: Phone, speaking: Speakers
) -> None:
    alice_media, carol_media = speaking(G729, PCMU), speaking(PCMU)
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        first, at_bob = await called(alice, "1002", bob, alice_media, speaking(G729))
        assert (await refer(at_bob, f"<sip:1003@{DOMAIN}>")).status == 202
        at_carol = await asyncio.wait_for(carol.incoming.get(), 60)
        offered = at_carol.invite.body.decode()
        assert offered.index("a=rtpmap:18 G729") < offered.index("a=rtpmap:0 PCMU")
        carol_media.read(at_carol.invite.body)
        at_carol.answer(carol_media.sdp())
        await asked_for_another(first, alice_media)

        await hear_each_other(alice_media, carol_media)
        await first.bye()
        await asyncio.wait_for(at_carol.ended.wait(), 60)
    [record] = await exchange.over()
    assert record.cause == "caller-hung-up"


async def test_where_one_phone_keeps_its_codec_the_other_one_is_asked(
    exchange: TestExchange, carol: Phone, speaking: Speakers
) -> None:
    alice_media, carol_media = speaking(G729), speaking(PCMU, G729)
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        first, at_bob = await called(alice, "1002", bob, alice_media, speaking(G729))
        at_carol = await put_through(at_bob, carol, carol_media, chooses=PCMU)
        await keeps_its_codec(first)
        asked = await change(at_carol)
        assert b"G729" in asked.body
        carol_media.formats = (G729, EVENTS)
        carol_media.read(asked.body)
        at_carol.answer_in_dialog(asked, 200, carol_media.sdp())

        await both_hear(alice_media, carol_media, 18)
        await first.bye()
        await asyncio.wait_for(at_carol.ended.wait(), 60)
    [record] = await exchange.over()
    assert record.cause == "caller-hung-up"


async def test_two_who_would_sit_in_silence_are_told_that_the_call_is_over(
    exchange: TestExchange, carol: Phone, speaking: Speakers
) -> None:
    alice_media, carol_media = speaking(G729), speaking(PCMU)
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        first, at_bob = await called(alice, "1002", bob, alice_media, speaking(G729))
        at_carol = await put_through(at_bob, carol, carol_media, chooses=PCMU)
        await keeps_its_codec(first)
        at_carol.answer_in_dialog(await change(at_carol), 488)
        for call in (first, at_carol):
            await asyncio.wait_for(call.ended.wait(), 60)
            assert call.end is not None
            assert call.end.headers.first("Reason") == 'SIP;cause=488;text="No codec in common"'
    [record] = await exchange.over()
    assert record.cause == "no-common-codec"


async def put_through(at_bob: Any, carol: Phone, media: RtpPhone, *, chooses: Any) -> Any:
    """Bob puts whom he talks with through to Carol, whose phone answers with one codec."""
    assert (await refer(at_bob, f"<sip:1003@{DOMAIN}>")).status == 202
    at_carol = await asyncio.wait_for(carol.incoming.get(), 60)
    media.read(at_carol.invite.body)
    had, media.formats = media.formats, (chooses, EVENTS)
    at_carol.answer(media.sdp())
    media.formats = had
    return at_carol


async def keeps_its_codec(call: Call) -> None:
    asked = await change(call)
    assert b"PCMU" in asked.body
    call.answer_in_dialog(asked, 488)


async def both_hear(one: RtpPhone, other: RtpPhone, number: int) -> None:
    for speaker, listener in ((one, other), (other, one)):
        async with asyncio.timeout(60):
            while not any(heard.payload == b"\x31" * 20 for heard in listener.heard):
                speaker.send(b"\x31" * 20, number)
                await asyncio.to_thread(listener.listen, 0.05)


@pytest.mark.parametrize("speaks", [(G729, PCMU), (G729,)])
async def test_the_same_where_two_workers_hold_the_legs(
    open_path: Path, database: Database, speaking: Speakers, speaks: tuple[tuple[int, str], ...]
) -> None:
    alice_media, carol_media = speaking(*speaks), speaking(PCMU)
    async with TestExchange(open_path / "x", database, workers=2) as exchange:
        for number, name in (("1001", "alice"), ("1002", "bob"), ("1003", "carol")):
            await exchange.enrol(number, name)
        async with (
            exchange.phone("alice") as alice,
            exchange.phone("bob") as bob,
            exchange.phone("carol") as carol,
        ):
            first, at_bob = await called(alice, "1002", bob, alice_media, speaking(G729))
            second, at_carol = await called(bob, "1003", carol, speaking(PCMU), carol_media)
            carols = asyncio.create_task(answer_all(at_carol, carol_media))
            assert (await refer(at_bob, attended(replaced(second)))).status == 202
            if PCMU in speaks:
                await asked_for_another(first, alice_media)
                await hear_each_other(alice_media, carol_media)
                await first.bye()
            else:
                await keeps_its_codec(first)
            for call in (first, at_carol):
                await asyncio.wait_for(call.ended.wait(), 60)
            carols.cancel()
        cause = "caller-hung-up" if PCMU in speaks else "no-common-codec"
        assert {record.cause for record in await exchange.over()} == {cause, "transferred"}


async def test_a_call_is_taken_over_by_a_phone_without_its_codec(
    exchange: TestExchange, speaking: Speakers
) -> None:
    await exchange.enrol("1005", "desk", "mobile")
    alice_media, media = speaking(G729, PCMU), speaking(PCMU)
    async with (
        exchange.phone("alice") as alice,
        exchange.phone("desk") as desk,
        exchange.phone("mobile", registers=False) as mobile,
    ):
        first, at_desk = await called(alice, "1005", desk, alice_media, speaking(G729))
        taking = mobile.invite("1005", media.sdp(), ("Replaces", replaced(at_desk)))
        media.read((await taking.answered()).body)
        await asked_for_another(first, alice_media)

        await hear_each_other(alice_media, media)
        await taking.bye()
        await asyncio.wait_for(first.ended.wait(), 60)
    [record] = await exchange.over()
    assert len(record.legs) == 3


async def test_a_phone_that_calls_with_a_rare_codec_alone_rings_none_with_others(
    exchange: TestExchange, speaking: Speakers
) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", speaking(G729).sdp())
        at_bob = await asyncio.wait_for(bob.incoming.get(), 60)
        assert b"PCMU" not in at_bob.invite.body
        at_bob.refuse(488)
        await call.cancel()
    await exchange.over()
