"""Recording and playing through a real worker, a real key holder's edge and real SRTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media.client import Played, Recorded, Recording, Stored
from media.worker.codecs.g711 import decode_ulaw
from tests.support.mailroom import Mailroom, mailroom, speak
from tests.support.rtp_phone import RtpPhone
from tests.support.tone import power, seconds_of


@pytest.fixture
async def room(open_path: Path) -> AsyncIterator[Mailroom]:
    async with mailroom(open_path) as made:
        yield made


async def test_what_is_said_is_heard_again_by_the_owner(room: Mailroom) -> None:
    phone = RtpPhone()
    leg = await room.desk.alone(phone)
    talking = asyncio.create_task(speak(phone, 4.0))
    deposit = room.deposit()
    started = await room.desk.client.record(leg, Recording(seal=deposit))
    assert (started.content, started.codec) == (deposit.content, "pcmu")
    await room.desk.event(Stored)
    await room.desk.event(Stored)
    phone.take()
    phone.press(11)
    told = await room.desk.event(Recorded)
    talking.cancel()

    assert (told.cause, told.digit) == ("digit", "#")
    kept = await room.adopt(told)
    phone.take()
    opened = await room.play(leg, kept)
    assert abs(opened.milliseconds - told.milliseconds) <= 20
    played = await room.desk.event(Played)
    assert played.fault == ""
    heard = [packet.payload for packet in phone.take() if packet.payload_type == 0]
    samples = list(decode_ulaw(b"".join(heard)))
    assert power(samples, 8000, 700) > 0.9
    assert abs(seconds_of(samples, 8000, 700) - told.milliseconds / 1000) < 0.1
