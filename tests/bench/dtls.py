"""What DTLS-SRTP handshakes cost a media worker, and what a call beside them feels of it."""

import asyncio
import socket
import struct
import tempfile
import time
from pathlib import Path

from media.client import Manner, MediaClient, Place
from tests.bench._rtp_generator import SO_TIMESTAMPNS, SPACE, cpu_seconds
from tests.support.dtls_phone import Certificate, DtlsPhone
from tests.support.media_worker import WorkerProcess
from tests.support.rtp_phone import RtpPhone

RATES = (50, 150)
SECONDS = 5
HERE = Place(local="127.0.0.1", peer="127.0.0.1")
DTLS = Place(local="127.0.0.1", peer="127.0.0.1", manner=Manner(keying="dtls", muxed=True))


async def _call(client: MediaClient) -> tuple[RtpPhone, RtpPhone]:
    a, b = RtpPhone(), RtpPhone()
    one = await client.open("beside", HERE, lambda _: None, a.sdp())
    two, offer = await client.open_offering("beside", HERE, lambda _: None, one)
    b.read(offer)
    await client.take_answer(two, b.sdp())
    a.read(await client.make_answer(one, like=two))
    await client.join(one, two)
    b.rtp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return a, b


async def _talk(a: RtpPhone, b: RtpPhone, delays: list[float]) -> None:
    """A packet every 20 ms; the kernel says when it arrived, its sequence which one it was."""
    wall = time.time() - time.monotonic()
    sent: list[float] = []
    first = -1
    due = time.monotonic()
    while True:
        sent.append(time.monotonic())
        a.send()
        due = max(due + 0.02, sent[-1])
        await asyncio.sleep(max(due - time.monotonic(), 0))
        while True:
            try:
                data, ancillary, _, _ = b.rtp.recvmsg(2048, SPACE)
            except BlockingIOError:
                break
            sequence = data[2] << 8 | data[3]
            first = sequence if first < 0 else first
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            at = sent[(sequence - first) & 0xFFFF]
            delays.append(seconds + nanoseconds / 1e9 - wall - at)


async def _shake(client: MediaClient, number: int, certificate: Certificate) -> bool:
    phone = DtlsPhone(muxed=True, certificate=certificate)
    leg = await client.open(f"dtls-{number}", DTLS, lambda _: None, phone.sdp())
    phone.read(await client.make_answer(leg))
    deadline = time.monotonic() + 5
    while not phone.pump() and time.monotonic() < deadline:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.002)
    phone.send()
    await client.drop(leg)
    phone.close()
    return phone.is_keyed


async def _one(rate: int) -> None:
    certificate = Certificate()
    with tempfile.TemporaryDirectory() as directory:
        async with WorkerProcess(
            Path(directory) / "w", first_port=10_000, last_port=20_000
        ) as worker:
            assert worker.process is not None
            client = MediaClient({0: worker.socket})
            await client.start()
            a, b = await _call(client)
            delays: list[float] = []
            talking = asyncio.create_task(_talk(a, b, delays))
            await asyncio.sleep(0.5)
            delays.clear()
            before, begun = cpu_seconds(worker.process.pid), time.monotonic()
            tasks = []
            for number in range(rate * SECONDS):
                await asyncio.sleep(max(begun + number / rate - time.monotonic(), 0))
                tasks.append(asyncio.create_task(_shake(client, number, certificate)))
            done = sum(await asyncio.gather(*tasks))
            spent, took = cpu_seconds(worker.process.pid) - before, time.monotonic() - begun
            talking.cancel()
            await client.close()
            a.close()
            b.close()
    delays.sort()
    print(
        f"{rate} handshakes/s asked, {done / took:.0f}/s done ({len(tasks) - done} failed):"
        f" {1e3 * spent / done:.2f} ms of CPU each with its leg, so {done / spent:.0f}/s a core;"
        f" a call beside them: delay p50 {1e3 * delays[len(delays) // 2]:.2f}"
        f" p99 {1e3 * delays[len(delays) * 99 // 100]:.2f} ms",
        flush=True,
    )


def run() -> None:
    """A line for each rate."""
    for rate in RATES:
        asyncio.run(_one(rate))
