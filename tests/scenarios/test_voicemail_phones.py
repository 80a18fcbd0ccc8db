"""Real phones leave and hear messages: the tone that was spoken comes back, as long as it was.

PJSIP with G.711 and with G.722; baresip, which offers Opus first and is answered with G.711: our
words to callers are spoken in no other codec.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database
from tests.support.baresip import BaresipPhone
from tests.support.calling import database
from tests.support.exchange import SECRET
from tests.support.message_exchange import PIN, MessageExchange
from tests.support.pjsua import PjsuaPhone
from tests.support.sip_server import DOMAIN
from tests.support.tone import read_wav, seconds_of, until_heard

__all__ = ["database"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_in_clear")]
SPOKEN = 4.0


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        yield running


async def hear(exchange: MessageExchange, hertz: float, seconds: float, codec: str) -> float:
    """The owner, on PJSIP; how long the tone was heard."""
    options = exchange.phone_options("bob", codecs=[codec], tone_hz=350)
    async with PjsuaPhone(**options) as bob:
        await bob.wait("registration", code=200)
        bob.do("call", uri=f"sip:*97@{DOMAIN}")
        call = (await bob.wait("calling"))["call"]
        recording = await bob.wait("recording", seconds=20)
        await asyncio.sleep(1)
        for digit in PIN + "#":
            bob.do("digits", call=call, digits=digit)
            await asyncio.sleep(0.25)
        await until_heard(recording["path"], hertz, seconds=seconds - 0.3, patience=30)
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
    assert abs(spoken - SPOKEN) < 1.0

    heard = await hear(exchange, 600, spoken, codec)

    assert abs(heard - spoken) < 0.3, (heard, spoken)


async def test_baresip_leaves_a_tone_that_pjsip_hears(
    exchange: MessageExchange, tmp_path: Path
) -> None:
    await exchange.hire("carol", "1003", "carol", md5=True)
    async with BaresipPhone(
        tmp_path / "carol", user="carol", domain=DOMAIN, host="127.0.0.1",
        port=exchange.md5_port, username="carol", password=SECRET, codecs=("opus", "g711"),
        tone_hz=600,
    ) as carol:  # fmt: skip
        await carol.wait("REGISTER_OK")
        carol.do("dial", f"sip:*981002@{DOMAIN}")
        await carol.wait("CALL_ESTABLISHED")
        await asyncio.sleep(SPOKEN + 2)
        carol.do("hangup")
        await carol.wait("CALL_CLOSED")
    [message] = await exchange.kept()
    assert message.codec == "pcmu"
    spoken = message.milliseconds / 1000
    assert spoken > SPOKEN - 1

    heard = await hear(exchange, 600, spoken, "PCMU")

    assert abs(heard - spoken) < 0.4, (heard, spoken)
