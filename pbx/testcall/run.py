"""One real call between two test phones: log in, ring, answer, a tone each way, hang up."""

from __future__ import annotations

import asyncio
from array import array
from dataclasses import dataclass

from pbx.testcall.errors import CallTestFailed
from pbx.testcall.media import RATE, Media, loudness
from pbx.testcall.phone import Line, Phone

THERE, BACK = 440.0, 1_000.0
"""Hertz; what the caller and the callee say."""
SECONDS = 3.0
ENOUGH = 1.0
"""So many seconds of the right tone must be heard at each end."""
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Found:
    """What the two phones saw for themselves."""

    tls: str
    suites: tuple[str, str]
    heard: tuple[float, float]
    """Seconds of the other's tone, at the caller and at the callee."""
    refused: int
    """Packets that did not authenticate."""


async def place(caller: Line, callee: Line, number: str) -> Found:
    """Raises CallTestFailed with what was wrong."""
    phones = Phone(caller), Phone(callee)
    media: list[Media] = []
    try:
        async with asyncio.timeout(PATIENCE):
            return await _place(phones, media, number)
    except TimeoutError:
        raise CallTestFailed("the call was not over within half a minute") from None
    finally:
        for sound in media:
            sound.close()
        for phone in phones:
            await phone.close()


async def _place(phones: tuple[Phone, Phone], media: list[Media], number: str) -> Found:
    caller, callee = phones
    for phone in phones:
        await phone.connect()
        await phone.register()
    here = Media(caller.host, "AEAD_AES_256_GCM", THERE)
    there = Media(callee.host, "AES_CM_128_HMAC_SHA1_80", BACK)
    media += [here, there]
    calling = asyncio.create_task(caller.call(number, here.description()))
    try:
        ringing = asyncio.create_task(callee.called())
        await asyncio.wait((calling, ringing), return_when=asyncio.FIRST_COMPLETED)
        if not ringing.done():
            ringing.cancel()
            await calling  # says why
            raise CallTestFailed("the second phone was not rung")
        invite = ringing.result()
        there.take(invite.body)
        await callee.accept(invite, there.description())
        here.take(await calling)
    finally:
        calling.cancel()
    await asyncio.gather(here.talk(SECONDS), there.talk(SECONDS))
    await asyncio.gather(callee.hung_up(), caller.hang_up())
    found = Found(
        tls=caller.tls,
        suites=(here.suite, there.suite),
        heard=(_seconds(here.heard, BACK), _seconds(there.heard, THERE)),
        refused=here.refused + there.refused,
    )
    if min(found.heard) < ENOUGH:
        raise CallTestFailed("a tone did not come through in both directions")
    return found


def _seconds(samples: array[int], hertz: float) -> float:
    """How long the tone was heard, by tenths."""
    size = RATE // 10
    parts = [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]
    return sum(loudness(part, hertz) > 0.5 for part in parts) / 10
