"""Phones of different makes, keys and networks in one call."""

from pathlib import Path

import pytest

from storage.database import Database
from tests.support import tone
from tests.support.baresip import BaresipPhone
from tests.support.exchange import DOMAIN, SECRET, TestExchange
from tests.support.pjsua import PjsuaPhone

pytestmark = pytest.mark.slow

PJSIP_HZ, BARESIP_HZ = 440.0, 700.0


def baresip(exchange: TestExchange, **options: object) -> BaresipPhone:
    return BaresipPhone(
        exchange.folder / "baresip", user="carol", username="carol", password=SECRET,
        domain=DOMAIN, port=exchange.md5_port, tone_hz=int(BARESIP_HZ),
        **{"host": "127.0.0.1", **options},  # type: ignore[arg-type]
    )  # fmt: skip


async def test_baresip_takes_a_call_with_gcm_while_pjsip_has_counter_mode(
    exchange: TestExchange,
) -> None:
    await exchange.enrol("1003", "carol", md5=True)
    alice = PjsuaPhone(**exchange.phone_options("alice", tone_hz=PJSIP_HZ))
    async with alice, baresip(exchange) as carol:
        await alice.registered()
        await carol.wait("REGISTER_OK")
        call = await alice.call("sip:1003@clinic.example")
        await alice.confirmed(call)
        await carol.wait("CALL_ESTABLISHED")
        await tone.until_heard((await alice.wait("recording"))["path"], BARESIP_HZ, seconds=2.0)
        await tone.until_heard(lambda: carol.heard, PJSIP_HZ, seconds=2.0, rate=8000)
        alice.do("digits", call=call, digits="5")
        await carol.wait("CALL_DTMF_START")
        alice.do("hangup", call=call)
        await carol.wait("CALL_CLOSED")

    [record] = await exchange.over()
    assert [leg.receipt.suite for leg in record.legs] == [
        "AES_CM_128_HMAC_SHA1_80",
        "AEAD_AES_256_GCM",
    ]


async def test_baresip_calls_pjsip(exchange: TestExchange) -> None:
    await exchange.enrol("1003", "carol", md5=True)
    alice = PjsuaPhone(**exchange.phone_options("alice", tone_hz=PJSIP_HZ, answer_with=200))
    async with alice, baresip(exchange) as carol:
        await alice.registered()
        await carol.wait("REGISTER_OK")
        carol.do("dial", f"sip:1001@{DOMAIN}")
        await carol.wait("CALL_ESTABLISHED")
        await tone.until_heard((await alice.wait("recording"))["path"], BARESIP_HZ, seconds=2.0)
        await tone.until_heard(lambda: carol.heard, PJSIP_HZ, seconds=2.0, rate=8000)
        carol.do("hangup")
        await alice.disconnected(0)


async def test_a_phone_on_ipv6_talks_with_one_on_ipv4(open_path: Path, database: Database) -> None:
    async with TestExchange(open_path / "x", database, addresses=("127.0.0.1", "::1")) as exchange:
        await exchange.enrol("1001", "alice")
        await exchange.enrol("1003", "carol", md5=True)
        alice = PjsuaPhone(**exchange.phone_options("alice", tone_hz=PJSIP_HZ))
        async with alice, baresip(exchange, bind="::1", host="[::1]") as carol:
            await alice.registered()
            await carol.wait("REGISTER_OK")
            call = await alice.call("sip:1003@clinic.example")
            await alice.confirmed(call)
            await tone.until_heard((await alice.wait("recording"))["path"], BARESIP_HZ, seconds=1.0)
            await tone.until_heard(lambda: carol.heard, PJSIP_HZ, seconds=1.0, rate=8000)
            alice.do("hangup", call=call)
            await carol.wait("CALL_CLOSED")
