"""The races of a call: who wins, and that both phones, the record and the worker agree on it."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pbx.sip.message import Response
from storage.calls import CallOutcome, CallRecord
from tests.support.calling import Talk, talking
from tests.support.exchange import TestExchange
from tests.support.phone_call import CallFailed, Incoming
from tests.support.rtp_phone import RtpPhone


@pytest.fixture
def media() -> Iterator[RtpPhone]:
    phone = RtpPhone()
    yield phone
    phone.close()


def described(incoming: Incoming | None = None, **options: Any) -> bytes:
    """What a phone that never speaks answers, or offers."""
    phone = RtpPhone(**options)
    try:
        if incoming is not None:
            phone.read(incoming.invite.body)
        return phone.sdp()
    finally:
        phone.close()


async def the_record(exchange: TestExchange) -> CallRecord:
    async with asyncio.timeout(60):
        [record] = await exchange.over()
    assert len(exchange.calls) == 0
    assert len(exchange.calls.listeners) == 0
    assert await exchange.media.calls() == []
    return record


async def rung(exchange: TestExchange, phone: object) -> Incoming:
    async with asyncio.timeout(60):
        return await phone.incoming.get()  # type: ignore[attr-defined, no-any-return]


async def test_a_caller_who_gives_up_before_any_phone_rings_disturbs_nobody(
    exchange: TestExchange, media: RtpPhone
) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", media.sdp())
        await call.cancel()
        with pytest.raises(CallFailed, match="487"):
            await call.answered()
        record = await the_record(exchange)

        assert bob.incoming.empty()
    assert (record.outcome, record.cause) == (CallOutcome.CANCELLED, "caller-gave-up")


async def test_an_answer_that_comes_after_the_cancel_gets_ack_and_bye(
    exchange: TestExchange, media: RtpPhone
) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", media.sdp())
        incoming = await rung(exchange, bob)
        incoming.heeds_cancel = False
        incoming.ring()
        await asyncio.gather(call.cancel(), incoming.cancelled.wait())
        with pytest.raises(CallFailed, match="487"):
            await call.answered()
        incoming.answer(described(incoming))
        async with asyncio.timeout(60):
            await incoming.confirmed.wait()
            await incoming.ended.wait()
        record = await the_record(exchange)

    assert record.outcome is CallOutcome.CANCELLED


async def test_cancel_and_answer_that_cross_end_at_both_phones(
    exchange: TestExchange, media: RtpPhone
) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", media.sdp())
        incoming = await rung(exchange, bob)
        incoming.heeds_cancel = False
        incoming.answer(described(incoming))
        await call.cancel()
        try:
            await call.answered()
        except CallFailed as failure:
            assert failure.response.status == 487
            await asyncio.wait_for(incoming.ended.wait(), 60)
        else:
            await call.bye()
        record = await the_record(exchange)

    assert record.outcome in (CallOutcome.CANCELLED, CallOutcome.ANSWERED)


NONSENSE: dict[str, Callable[[RtpPhone], bytes]] = {
    "another suite": lambda phone: described(suite="AEAD_AES_256_GCM").replace(b"256", b"999"),
    "a key that is too short": lambda phone: phone.sdp().replace(b"inline:", b"inline:AAAA\r\nb="),
    "no key": lambda phone: b"\r\n".join(
        line for line in phone.sdp().split(b"\r\n") if not line.startswith(b"a=crypto")
    ),
    "nothing": lambda phone: b"",
}


@pytest.mark.parametrize("kind", NONSENSE)
async def test_an_answer_that_was_not_offered_is_a_failed_call(
    exchange: TestExchange, media: RtpPhone, kind: str
) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", media.sdp())
        incoming = await rung(exchange, bob)
        incoming.answer(NONSENSE[kind](media))
        async with asyncio.timeout(60):
            await incoming.confirmed.wait()
            await incoming.ended.wait()
        await call.cancel()
        record = await the_record(exchange)

    assert incoming.end is not None
    assert "488" in incoming.end.headers.all("Reason")[0]
    assert record.outcome is CallOutcome.FAILED
    assert [leg.status for leg in record.legs] == [487, 488]


async def test_a_phone_that_answers_second_is_sent_away_and_ends_nothing(
    exchange: TestExchange, media: RtpPhone
) -> None:
    await exchange.enrol("1003", "desk", "mobile")
    async with (
        exchange.phone("alice") as alice,
        exchange.phone("desk") as desk,
        exchange.phone("mobile") as mobile,
    ):
        call = alice.invite("1003", media.sdp())
        first, second = await rung(exchange, desk), await rung(exchange, mobile)
        for incoming in (first, second):
            incoming.heeds_cancel = False
            incoming.answer(described(incoming))
        await call.answered()
        await asyncio.wait([asyncio.create_task(i.ended.wait()) for i in (first, second)],
                           return_when=asyncio.FIRST_COMPLETED, timeout=15)  # fmt: skip
        losers = [incoming for incoming in (first, second) if incoming.ended.is_set()]
        assert len(losers) == 1
        assert "elsewhere" in losers[0].end.headers.all("Reason")[0]  # type: ignore[union-attr]
        assert len(exchange.calls) == 1
        await call.bye()
        record = await the_record(exchange)

    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "caller-hung-up")


async def test_a_phone_that_lost_is_free_for_the_next_call(
    exchange: TestExchange, media: RtpPhone
) -> None:
    desk_id, mobile_id = await exchange.enrol("1003", "desk", "mobile")
    async with (
        exchange.phone("alice") as alice,
        exchange.phone("desk") as desk,
        exchange.phone("mobile") as mobile,
    ):
        call = alice.invite("1003", media.sdp())
        first, second = await rung(exchange, desk), await rung(exchange, mobile)
        second.ring()
        first.answer(described(first))
        await call.answered()
        await asyncio.wait_for(second.confirmed.wait(), 60)

        [row] = exchange.calls.snapshot()
        assert desk_id in row.devices
        assert mobile_id not in row.devices
        assert exchange.calls.hang_up_device(mobile_id, "device-changed") == 0
        assert exchange.calls.hang_up_device(desk_id, "device-changed") == 1
        await asyncio.wait_for(call.ended.wait(), 60)
        record = await the_record(exchange)

    assert record.cause == "device-changed"


async def test_a_phone_that_vanishes_while_it_rings_has_refused(
    exchange: TestExchange, media: RtpPhone
) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", media.sdp())
        (await rung(exchange, bob)).ring()
        bob.close()
        with pytest.raises(CallFailed, match="480"):
            await call.answered()
        record = await the_record(exchange)

    assert record.outcome is CallOutcome.OFFLINE


async def test_a_caller_who_vanishes_stops_the_ringing(
    exchange: TestExchange, media: RtpPhone
) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        alice.invite("1002", media.sdp())
        incoming = await rung(exchange, bob)
        incoming.ring()
        alice.close()
        await asyncio.wait_for(incoming.cancelled.wait(), 60)
        record = await the_record(exchange)

    assert record.outcome is CallOutcome.CANCELLED


async def test_a_call_outlives_the_flow_and_ends_by_a_new_one_that_proved_itself(
    exchange: TestExchange,
) -> None:
    async with talking(exchange) as talk:
        talk.alice.close()
        await asyncio.wait_for(talk.alice.closed.wait(), 60)
        assert len(exchange.calls) == 1
        await exchange.connect(talk.alice)
        challenges = talk.alice.challenges
        assert (await talk.outgoing.bye()).status == 200
        assert talk.alice.challenges == challenges + 1
        await asyncio.wait_for(talk.incoming.ended.wait(), 60)

    assert (await the_record(exchange)).cause == "caller-hung-up"


async def test_what_we_say_in_a_call_goes_to_the_flow_the_phone_has_now(
    exchange: TestExchange,
) -> None:
    async with talking(exchange) as talk:
        talk.bob.close()
        await asyncio.wait_for(talk.bob.closed.wait(), 60)
        await exchange.connect(talk.bob)
        await talk.bob.register()
        await talk.outgoing.bye()
        await asyncio.wait_for(talk.incoming.ended.wait(), 60)

    assert (await the_record(exchange)).cause == "caller-hung-up"


async def test_another_device_cannot_hang_up(exchange: TestExchange) -> None:
    await exchange.enrol("1003", "mallory")
    async with talking(exchange) as talk, exchange.phone("mallory") as mallory:
        bye = talk.outgoing.message("BYE")
        stolen = mallory.request("BYE", bye.uri_text)
        for name in ("From", "To", "Call-ID", "CSeq"):
            stolen.headers.set(name, bye.headers.all(name)[0])
        assert (await mallory.ask(stolen)).status == 403
        assert len(exchange.calls) == 1
        await talk.outgoing.bye()

    assert (await the_record(exchange)).cause == "caller-hung-up"


async def in_dialog(talk: Talk, method: str) -> Response:
    return await talk.outgoing.ask(talk.outgoing.message(method))


@pytest.mark.parametrize(("method", "status"), [("INFO", 200), ("OPTIONS", 200), ("MESSAGE", 405)])
async def test_small_talk_in_a_dialog(exchange: TestExchange, method: str, status: int) -> None:
    async with talking(exchange) as talk:
        assert (await in_dialog(talk, method)).status == status
        await talk.incoming.bye()

    assert (await the_record(exchange)).cause == "callee-hung-up"


async def test_hold_and_resume_are_answered_and_nonsense_leaves_the_call_alone(
    exchange: TestExchange,
) -> None:
    async with talking(exchange) as talk:
        held = await talk.outgoing.reinvite(talk.alice_media.sdp("sendonly"))
        assert b"a=recvonly" in held.body
        clear = NONSENSE["no key"](talk.alice_media)
        assert (await talk.outgoing.reinvite(clear)).status == 488
        resumed = await talk.incoming.reinvite(talk.bob_media.sdp())
        assert b"a=sendrecv" in resumed.body or b"a=sendonly" not in resumed.body
        assert (await in_dialog(talk, "UPDATE")).status == 200
        await talk.outgoing.bye()

    assert (await the_record(exchange)).outcome is CallOutcome.ANSWERED


async def test_a_reinvite_without_an_offer_is_answered_with_one(exchange: TestExchange) -> None:
    async with talking(exchange) as talk:
        offered = await talk.outgoing.reinvite(b"", talk.alice_media.sdp())
        assert b"a=crypto" in offered.body
        assert (await in_dialog(talk, "INFO")).status == 200
        await talk.outgoing.bye()

    assert (await the_record(exchange)).cause == "caller-hung-up"


async def test_an_ack_that_answers_nonsense_ends_the_call(exchange: TestExchange) -> None:
    async with talking(exchange) as talk:
        await talk.outgoing.reinvite(b"", NONSENSE["no key"](talk.alice_media))
        await asyncio.wait_for(talk.outgoing.ended.wait(), 60)

    assert (await the_record(exchange)).cause == "caller-answer-refused"


async def test_the_session_is_refreshed_and_a_phone_without_timers_is_left_alone(
    exchange: TestExchange,
) -> None:
    async with talking(exchange) as talk:
        talk.incoming.answers_with = talk.bob_media.sdp()
        now = asyncio.get_running_loop().time()
        exchange.stack.expire(now + 901)
        exchange.driver.poke()
        refresh = await asyncio.wait_for(talk.outgoing.requests.get(), 60)
        talk.outgoing.answer_in_dialog(refresh, 200, talk.alice_media.sdp())
        assert (await in_dialog(talk, "INFO")).status == 200
        exchange.stack.expire(now + 4000)  # an answer without Session-Expires: it expires no more
        exchange.driver.poke()
        assert (await in_dialog(talk, "INFO")).status == 200
        await talk.outgoing.bye()

    assert (await the_record(exchange)).cause == "caller-hung-up"


async def test_a_phone_that_knows_the_call_no_more_ends_it(exchange: TestExchange) -> None:
    async with talking(exchange) as talk:
        talk.incoming.answers_with = talk.bob_media.sdp()
        exchange.stack.expire(asyncio.get_running_loop().time() + 901)
        exchange.driver.poke()
        refresh = await asyncio.wait_for(talk.outgoing.requests.get(), 60)
        talk.outgoing.answer_in_dialog(refresh, 481)
        await asyncio.wait_for(talk.outgoing.ended.wait(), 60)

    assert (await the_record(exchange)).cause == "caller-session-expired"


@pytest.mark.parametrize(("has_offer", "status"), [(True, 500), (False, 200)])
async def test_an_update_before_the_answer(
    exchange: TestExchange, media: RtpPhone, has_offer: bool, status: int
) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", media.sdp())
        answered = asyncio.create_task(call.answered())
        incoming = await rung(exchange, bob)
        incoming.ring()
        await asyncio.wait_for(call.ringing.wait(), 60)
        call.establish(call.provisionals[-1])
        update = call.message("UPDATE", media.sdp() if has_offer else b"")
        assert (await call.ask(update)).status == status
        assert (await call.ask(call.message("BYE"))).status == 200
        with pytest.raises(CallFailed, match="487"):
            await answered
        await asyncio.wait_for(incoming.cancelled.wait(), 60)
        record = await the_record(exchange)

    assert record.outcome is CallOutcome.CANCELLED


async def test_an_administrator_ends_a_call_at_both_phones(exchange: TestExchange) -> None:
    async with talking(exchange) as talk:
        [row] = exchange.calls.snapshot()
        assert exchange.calls.hang_up(row.id, "administrator")
        assert not exchange.calls.hang_up(row.devices[0], "administrator")
        async with asyncio.timeout(60):
            await talk.outgoing.ended.wait()
            await talk.incoming.ended.wait()

    assert (await the_record(exchange)).cause == "administrator"
