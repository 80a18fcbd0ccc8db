"""Hold and resume with real phones: who hears what at both ends, at every step."""

import asyncio
from pathlib import Path

import pytest

from tests.support.baresip import BaresipPhone
from tests.support.calling import talking
from tests.support.ear import MUSIC_HZ, Ear
from tests.support.exchange import DOMAIN, SECRET, TestExchange
from tests.support.pjsua import PjsuaPhone
from tests.support.tone import seconds_of

pytestmark = pytest.mark.slow

ALICE_HZ, BOB_HZ, CAROL_HZ = 440.0, 1000.0, 1250.0


def pjsua(exchange: TestExchange, name: str, hertz: float, **options: object) -> PjsuaPhone:
    return PjsuaPhone(**exchange.phone_options(name, tone_hz=hertz, **options))


async def ear_of(phone: PjsuaPhone) -> Ear:
    return Ear((await phone.wait("recording"))["path"])


def baresip(exchange: TestExchange) -> BaresipPhone:
    return BaresipPhone(
        exchange.folder / "baresip", user="carol", username="carol", password=SECRET,
        domain=DOMAIN, host="127.0.0.1", port=exchange.md5_port, tone_hz=int(CAROL_HZ),
    )  # fmt: skip


def newest(phone: BaresipPhone) -> Path:
    return max(phone.folder.glob("dump-*-dec.wav"), default=phone.folder / "not-yet.wav")


@pytest.mark.parametrize("holder", ["caller", "callee"])
async def test_whoever_holds_the_other_hears_music_and_then_the_voice_again(
    exchange: TestExchange, holder: str
) -> None:
    async with (
        pjsua(exchange, "alice", ALICE_HZ) as alice,
        pjsua(exchange, "bob", BOB_HZ, answer_with=200) as bob,
    ):
        await alice.registered()
        await bob.registered()
        call = await alice.call("sip:1002@clinic.example")
        await alice.confirmed(call)
        at_alice, at_bob = await ear_of(alice), await ear_of(bob)
        await asyncio.gather(at_alice.hears(BOB_HZ), at_bob.hears(ALICE_HZ))
        phone, number, hertz, waits = (
            (alice, call, ALICE_HZ, at_bob) if holder == "caller" else (bob, 0, BOB_HZ, at_alice)
        )
        for _ in range(2):
            phone.do("hold", call=number)
            await waits.hears(MUSIC_HZ, 0.3)
            await waits.hears(MUSIC_HZ, never=(hertz,))
            phone.do("resume", call=number)
            await asyncio.gather(at_alice.hears(BOB_HZ), at_bob.hears(ALICE_HZ))
            await waits.hears(hertz, never=(MUSIC_HZ,))
        alice.do("hangup", call=call)
        await bob.disconnected(0)

    [record] = await exchange.over()
    assert record.cause == "caller-hung-up"
    assert [leg.receipt.rekeys for leg in record.legs] == [0, 0]


async def test_both_phones_hold_and_resume_in_any_order(exchange: TestExchange) -> None:
    async with (
        pjsua(exchange, "alice", ALICE_HZ) as alice,
        pjsua(exchange, "bob", BOB_HZ, answer_with=200) as bob,
    ):
        await alice.registered()
        await bob.registered()
        call = await alice.call("sip:1002@clinic.example")
        await alice.confirmed(call)
        at_alice, at_bob = await ear_of(alice), await ear_of(bob)
        await at_bob.hears(ALICE_HZ)
        alice.do("hold", call=call)
        await at_bob.hears(MUSIC_HZ)
        bob.do("hold", call=0)
        await bob.wait("media", call=0, status=2)  # PJSUA_CALL_MEDIA_LOCAL_HOLD
        alice.do("resume", call=call)
        await at_alice.hears(MUSIC_HZ)
        bob.do("resume", call=0)
        await asyncio.gather(at_alice.hears(BOB_HZ), at_bob.hears(ALICE_HZ))
        bob.do("hangup", call=0)
        await alice.disconnected(call)


async def test_baresip_holds_and_is_held(exchange: TestExchange) -> None:
    await exchange.enrol("1003", "carol", md5=True)
    async with pjsua(exchange, "alice", ALICE_HZ) as alice, baresip(exchange) as carol:
        await alice.registered()
        await carol.wait("REGISTER_OK")
        call = await alice.call("sip:1003@clinic.example")
        await alice.confirmed(call)
        at_alice, at_carol = await ear_of(alice), Ear(lambda: newest(carol), 8000)
        await asyncio.gather(at_alice.hears(CAROL_HZ), at_carol.hears(ALICE_HZ))
        alice.do("hold", call=call)
        await at_carol.hears(MUSIC_HZ)
        await at_carol.hears(MUSIC_HZ, never=(ALICE_HZ,))
        alice.do("resume", call=call)
        await asyncio.gather(at_alice.hears(CAROL_HZ), at_carol.hears(ALICE_HZ))
        carol.do("hold")
        await at_alice.hears(MUSIC_HZ)
        await at_alice.hears(MUSIC_HZ, never=(CAROL_HZ,))
        carol.do("resume")
        await at_alice.hears(CAROL_HZ)  # its own recording ends with the first hold it makes
        alice.do("hangup", call=call)
        await carol.wait("CALL_CLOSED")


async def test_the_old_way_to_hold_a_call_and_a_held_phone_that_is_silent_is_no_vanished_one(
    open_path,
    database,  # type: ignore[no-untyped-def]
) -> None:
    async with TestExchange(open_path / "x", database, media={"silence_limit": 1}) as exchange:
        await exchange.enrol("1001", "alice")
        await exchange.enrol("1002", "bob")
        async with talking(exchange) as talk:
            nowhere = talk.bob_media.sdp("sendrecv", "0.0.0.0")  # noqa: S104 - RFC 2543's hold
            held = await talk.incoming.reinvite(nowhere)
            assert b"a=recvonly" in held.body
            end = asyncio.get_running_loop().time() + 2.5
            while asyncio.get_running_loop().time() < end:
                talk.alice_media.send_tone(ALICE_HZ)
                await asyncio.to_thread(talk.alice_media.listen, 0.02)
            samples = [s for heard in talk.alice_media.heard[-50:] for s in decoded(heard.payload)]
            assert seconds_of(samples, 8000, MUSIC_HZ) > 0.3
            assert len(exchange.calls) == 1
            resumed = await talk.incoming.reinvite(talk.bob_media.sdp())
            assert b"a=sendrecv" in resumed.body
            await talk.outgoing.bye()
        [record] = await exchange.over()
        assert record.cause == "caller-hung-up"


def decoded(payload: bytes) -> list[int]:
    from media.worker.codecs.g711 import decode_ulaw

    return list(decode_ulaw(payload))
