"""Phones without a common codec hear each other all the same; with one, nothing is touched."""

import pytest

from tests.support import tone
from tests.support.baresip import BaresipPhone
from tests.support.exchange import DOMAIN, SECRET, TestExchange
from tests.support.pjsua import PjsuaPhone

# baresip decodes Opus in stereo: one channel's 48,000 samples and the other's in turn.
pytestmark = pytest.mark.slow

PJSIP_HZ, CAROL_HZ = 440.0, 700.0


def baresip(exchange: TestExchange, *codecs: str, **options: object) -> BaresipPhone:
    return BaresipPhone(
        exchange.folder / "carol", user="carol", username="carol", password=SECRET, domain=DOMAIN,
        port=exchange.md5_port, tone_hz=int(CAROL_HZ), host="127.0.0.1", codecs=codecs,
        **options,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spoken", "codec", "rate"),
    [("PCMU", "opus", 96_000), ("G722", "opus", 96_000), ("PCMU", "g722", 16_000),
     ("G722", "g711", 8_000)],
)  # fmt: skip
async def test_phones_without_a_common_codec_hear_each_other(
    exchange: TestExchange, spoken: str, codec: str, rate: int
) -> None:
    await exchange.enrol("1003", "carol", md5=True)
    options = exchange.phone_options("alice", tone_hz=PJSIP_HZ, answer_with=200)
    alice = PjsuaPhone(**{**options, "codecs": [spoken]})
    async with alice, baresip(exchange, codec) as carol:
        await alice.registered()
        await carol.wait("REGISTER_OK")
        call = await alice.call(f"sip:1003@{DOMAIN}")
        await alice.confirmed(call)
        await both_hear(alice, carol, rate)
        alice.do("digits", call=call, digits="5")
        await carol.wait("CALL_DTMF_START")
        alice.do("hangup", call=call)
        await carol.wait("CALL_CLOSED")
        for old in carol.folder.glob("dump-*"):
            old.unlink()

        carol.do("dial", f"sip:1001@{DOMAIN}")
        await carol.wait("CALL_ESTABLISHED")
        await both_hear(alice, carol, rate)
        carol.do("hangup")
        await alice.disconnected(1)

    first, second = await exchange.over()
    assert {leg.receipt.codec for leg in first.legs} == {leg.receipt.codec for leg in second.legs}
    assert len({leg.receipt.codec for leg in first.legs}) == 2


async def test_what_both_have_passes_untouched(exchange: TestExchange) -> None:
    await exchange.enrol("1003", "carol", md5=True)
    alice = PjsuaPhone(**exchange.phone_options("alice", tone_hz=PJSIP_HZ, answer_with=200))
    async with alice, baresip(exchange, "opus", "g722", "g711") as carol:
        await alice.registered()
        await carol.wait("REGISTER_OK")
        call = await alice.call(f"sip:1003@{DOMAIN}")
        await alice.confirmed(call)
        await both_hear(alice, carol, 8_000)
        [stored] = await exchange.media.calls()
        stats = [await exchange.media.stats(leg) for leg in stored.legs]
        assert [(one.codec, one.coded) for one in stats] == [("pcmu", 0), ("pcmu", 0)]
        alice.do("hangup", call=call)
        await carol.wait("CALL_CLOSED")


async def test_a_phone_that_has_only_opus_hears_prompts_and_itself(exchange: TestExchange) -> None:
    await exchange.enrol("1003", "carol", md5=True)
    async with baresip(exchange, "opus") as carol:
        await carol.wait("REGISTER_OK")
        carol.do("dial", f"sip:*43@{DOMAIN}")
        await carol.wait("CALL_ESTABLISHED")
        await tone.until_heard(lambda: carol.heard, CAROL_HZ, seconds=1.0, rate=96_000)
        carol.do("hangup")
        await carol.wait("CALL_CLOSED")


async def both_hear(alice: PjsuaPhone, carol: BaresipPhone, rate: int) -> None:
    recording: str = (await alice.wait("recording"))["path"]
    await tone.until_heard(recording, CAROL_HZ, seconds=2.0)
    await tone.until_heard(lambda: carol.heard, PJSIP_HZ, seconds=2.0, rate=rate)
