"""Offers and answers in the middle of a call that are cut short."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.calling import talking
from tests.support.exchange import TestExchange
from tests.support.rtp_phone import RtpPhone


@pytest.mark.parametrize("is_late", [True, False])
async def test_a_phone_whose_connection_breaks_while_it_offers_may_offer_again(
    exchange: TestExchange, is_late: bool
) -> None:
    async with talking(exchange) as talk:
        phone, sdp = talk.outgoing, talk.alice_media.sdp()
        phone.answers_with = sdp
        [leg, _] = exchange.legs()
        talk.alice.start(phone.message("INVITE", b"" if is_late else sdp))
        talk.alice.close()
        async with asyncio.timeout(60):
            while exchange.stack.facts(leg.flow) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await exchange.connect(talk.alice)
        assert (await talk.alice.register()).status == 200
        async with asyncio.timeout(60):  # ours may cross it: it is told again how the session is
            while (held := await phone.reinvite(sdp)).status == 491:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert held.status == 200
        assert (await talk.incoming.ask(talk.incoming.message("INFO"))).status == 200
        await phone.bye()
    assert len(await exchange.over()) == 1


async def test_an_answer_that_was_lost_with_a_connection_is_asked_for_by_the_next_one(
    exchange: TestExchange,
) -> None:
    async with talking(exchange) as talk:
        phone, sdp = talk.outgoing, talk.alice_media.sdp()
        assert (await phone.ask(phone.message("INVITE", b""))).status == 200  # no ACK comes
        talk.alice.close()
        await exchange.connect(talk.alice)
        assert (await talk.alice.register()).status == 200
        exchange.stack.expire(asyncio.get_running_loop().time() + 40)  # 64*T1 (RFC 3261 §13.3.1.4)
        exchange.driver.poke()
        asked = await asyncio.wait_for(phone.requests.get(), 60)
        assert asked.method == "INVITE"
        phone.answer_in_dialog(asked, 200, sdp)
        assert (await talk.incoming.ask(talk.incoming.message("INFO"))).status == 200
        assert (await phone.reinvite(sdp)).status == 200  # and may offer again
        await phone.bye()
    [record] = await exchange.over()
    assert record.cause == "caller-hung-up"


async def test_a_call_whose_first_answer_is_never_acknowledged_ends(exchange: TestExchange) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        media = RtpPhone()
        call = alice.invite("1002", media.sdp())
        incoming = await asyncio.wait_for(bob.incoming.get(), 60)
        media.read(incoming.invite.body)
        incoming.answer(media.sdp())
        await asyncio.wait_for(incoming.confirmed.wait(), 60)
        async with asyncio.timeout(60):
            while (await call._responses.get()).status != 200:
                pass
        exchange.stack.expire(asyncio.get_running_loop().time() + 40)
        exchange.driver.poke()
        await asyncio.wait_for(incoming.ended.wait(), 60)
        media.close()
    [record] = await exchange.over()
    assert record.cause == "caller-no-ack"
