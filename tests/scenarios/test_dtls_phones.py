"""Phones that make their keys by a handshake, beside phones that name them (RFC 5763)."""

import asyncio

import pytest

from tests.support import tone
from tests.support.baresip import BaresipPhone
from tests.support.dtls_phone import Certificate, DtlsPhone
from tests.support.exchange import DOMAIN, SECRET, TestExchange
from tests.support.pjsua import PjsuaPhone
from tests.support.rtp_phone import RtpPhone

pytestmark = pytest.mark.slow

PJSIP_HZ, CAROL_HZ, DAVE_HZ = 440.0, 700.0, 1000.0
ALICE = f"sip:1001@{DOMAIN}"
CAROL = f"sip:1003@{DOMAIN}"


def baresip(exchange: TestExchange, user: str, hertz: float, **options: object) -> BaresipPhone:
    return BaresipPhone(
        exchange.folder / user, user=user, username=user, password=SECRET, domain=DOMAIN,
        port=exchange.md5_port, tone_hz=int(hertz),
        **{"host": "127.0.0.1", "mediaenc": "dtls_srtp", **options},  # type: ignore[arg-type]
    )  # fmt: skip


async def until_both_heard(alice: PjsuaPhone, carol: BaresipPhone) -> None:
    recording: str = (await alice.wait("recording"))["path"]
    await tone.until_heard(recording, CAROL_HZ, seconds=2.0)
    await tone.until_heard(lambda: carol.heard, PJSIP_HZ, seconds=2.0, rate=8000)


@pytest.mark.parametrize("rtcp_mux", [False, True], ids=["two ports", "one port"])
async def test_a_dtls_phone_calls_an_sdes_phone_and_is_called_by_it(
    exchange: TestExchange, rtcp_mux: bool
) -> None:
    await exchange.enrol("1003", "carol", md5=True)
    alice = PjsuaPhone(**exchange.phone_options("alice", tone_hz=PJSIP_HZ, answer_with=200))
    async with alice, baresip(exchange, "carol", CAROL_HZ, rtcp_mux=rtcp_mux) as carol:
        await alice.registered()
        await carol.wait("REGISTER_OK")

        carol.do("dial", ALICE)
        await carol.wait("CALL_ESTABLISHED")
        await until_both_heard(alice, carol)
        carol.do("hangup")
        await alice.disconnected(0)
        forget_recordings(carol)

        call = await alice.call(CAROL)  # its keying has been learnt from its own offer
        await alice.confirmed(call)
        await until_both_heard(alice, carol)
        alice.do("hangup", call=call)
        await carol.wait("CALL_CLOSED")

    first, second = await exchange.over()
    for record, order in ((first, ("dtls", "sdes")), (second, ("sdes", "dtls"))):
        assert tuple(leg.receipt.keying for leg in record.legs) == order
        assert {leg.receipt.suite for leg in record.legs if leg.receipt.keying == "dtls"} == {
            "AEAD_AES_256_GCM"
        }
        assert record.outcome == "answered"


async def test_two_dtls_phones_talk(exchange: TestExchange) -> None:
    await exchange.enrol("1003", "carol", md5=True)
    await exchange.enrol("1004", "dave", md5=True)
    carol, dave = baresip(exchange, "carol", CAROL_HZ), baresip(exchange, "dave", DAVE_HZ)
    async with carol, dave:
        await carol.wait("REGISTER_OK")
        await dave.wait("REGISTER_OK")
        dave.do("dial", f"sip:999@{DOMAIN}")  # refused, but it shows how it offers
        await dave.wait("CALL_CLOSED")
        forget_recordings(dave)

        carol.do("dial", f"sip:1004@{DOMAIN}")
        await carol.wait("CALL_ESTABLISHED")
        await tone.until_heard(lambda: carol.heard, DAVE_HZ, seconds=2.0, rate=8000)
        await tone.until_heard(lambda: dave.heard, CAROL_HZ, seconds=2.0, rate=8000)
        carol.do("hangup")
        await dave.wait("CALL_CLOSED")

    records = await exchange.over()
    assert [leg.receipt.keying for leg in records[-1].legs] == ["dtls", "dtls"]


async def test_a_call_whose_certificate_is_another_one_fails_and_nothing_is_heard(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        for announced, succeeds in (("", True), (Certificate().fingerprint(), False)):
            media = DtlsPhone(announced=announced, muxed=True)
            outgoing = alice.invite("1002", media.sdp())
            incoming = await bob.incoming.get()
            other = RtpPhone()
            other.read(incoming.invite.body)
            incoming.answer(other.sdp())
            media.read((await outgoing.answered()).body)
            await shake_hands(media)
            if succeeds:
                media.send()
                assert other.listen(60)
                await outgoing.bye()
            await incoming.ended.wait()
            await exchange.calls.idle()  # its ports are given back
            assert media.is_keyed == succeeds
            media.send(b"\x55" * 160)
            assert other.listen(0.2) == []
            media.close()
            other.close()
    assert sorted(record.cause for record in await exchange.over()) == [
        "caller-hung-up",
        "caller-unkeyed",
    ]


def forget_recordings(phone: BaresipPhone) -> None:
    for old in phone.folder.glob("dump-*"):
        old.unlink()


async def shake_hands(phone: DtlsPhone) -> None:
    async with asyncio.timeout(60):
        while not (phone.pump() or phone.failure):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.005)
