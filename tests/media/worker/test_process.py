"""Two phones of our own through a real worker process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from media.client import MediaClient, MediaEvent, Place
from media.worker.codecs.g711 import decode_ulaw
from tests.support.media_worker import WorkerProcess
from tests.support.rtp_phone import Heard, RtpPhone
from tests.support.tone import power

GCM, CM = "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"


class Bench:
    """A worker, a client, and what was told."""

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self.client = MediaClient({0: worker.socket})
        self.told: asyncio.Queue[MediaEvent] = asyncio.Queue()
        self.phones: list[RtpPhone] = []

    async def caller(self, phone: RtpPhone, call: str = "call") -> str:
        """A leg whose phone has offered."""
        leg = await self.client.open(call, _place(phone), self.told.put_nowait)
        await self.client.take_offer(leg, phone.sdp())
        return leg

    async def callee(self, phone: RtpPhone, like: str, call: str = "call") -> str:
        """A leg whose phone has answered."""
        leg = await self.client.open(call, _place(phone), self.told.put_nowait)
        phone.read(await self.client.make_offer(leg, like=like))
        await self.client.take_answer(leg, phone.sdp())
        return leg

    async def call(self, one: RtpPhone, other: RtpPhone) -> tuple[str, str]:
        """Both, joined."""
        self.phones += [one, other]
        caller = await self.caller(one)
        callee = await self.callee(other, caller)
        one.read(await self.client.make_answer(caller, like=callee))
        await self.client.join(caller, callee)
        return caller, callee

    async def event(self, kind: type[MediaEvent]) -> MediaEvent:
        """The next event of a kind."""
        async with asyncio.timeout(10):
            while not isinstance(event := await self.told.get(), kind):
                pass
        return event


def _place(phone: RtpPhone) -> Place:
    return Place(local=phone.host, peer=phone.host, cname="exam-room-2")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with WorkerProcess(tmp_path / "worker") as worker:
        bench = Bench(worker)
        await bench.client.start()
        yield bench
        await bench.client.close()
        for phone in bench.phones:
            phone.close()


async def exchange(
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
    return heard


def samples(heard: list[Heard]) -> list[int]:
    return list(decode_ulaw(b"".join(h.payload for h in heard)))


@pytest.mark.parametrize(("one", "other"), [(GCM, CM), (CM, GCM), ("AEAD_AES_128_GCM", CM)])
async def test_a_tone_passes_both_ways_between_different_suites(
    bench: Bench, one: str, other: str
) -> None:
    a, b = RtpPhone(one), RtpPhone(other)
    caller, callee = await bench.call(a, b)

    at_a, at_b = await exchange(a, b, 50)

    assert len(at_a) >= 48
    assert len(at_b) >= 48
    assert power(samples(at_a[5:]), 8000, 1000) > 0.8
    assert power(samples(at_b[5:]), 8000, 440) > 0.8
    assert a.refused == b.refused == 0
    stats = await bench.client.drop(caller)
    assert stats.suite == one
    assert stats.received == 50
    assert (await bench.client.drop(callee)).suite == other
