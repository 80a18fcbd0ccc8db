"""Real phones leave and hear messages: the tone that was spoken comes back, as long as it was.

PJSIP with G.711 and with G.722; baresip, which offers Opus first and is answered with G.711, which
is cheaper to play in; and baresip that has nothing but Opus.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media.worker.codecs.g711 import decode_ulaw
from storage.database import Database
from tests.support.baresip import BaresipPhone
from tests.support.calling import database
from tests.support.exchange import SECRET
from tests.support.message_exchange import PIN, MessageExchange
from tests.support.pjsua import PjsuaPhone
from tests.support.prompts import with_tones
from tests.support.sip_server import DOMAIN
from tests.support.tone import read_wav, seconds_of, until_heard
from tests.support.voicemail_calls import HERTZ, leave

__all__ = ["database"]
pytestmark = pytest.mark.slow
SPOKEN = 3.0
MISSED = 1.5
"""Seconds that phones and worker may be held up on a busy machine; what they miss is silence."""


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    made = MessageExchange(open_path, database, ring_seconds=5)
    made.prompts = with_tones(open_path / "prompts", {"vm-pin": 440.0})
    async with made as running:
        yield running


async def sounds(path: str) -> None:
    """Until the PIN is asked for: the first of all prompts, and every prompt is noise."""
    async with asyncio.timeout(60):
        while max(read_wav(path)[0], default=0) < 2_000:  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.1)


async def hear(exchange: MessageExchange, hertz: float, seconds: float, codec: str) -> float:
    """The owner, on PJSIP; how long the tone was heard."""
    options = exchange.phone_options("bob", codecs=[codec], tone_hz=350)
    async with PjsuaPhone(**options) as bob:
        await bob.wait("registration", code=200)
        bob.do("call", uri=f"sip:*97@{DOMAIN}")
        call = (await bob.wait("calling"))["call"]
        recording = await bob.wait("recording", seconds=20)
        await sounds(recording["path"])
        for digit in PIN + "#":
            bob.do("digits", call=call, digits=digit)
            await asyncio.sleep(0.25)
        await until_heard(recording["path"], hertz, seconds=seconds - MISSED)
        await asyncio.sleep(1)
        bob.do("hangup", call=call)
        await bob.wait("gone")
        samples, rate = read_wav(recording["path"])
        return seconds_of(samples, rate, hertz)


@pytest.mark.parametrize(("codec", "stored"), [("PCMU", "pcmu"), ("G722", "g722")])
async def test_pjsip_leaves_a_tone_and_hears_it_again(
    exchange: MessageExchange, codec: str, stored: str
) -> None:
    options = exchange.phone_options("alice", codecs=[codec], tone_hz=600)
    async with PjsuaPhone(**options) as alice:
        await alice.wait("registration", code=200)
        alice.do("call", uri=f"sip:*981002@{DOMAIN}")
        call = (await alice.wait("calling"))["call"]
        recording = await alice.wait("recording", seconds=20)
        await until_heard(recording["path"], 1000, seconds=0.2)
        await asyncio.sleep(SPOKEN)
        alice.do("hangup", call=call)
        await alice.wait("gone")
    [message] = await exchange.kept()
    assert message.codec == stored
    spoken = message.milliseconds / 1000
    assert spoken > SPOKEN - 1.0

    heard = await hear(exchange, 600, spoken, codec)

    assert -MISSED < heard - spoken < 0.4, (heard, spoken)


def baresip(exchange: MessageExchange, folder: Path, *codecs: str) -> BaresipPhone:
    return BaresipPhone(
        folder / "carol", user="carol", domain=DOMAIN, host="127.0.0.1",
        port=exchange.md5_port, username="carol", password=SECRET, codecs=codecs, tone_hz=600,
    )  # fmt: skip


async def leave_by_baresip(carol: BaresipPhone) -> None:
    """A tone into the mailbox of 1002, after the beep."""
    await carol.wait("REGISTER_OK")
    carol.do("dial", f"sip:*981002@{DOMAIN}")
    await carol.wait("CALL_ESTABLISHED")
    await heard_by(carol, 1000, 0.1)
    await asyncio.sleep(SPOKEN)
    carol.do("hangup")
    await carol.wait("CALL_CLOSED")


async def test_baresip_leaves_a_tone_that_pjsip_hears(
    exchange: MessageExchange, tmp_path: Path
) -> None:
    await exchange.hire("carol", "1003", "carol", md5=True)
    async with baresip(exchange, tmp_path, "opus", "g711") as carol:
        await leave_by_baresip(carol)
    [message] = await exchange.kept()
    assert message.codec == "pcmu"
    spoken = message.milliseconds / 1000
    assert spoken > SPOKEN - 1

    heard = await hear(exchange, 600, spoken, "PCMU")

    assert -MISSED < heard - spoken < 0.4, (heard, spoken)


async def test_a_phone_with_opus_alone_leaves_a_tone_and_hears_one(
    exchange: MessageExchange, tmp_path: Path
) -> None:
    await exchange.hire("carol", "1003", "carol", md5=True)
    await leave(exchange, "*981003", 2.5)
    [left] = await exchange.kept("1003")
    async with baresip(exchange, tmp_path, "opus") as carol:
        await leave_by_baresip(carol)
        for old in carol.folder.glob("dump-*"):
            old.unlink()
        carol.do("dial", f"sip:*97@{DOMAIN}")
        await carol.wait("CALL_ESTABLISHED")
        await heard_by(carol, 440, 0.3)
        for digit in PIN + "#":
            carol.do("sndcode", digit)
        heard = await heard_by(carol, HERTZ, left.milliseconds / 1000 - MISSED)
        carol.do("hangup")
        await carol.wait("CALL_CLOSED")
    [message] = await exchange.kept()
    spoken = message.milliseconds / 1000

    assert (left.codec, message.codec) == ("pcmu", "opus")
    assert spoken > SPOKEN - 1
    assert -MISSED < heard - left.milliseconds / 1000 < 0.4, (heard, left.milliseconds)
    async with exchange.calling("bob", "*97") as bob:
        bob.speak()
        await bob.hears(440, 0.3)  # the PIN is asked for
        bob.press(PIN + "#")
        await bob.hears(600, spoken - MISSED)
        await asyncio.sleep(0.5)
        samples = decode_ulaw(b"".join(each.payload for each in bob.media.heard))
        await bob.hang_up()
    assert -MISSED < seconds_of(list(samples), 8_000, 600) - spoken < 0.4


async def heard_by(carol: BaresipPhone, hertz: float, seconds: float) -> float:
    """At least so much of a tone, until no more of it comes. baresip decodes Opus in stereo: one
    channel's 48,000 samples and the other's in turn, of which one in twelve is enough."""
    each = 12 if carol.codecs == ("opus",) else 1
    heard, before = 0.0, -1.0
    async with asyncio.timeout(60):
        while heard < seconds or heard > before:
            await asyncio.sleep(0.5)
            samples = read_wav(carol.heard)[0] if carol.heard.exists() else []
            before, heard = heard, seconds_of(samples[::each], 8_000, hertz)
    return heard
