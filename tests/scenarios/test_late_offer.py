"""Calls whose INVITE describes nothing: we offer, and the phone answers in its ACK or PRACK."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media.worker.codecs.g711 import decode_ulaw
from storage.calls import CallOutcome
from storage.database import Database
from tests.support import tone
from tests.support.ear import MUSIC_HZ, Ear
from tests.support.exchange import TestExchange
from tests.support.media_worker import kept_tones
from tests.support.phone_call import CallFailed
from tests.support.pjsua import PjsuaPhone
from tests.support.rtp_phone import RtpPhone

pytestmark = pytest.mark.slow

ALICE_HZ, BOB_HZ = 440.0, 1000.0
NOT_IN_SERVICE_HZ = 985.2


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[TestExchange]:
    """With extensions 1001 and 1002; a tone that can be told apart stands for every prompt."""
    made = TestExchange(open_path / "x", database, ring_seconds=60)
    made.prompts = kept_tones()
    async with made as running:
        await running.enrol("1001", "alice")
        await running.enrol("1002", "bob")
        yield running


RELIABLE = 2


def pjsua(exchange: TestExchange, name: str, hertz: float, **options: object) -> PjsuaPhone:
    return PjsuaPhone(**exchange.phone_options(name, tone_hz=hertz, **options))


async def ear_of(phone: PjsuaPhone) -> Ear:
    return Ear((await phone.wait("recording"))["path"])


@pytest.mark.parametrize("prack", [0, RELIABLE])
async def test_a_call_without_an_offer_is_heard_at_both_ends_and_can_be_held(
    exchange: TestExchange, prack: int
) -> None:
    async with (
        pjsua(exchange, "alice", ALICE_HZ, prack=prack) as alice,
        pjsua(exchange, "bob", BOB_HZ, answer_with=180) as bob,
    ):
        await alice.registered()
        await bob.registered()
        call = await alice.call("sip:1002@clinic.example", late=True)
        await alice.wait("state", call=call, state="EARLY")
        bob.do("answer", call=0, code=200)
        await alice.confirmed(call)
        at_alice, at_bob = await ear_of(alice), await ear_of(bob)
        await asyncio.gather(at_alice.hears(BOB_HZ), at_bob.hears(ALICE_HZ))
        alice.do("hold", call=call)
        await at_bob.hears(MUSIC_HZ)
        alice.do("resume", call=call)
        await asyncio.gather(at_alice.hears(BOB_HZ), at_bob.hears(ALICE_HZ))
        alice.do("resume", call=call, late=True)  # a re-INVITE without an offer
        await asyncio.gather(at_alice.hears(BOB_HZ), at_bob.hears(ALICE_HZ))
        alice.do("hangup", call=call)
        await bob.disconnected(0)

    [record] = await exchange.over()
    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "caller-hung-up")
    assert [leg.receipt.suite for leg in record.legs] == ["AES_CM_128_HMAC_SHA1_80"] * 2


async def test_a_prompt_before_a_refusal_is_heard_by_a_phone_that_answers_in_its_prack(
    exchange: TestExchange,
) -> None:
    media = RtpPhone()
    async with exchange.phone("alice") as alice:
        call = alice.invite("4711", b"", ("Require", "100rel"))
        answered = asyncio.create_task(call.answered())
        await asyncio.wait_for(call.ringing.wait(), 60)
        progress = call.provisionals[-1]
        assert progress.status == 183
        media.read(progress.body)
        call.establish(progress)
        prack = call.message("PRACK", media.sdp())
        prack.headers.add("RAck", f"{progress.headers.first('RSeq')} {progress.cseq}")
        assert (await call.ask(prack)).status == 200
        media.send()
        heard = await asyncio.to_thread(media.listen, 10.0, until=60)
        samples = [sample for packet in heard for sample in decode_ulaw(packet.payload)]
        assert tone.seconds_of(samples, 8000, NOT_IN_SERVICE_HZ) > 0.2
        with pytest.raises(CallFailed, match="404"):
            await answered
    media.close()
    await exchange.over()


async def test_to_other_phones_a_refusal_comes_without_a_prompt(
    exchange: TestExchange,
) -> None:
    async with pjsua(exchange, "alice", ALICE_HZ) as alice:
        await alice.registered()
        call = await alice.call("sip:4711@clinic.example", late=True)
        ended = await alice.disconnected(call)

    assert ended["code"] == 404


async def test_an_emergency_call_without_an_offer_is_answered_and_announced(
    exchange: TestExchange,
) -> None:
    async with pjsua(exchange, "alice", ALICE_HZ) as alice:
        await alice.registered()
        call = await alice.call("sip:911@clinic.example", late=True)
        await alice.confirmed(call)
        path = (await alice.wait("recording"))["path"]
        await tone.until_heard(path, NOT_IN_SERVICE_HZ, seconds=0.2)  # stands for the prompt
        alice.do("hangup", call=call)
        await alice.disconnected(call)

    [record] = await exchange.over()
    assert record.is_emergency


@pytest.mark.parametrize("late_answer", [b"", b"v=0\r\n"])
async def test_an_ack_that_answers_nothing_ends_the_call_at_both_phones(
    exchange: TestExchange, late_answer: bytes
) -> None:
    theirs = RtpPhone()
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002")
        call.answers_late = lambda _: late_answer
        answered = asyncio.create_task(call.answered())
        async with asyncio.timeout(60):
            incoming = await bob.incoming.get()
            theirs.read(incoming.invite.body)
            incoming.answer(theirs.sdp())
            assert b"a=crypto" in (await answered).body
            await call.ended.wait()
            await incoming.ended.wait()
    theirs.close()
    [record] = await exchange.over()
    assert record.cause == "caller-answer-refused"
