"""What the exchange asks of a phone in a call: one thing at a time, and again after a glare."""

import asyncio

import pytest

from pbx.b2bua.asking import OTHER, OWNER, back_off
from pbx.sip.message import Request, response_to
from tests.support.calling import Talk, talking
from tests.support.exchange import TestExchange
from tests.support.phone_call import Call

LATE = 30.0
"""Seconds that a busy machine may be."""

TIMED = (("Session-Expires", "1800;refresher=uac"), ("Require", "timer"))


def refresh(exchange: TestExchange) -> None:
    """Half of the session interval is over, for the stack."""
    exchange.stack.expire(asyncio.get_running_loop().time() + 901)
    exchange.driver.poke()


async def asked(call: Call, seconds: float = 60.0) -> Request:
    return await asyncio.wait_for(call.requests.get(), seconds)


async def settled(talk: Talk) -> None:
    """Both legs have gone through what waited."""
    for call in (talk.outgoing, talk.incoming):
        assert (await call.ask(call.message("INFO"))).status == 200


def other_end(talk: Talk, caller: bool) -> tuple[Call, bytes]:
    """The phone that is asked; the other one just answers."""
    talk.outgoing.answers_with = b"" if caller else talk.alice_media.sdp()
    talk.incoming.answers_with = talk.bob_media.sdp() if caller else b""
    media = talk.alice_media if caller else talk.bob_media
    return (talk.outgoing if caller else talk.incoming), media.sdp()


def test_the_owner_of_the_call_id_waits_longer() -> None:
    for is_owner, (least, most) in ((True, OWNER), (False, OTHER)):
        waits = {back_off(is_owner=is_owner) for _ in range(2000)}
        assert least <= min(waits) <= max(waits) <= most
        assert all(round(wait * 100, 6) == round(wait * 100) for wait in waits)


@pytest.mark.parametrize(("caller", "least", "most"), [(True, 0.0, 2.0), (False, 2.1, 4.0)])
async def test_a_glare_is_asked_again_after_the_right_wait(
    exchange: TestExchange, caller: bool, least: float, most: float
) -> None:
    loop = asyncio.get_running_loop()
    async with talking(exchange, says=TIMED) as talk:
        phone, sdp = other_end(talk, caller)
        refresh(exchange)
        first = await asked(phone)
        phone.answer_in_dialog(first, 491)
        refused_at = loop.time()
        again = await asked(phone)
        waited = loop.time() - refused_at
        assert again.method == first.method == "INVITE"
        assert again.cseq.number > first.cseq.number
        assert again.body == first.body  # what is offered has not changed
        assert least - 0.05 <= waited <= most + LATE
        phone.answer_in_dialog(again, 200, sdp)
        await settled(talk)
        await talk.outgoing.bye()
    [record] = await exchange.over()
    assert record.cause == "caller-hung-up"


async def test_a_call_of_many_hours_remembers_no_question_that_was_answered(
    exchange: TestExchange,
) -> None:
    async with talking(exchange) as talk:
        for phone, media in ((talk.outgoing, talk.alice_media), (talk.incoming, talk.bob_media)):
            phone.answers_with = media.sdp()
        await settled(talk)
        before = len(exchange.calls.listeners)
        for _ in range(5):
            for leg in exchange.legs():
                leg.asking.offer()
            await settled(talk)
        async with asyncio.timeout(60):
            while len(exchange.calls.listeners) != before:  # the worker may take its time
                await settled(talk)
        await talk.outgoing.bye()


async def test_a_phone_that_asks_while_we_ask_is_told_so_and_may_ask_again(
    exchange: TestExchange,
) -> None:
    async with talking(exchange) as talk:
        phone, sdp = other_end(talk, caller=True)
        refresh(exchange)
        ours = await asked(phone)
        hold = talk.alice_media.sdp("sendonly")
        assert (await phone.reinvite(hold)).status == 491
        phone.answer_in_dialog(ours, 491)
        held = await phone.reinvite(hold)  # at once: our own offer is withdrawn
        assert held.status == 200
        assert b"a=recvonly" in held.body
        again = await asked(phone)
        phone.answer_in_dialog(again, 200, hold)
        await settled(talk)
        assert (await phone.reinvite(sdp)).status == 200
        await talk.outgoing.bye()


async def test_a_refusal_for_good_is_not_asked_again(
    exchange: TestExchange,
) -> None:
    async with talking(exchange) as talk:
        phone, sdp = other_end(talk, caller=True)
        refresh(exchange)
        refusal = await asked(phone)
        phone.answer_in_dialog(refusal, 488)
        await settled(talk)
        assert phone.requests.empty()
        assert (await phone.reinvite(sdp)).status == 200
        await talk.outgoing.bye()
    assert len(await exchange.over()) == 1


async def test_a_phone_that_is_busy_for_a_moment_is_asked_again(exchange: TestExchange) -> None:
    async with talking(exchange) as talk:
        phone, sdp = other_end(talk, caller=True)
        refresh(exchange)
        for _ in range(2):
            busy = response_to(refused := await asked(phone), 500)
            busy.headers.add("Retry-After", "0 (soon);duration=1")
            phone.phone.send(busy)
        again = await asked(phone)
        assert again.cseq.number > refused.cseq.number
        phone.answer_in_dialog(again, 200, sdp)
        await settled(talk)
        await talk.outgoing.bye()
    [record] = await exchange.over()
    assert record.cause == "caller-hung-up"


async def test_a_phone_that_offered_late_is_not_asked_before_its_ack(
    exchange: TestExchange,
) -> None:
    async with talking(exchange) as talk:
        phone, sdp = other_end(talk, caller=True)
        late = phone.message("INVITE")
        offered = await phone.ask(late)
        assert offered.status == 200 and b"a=crypto" in offered.body
        assert (await phone.ask(phone.message("UPDATE", sdp))).status == 491
        ack = phone.message("ACK", sdp)
        ack.headers.set("CSeq", f"{late.cseq.number} ACK")
        phone.phone.start(ack)
        phone.phone.finish(ack)
        assert (await phone.ask(phone.message("UPDATE", sdp))).status == 200
        await talk.outgoing.bye()
    [record] = await exchange.over()
    assert record.cause == "caller-hung-up"
