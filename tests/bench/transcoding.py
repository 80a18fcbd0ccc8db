"""What a call between phones without a common codec costs, and how much later it is heard."""

import asyncio
import math
import statistics
import tempfile
import time
from array import array
from pathlib import Path

from media.client import MediaClient, Place
from media.worker.codecs.coder import Decoder, Encoder
from tests.bench._rtp_generator import cpu_seconds
from tests.support.media_worker import WorkerProcess
from tests.support.rtp_phone import Heard, RtpPhone

KINDS = {"g722": (9, "G722/8000"), "opus": (107, "opus/48000/2"), "pcma": (8, "PCMA/8000")}
CALLS = 10
SECONDS = 5
LOUD_EVERY = 25
"""Frames: a loud one now and then shows how late it is heard."""
HERE = Place(local="127.0.0.1", peer="127.0.0.1")


def _frames(codec: str) -> tuple[bytes, bytes]:
    """A silent one and a loud one."""
    encoder = Encoder(codec)
    count = encoder.frame_octets // 2
    loud = array("h", (int(20_000 * math.sin(0.5 * n)) for n in range(count))).tobytes()
    return encoder.encode(bytes(2 * count)), encoder.encode(loud)


async def _call(client: MediaClient, call: str, a: RtpPhone, b: RtpPhone) -> None:
    one = await client.open(call, HERE, lambda _: None, a.sdp())
    two, offer = await client.open_offering(call, HERE, lambda _: None, one)
    b.read(offer)
    await client.take_answer(two, b.sdp())
    a.read(await client.make_answer(one, like=two))
    await client.join(one, two)


async def _one(codec: str) -> None:
    number, name = KINDS[codec]
    with tempfile.TemporaryDirectory() as directory:
        async with WorkerProcess(Path(directory) / "w") as worker:
            assert worker.process is not None
            client = MediaClient({0: worker.socket})
            await client.start()
            pairs = [(RtpPhone(), RtpPhone(formats=((number, name),))) for _ in range(CALLS)]
            for index, (a, b) in enumerate(pairs):
                await _call(client, str(index), a, b)
            loud_at: list[float] = []
            before = cpu_seconds(worker.process.pid)
            await _talk(pairs, codec, number, loud_at)
            spent = cpu_seconds(worker.process.pid) - before
            delays = _delays(pairs[0][1].heard, codec, loud_at)
            await client.close()
            for a, b in pairs:
                a.close()
                b.close()
    share = spent / SECONDS / CALLS
    print(
        f"pcmu and {codec}: {1e6 * share / 100:.0f} us of CPU a frame,"
        f" {1 / share:.0f} calls a core;"
        f" heard {1e3 * statistics.median(delays):.0f} ms later"
        f" [{1e3 * min(delays):.0f}-{1e3 * max(delays):.0f}]",
        flush=True,
    )


async def _talk(
    pairs: list[tuple[RtpPhone, RtpPhone]], codec: str, number: int, loud_at: list[float]
) -> None:
    ours, theirs = _frames("pcmu"), _frames(codec)
    begun = time.monotonic()
    for frame in range(SECONDS * 50):
        is_loud = frame % LOUD_EVERY == LOUD_EVERY - 1
        for index, (a, b) in enumerate(pairs):
            if is_loud and index == 0:
                loud_at.append(time.monotonic())
            a.send(ours[is_loud])
            b.send(theirs[is_loud], number)
            b.timestamp += 960 - 160 if codec == "opus" else 0
            a.take()
            b.take()
        await asyncio.sleep(max(begun + 0.02 * (frame + 1) - time.monotonic(), 0))


def _delays(heard: list[Heard], codec: str, loud_at: list[float]) -> list[float]:
    """From a loud frame's sending to the first loud one's arrival, as often as it was heard."""
    decoder, found, was_loud = Decoder(codec, 8_000), [], False
    for packet in heard:
        samples = array("h", decoder.decode(packet.payload))
        is_loud = max(map(abs, samples), default=0) > 4_000
        if is_loud and not was_loud:
            sent = [at for at in loud_at if at < packet.at]
            found.append(packet.at - sent[-1] if sent else math.nan)
        was_loud = is_loud
    return found


def run() -> None:
    """A line for each codec."""
    for codec in KINDS:
        asyncio.run(_one(codec))
