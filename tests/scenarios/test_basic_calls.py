"""Two real phones talk through the exchange, and everything that can come instead."""

import pytest

from pbx.b2bua.config import CallsConfig
from pbx.b2bua.identity import Place
from storage.calls import CallOutcome, CallRecord
from tests.support import tone
from tests.support.exchange import TestExchange
from tests.support.pjsua import PjsuaPhone

pytestmark = pytest.mark.slow

ALICE_HZ, BOB_HZ = 440.0, 1000.0


def alice(exchange: TestExchange, **options: object) -> PjsuaPhone:
    return PjsuaPhone(**exchange.phone_options("alice", tone_hz=ALICE_HZ, **options))


def bob(exchange: TestExchange, **options: object) -> PjsuaPhone:
    return PjsuaPhone(**exchange.phone_options("bob", tone_hz=BOB_HZ, **options))


async def the_record(exchange: TestExchange) -> CallRecord:
    [record] = await exchange.over()
    return record


async def test_two_phones_hear_each_other_and_the_record_says_how_it_was_protected(
    exchange: TestExchange,
) -> None:
    async with alice(exchange) as caller, bob(exchange, answer_with=200) as callee:
        await caller.registered()
        await callee.registered()
        call = await caller.call("sip:1002@clinic.example")
        await caller.confirmed(call)
        await tone.until_heard((await caller.wait("recording"))["path"], BOB_HZ, seconds=2.0)
        await tone.until_heard((await callee.wait("recording"))["path"], ALICE_HZ, seconds=2.0)
        caller.do("hangup", call=call)
        await callee.disconnected(0)

    record = await the_record(exchange)
    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "caller-hung-up")
    assert [leg.receipt.suite for leg in record.legs] == ["AES_CM_128_HMAC_SHA1_80"] * 2
    assert [leg.status for leg in record.legs] == [200, 200]
    for leg in record.legs:
        assert leg.receipt.received > 50
        assert leg.receipt.signalling is not None
        assert leg.receipt.signalling.tls_version == "TLSv1.2"
        assert leg.receipt.signalling.authentication == "digest SHA-256"
    assert "call.ended" in await exchange.ledger_actions()


async def test_who_calls_is_asserted_by_us_and_never_taken_from_the_phone(
    exchange: TestExchange,
) -> None:
    async with alice(exchange) as caller, bob(exchange) as callee:
        await caller.registered()
        await callee.registered()
        await caller.call("sip:1002@clinic.example")
        incoming = await callee.wait("incoming")

    assert incoming["remote"] == '"Person 1001" <sip:1001@clinic.example>'
    assert "P-Asserted-Identity: <sip:1001@clinic.example>" in incoming["message"]
    assert "alice" not in incoming["message"]


async def test_a_phone_in_a_lobby_shows_a_number_and_no_name(exchange: TestExchange) -> None:
    await exchange.enrol("1003", "door", place=Place.LOBBY)
    door = PjsuaPhone(**exchange.phone_options("door"))
    async with alice(exchange) as caller, door:
        await caller.registered()
        await door.registered()
        await caller.call("sip:1003@clinic.example")
        incoming = await door.wait("incoming")

    assert incoming["remote"] == "<sip:1001@clinic.example>"


async def test_the_caller_gives_up_and_the_phone_stops_ringing(exchange: TestExchange) -> None:
    async with alice(exchange) as caller, bob(exchange, answer_with=180) as callee:
        await caller.registered()
        await callee.registered()
        call = await caller.call("sip:1002@clinic.example")
        await caller.wait("state", call=call, state="EARLY")
        caller.do("hangup", call=call)
        ended = await caller.disconnected(call)
        await callee.disconnected(0)

    assert ended["code"] == 487
    record = await the_record(exchange)
    assert (record.outcome, record.cause) == (CallOutcome.CANCELLED, "caller-gave-up")
    assert [leg.status for leg in record.legs] == [487, 0]


@pytest.mark.parametrize(
    ("answer", "status", "outcome"),
    [(486, 486, CallOutcome.BUSY), (603, 603, CallOutcome.DECLINED)],
)
async def test_a_refusal_reaches_the_caller_after_a_prompt(
    exchange: TestExchange, answer: int, status: int, outcome: CallOutcome
) -> None:
    async with alice(exchange) as caller, bob(exchange, answer_with=answer) as callee:
        await caller.registered()
        await callee.registered()
        call = await caller.call("sip:1002@clinic.example")
        await caller.wait("recording")  # the prompt comes on an open path
        ended = await caller.disconnected(call, seconds=60)

    assert ended["code"] == status
    assert (await the_record(exchange)).outcome is outcome


async def test_nobody_answers(exchange: TestExchange) -> None:
    exchange.calls.reconfigure(CallsConfig(ring_seconds=5))
    async with alice(exchange) as caller, bob(exchange, answer_with=180) as callee:
        await caller.registered()
        await callee.registered()
        call = await caller.call("sip:1002@clinic.example")
        await callee.disconnected(0)
        ended = await caller.disconnected(call, seconds=60)

    assert ended["code"] == 480
    assert (await the_record(exchange)).outcome is CallOutcome.NO_ANSWER


async def test_a_phone_that_is_not_there(exchange: TestExchange) -> None:
    async with alice(exchange) as caller:
        await caller.registered()
        call = await caller.call("sip:1002@clinic.example")
        ended = await caller.disconnected(call, seconds=60)

    assert ended["code"] == 480
    assert (await the_record(exchange)).outcome is CallOutcome.OFFLINE


async def test_an_unknown_number_is_404_after_a_prompt(exchange: TestExchange) -> None:
    async with alice(exchange) as caller:
        await caller.registered()
        call = await caller.call("sip:4711@clinic.example")
        await caller.wait("recording")
        ended = await caller.disconnected(call, seconds=60)

    assert ended["code"] == 404


async def test_of_two_phones_of_a_person_the_other_is_told_that_it_was_answered_elsewhere(
    exchange: TestExchange,
) -> None:
    await exchange.enrol("1003", "desk", "mobile")
    desk = PjsuaPhone(**exchange.phone_options("desk", tone_hz=BOB_HZ, answer_with=180))
    mobile = PjsuaPhone(**exchange.phone_options("mobile", answer_with=180))
    async with alice(exchange) as caller, desk, mobile:
        for phone in (caller, desk, mobile):
            await phone.registered()
        call = await caller.call("sip:1003@clinic.example")
        await mobile.wait("incoming")
        await desk.wait("incoming")
        desk.do("answer", call=0, code=200)
        await caller.confirmed(call)
        await mobile.disconnected(0)
        await tone.until_heard((await caller.wait("recording"))["path"], BOB_HZ, seconds=1.0)
        desk.do("hangup", call=0)
        await caller.disconnected(call)

    record = await the_record(exchange)
    assert record.cause == "callee-hung-up"
    assert len(record.legs) == 3


@pytest.mark.parametrize("vanishing", ["caller", "callee"])
async def test_a_phone_that_vanishes_ends_the_call(open_path, database, vanishing: str) -> None:  # type: ignore[no-untyped-def]
    media = {"silence_limit": 3}
    async with TestExchange(open_path / "x", database, media=media) as exchange:
        await exchange.enrol("1001", "alice")
        await exchange.enrol("1002", "bob")
        async with alice(exchange) as caller, bob(exchange, answer_with=200) as callee:
            await caller.registered()
            await callee.registered()
            call = await caller.call("sip:1002@clinic.example")
            await caller.confirmed(call)
            await callee.confirmed(0)
            gone, left, theirs = (
                (caller, callee, 0) if vanishing == "caller" else (callee, caller, call)
            )
            gone.kill()
            await left.disconnected(theirs, seconds=60)

        record = await the_record(exchange)
        assert record.cause == f"{vanishing}-silent"
        assert len(exchange.calls) == 0


async def test_a_phone_without_srtp_is_refused_even_to_911(exchange: TestExchange) -> None:
    async with alice(exchange, srtp=False) as caller:
        await caller.registered()
        call = await caller.call("sip:1002@clinic.example")
        ended = await caller.disconnected(call)
        emergency = await caller.call("sip:911@clinic.example")
        refused = await caller.disconnected(emergency)

    assert (ended["code"], refused["code"]) == (488, 488)


async def test_the_echo_test_gives_back_what_the_phone_says(exchange: TestExchange) -> None:
    async with alice(exchange) as caller:
        await caller.registered()
        call = await caller.call("sip:*43@clinic.example")
        await caller.confirmed(call)
        heard = await caller.wait("recording")
        await tone.until_heard(heard["path"], ALICE_HZ, seconds=1.0, patience=60)
        caller.do("hangup", call=call)
        await caller.disconnected(call)


async def test_an_emergency_call_rings_the_designated_phone(exchange: TestExchange) -> None:
    await exchange.enrol("1003", "front", place=Place.LOBBY, emergency=True)
    front = PjsuaPhone(**exchange.phone_options("front", tone_hz=BOB_HZ, answer_with=180))
    async with alice(exchange) as caller, front:
        await caller.registered()
        await front.registered()
        call = await caller.call("sip:911@clinic.example")
        await caller.confirmed(call)
        incoming = await front.wait("incoming")
        front.do("answer", call=0, code=200)
        await tone.until_heard((await caller.wait("recording"))["path"], BOB_HZ, seconds=1.0)
        caller.do("hangup", call=call)
        await front.disconnected(0)

    assert '"Person 1001"' in incoming["remote"]
    record = await the_record(exchange)
    assert (record.is_emergency, record.route) == (True, "emergency")
    actions = await exchange.ledger_actions()
    assert "emergency_call.started" in actions
    assert "emergency_call.ended" in actions


async def test_an_emergency_call_with_nobody_designated_is_answered_and_announced(
    exchange: TestExchange,
) -> None:
    async with alice(exchange) as caller:
        await caller.registered()
        call = await caller.call("sip:9911@clinic.example")
        await caller.confirmed(call)
        await caller.wait("recording")
        caller.do("hangup", call=call)
        await caller.disconnected(call)

    assert (await the_record(exchange)).is_emergency


async def test_a_media_worker_that_dies_ends_its_calls_with_a_recorded_cause(
    exchange: TestExchange,
) -> None:
    async with alice(exchange) as caller, bob(exchange, answer_with=200) as callee:
        await caller.registered()
        await callee.registered()
        call = await caller.call("sip:1002@clinic.example")
        await caller.confirmed(call)
        await callee.confirmed(0)
        await exchange.workers[0].kill()
        await caller.disconnected(call)
        await callee.disconnected(0)

    assert (await the_record(exchange)).cause == "media-worker-lost"
