"""A shared phone that is a real telephone (PJSIP): sign-ins, idle time, lamps, calls for help."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database
from tests.support.calling import database
from tests.support.desk_calls import ended_because
from tests.support.message_exchange import PIN, MessageExchange
from tests.support.phone import Phone
from tests.support.pjsua import PjsuaPhone
from tests.support.prompts import with_tones
from tests.support.rtp_phone import RtpPhone
from tests.support.sip_server import DOMAIN
from tests.support.tone import until_heard
from tests.support.voicemail_calls import leave

__all__ = ["database"]
pytestmark = pytest.mark.slow

PIN_HZ, NUMBER_HZ, IN_HZ, HELP_HZ = 440.0, 700.0, 1100.0, 1600.0
TONES = {
    "vm-pin": PIN_HZ, "vm-number": NUMBER_HZ, "signed-in": IN_HZ, "emergency-no-line": HELP_HZ,
}  # fmt: skip
LAMP = "Voice-Message: {}/{} ("


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    made = MessageExchange(open_path, database, ring_seconds=5)
    made.prompts = with_tones(open_path / "prompts", TONES)
    async with made as running:
        yield running


async def dials(phone: PjsuaPhone, number: str, hertz: float) -> tuple[int, str]:
    """A call in which this tone is heard; the call and its recording."""
    phone.do("call", uri=f"sip:{number}@{DOMAIN}")
    call = (await phone.wait("calling"))["call"]
    path = (await phone.wait("recording", call=call))["path"]
    await until_heard(path, hertz, seconds=0.2)
    return call, path


async def hangs_up(phone: PjsuaPhone, call: int) -> None:
    phone.do("hangup", call=call)
    await phone.wait("gone", call=call)


async def signs_in(phone: PjsuaPhone, number: str) -> None:
    call, path = await dials(phone, f"*71{number}", PIN_HZ)
    for digit in PIN + "#":
        phone.do("digits", call=call, digits=digit)
    await until_heard(path, IN_HZ, seconds=0.2)
    await phone.wait("gone", call=call)


async def lit(phone: PjsuaPhone, new: int, old: int) -> None:
    await phone.wait("mwi", lambda event: LAMP.format(new, old) in event["message"])


async def rings(phone: PjsuaPhone, caller: Phone, number: str) -> None:
    """A call to the number is answered there."""
    media = RtpPhone()
    call = caller.invite(number, media.sdp())
    await phone.wait("incoming")
    await call.answered()
    await call.bye()
    media.close()


async def test_idle_time_ends_a_sign_in_messages_ask_again_and_help_is_there_in_every_state(
    exchange: MessageExchange,
) -> None:
    desk = await exchange.share("desk", idle_minutes=5)
    anna, ben = exchange.people["anna"].id, exchange.people["ben"].id
    await leave(exchange)
    options = exchange.phone_options("desk", mwi=True, answer_with=200)
    async with PjsuaPhone(**options) as phone, exchange.phone("alice") as alice:
        await phone.wait("registration", code=200)
        await lit(phone, 0, 0)
        await hangs_up(phone, (await dials(phone, "911", HELP_HZ))[0])

        await signs_in(phone, "1002")
        await lit(phone, 1, 0)
        await hangs_up(phone, (await dials(phone, "911", HELP_HZ))[0])
        await rings(phone, alice, "1002")
        await exchange.calls.idle()
        exchange.house.time.pass_(5 * 60 + 1)
        await exchange.desks.tick()

        assert exchange.desks.at(desk) is None
        await lit(phone, 0, 0)
        await hangs_up(phone, (await dials(phone, "911", HELP_HZ))[0])
        await hangs_up(phone, (await dials(phone, "*97", NUMBER_HZ))[0])
        await signs_in(phone, "1001")
        assert exchange.directory.holder_of(desk) == exchange.directory.tenancies["1001"]

    assert await ended_because(exchange, desk) == ["idle"]
    calls = await exchange.over()
    here = [leg.person for call in calls for leg in call.legs if leg.device == desk]
    assert here == [None, ben, ben, ben, None, None, anna]
