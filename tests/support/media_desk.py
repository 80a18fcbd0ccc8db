"""Phones of our own around a media worker: what the process tests start from."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from media.client import MediaClient, MediaEvent, Place
from media.worker.codecs.g711 import decode_ulaw
from tests.support.media_worker import WorkerProcess
from tests.support.rtp_phone import Heard, RtpPhone

Kind = TypeVar("Kind")
QUIET = 1.0
"""Seconds after which nothing more is on its way, on a busy machine too."""


class Desk:
    """A worker, a client, and what was told."""

    def __init__(self, *workers: WorkerProcess) -> None:
        self.workers = workers
        self.client = MediaClient({worker.index: worker.socket for worker in workers})
        self.told: asyncio.Queue[MediaEvent] = asyncio.Queue()
        self.phones: list[RtpPhone] = []

    async def caller(self, phone: RtpPhone, call: str = "call") -> str:
        """A leg whose phone has offered."""
        self.phones.append(phone)
        return await self.client.open(call, place(phone), self.told.put_nowait, phone.sdp())

    async def alone(self, phone: RtpPhone, call: str = "call") -> str:
        """A leg whose phone has offered and was answered by us."""
        leg = await self.caller(phone, call)
        phone.read(await self.client.make_answer(leg))
        return leg

    async def callee(self, phone: RtpPhone, like: str, call: str = "call") -> str:
        """A leg whose phone has answered."""
        self.phones.append(phone)
        leg = await self.client.open(call, place(phone), self.told.put_nowait)
        phone.read(await self.client.make_offer(leg, like=like))
        await self.client.take_answer(leg, phone.sdp())
        return leg

    async def call(self, one: RtpPhone, other: RtpPhone, call: str = "call") -> tuple[str, str]:
        """Both, joined."""
        caller = await self.caller(one, call)
        self.phones.append(other)
        callee, offer = await self.client.open_offering(
            call, place(other), self.told.put_nowait, like=caller
        )
        other.read(offer)
        one.read(await self.client.bridge(callee, other.sdp(), caller))
        return caller, callee

    async def event(self, kind: type[Kind], seconds: float = 60.0) -> Kind:
        """The next event of a kind."""
        async with asyncio.timeout(seconds):
            while not isinstance(event := await self.told.get(), kind):
                pass
        return event

    async def close(self) -> None:
        """Everybody hangs up."""
        await self.client.close()
        for phone in self.phones:
            phone.close()


def place(phone: RtpPhone) -> Place:
    """Signalling and media come from the same address."""
    return Place(local=phone.host, peer=phone.host, cname="exam-room-2")


async def talk(
    one: RtpPhone, other: RtpPhone, frames: int, each: Callable[[int], None] | None = None
) -> tuple[list[Heard], list[Heard]]:
    """Both send tones (440 and 1000 Hz) for some frames at a telephone's pace."""
    heard: tuple[list[Heard], list[Heard]] = ([], [])
    for number in range(frames):
        one.send_tone(440)
        other.send_tone(1000)
        if each:
            each(number)
        await asyncio.sleep(0.02)
        heard[0].extend(one.take())
        heard[1].extend(other.take())
    await asyncio.gather(_rest(one, heard[0], frames), _rest(other, heard[1], frames))
    return heard


async def _rest(phone: RtpPhone, heard: list[Heard], frames: int) -> None:
    """What is still on its way: all frames, or whatever comes before nothing more does."""
    quiet_at = time.monotonic() + QUIET
    while len(heard) < frames and time.monotonic() < quiet_at:
        await asyncio.sleep(0.01)
        if fresh := phone.take():
            quiet_at = time.monotonic() + QUIET
            heard.extend(fresh)


def samples(heard: list[Heard]) -> list[int]:
    """What was said, in µ-law."""
    return list(decode_ulaw(b"".join(h.payload for h in heard)))
