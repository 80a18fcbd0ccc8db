"""What sealed messages cost: CPU of recording and playing, throughput, the time of a PIN check.

CPU is the worker's own; phones talk from a process of their own.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from media.client import Played, Recorded, Recording
from storage.keyholder.factors import Stretcher
from storage.sealed import primitives
from storage.sealed.file import MAX_SEALED, SEGMENT_MS, Codec, Header, Sealer
from tests.support.mailroom import Kept, Mailroom, mailroom
from tests.support.rtp_phone import RtpPhone

LEGS, SECONDS = 40, 10
G722 = ((9, "G722/8000"), (101, "telephone-event/8000"))
PCMU = ((0, "PCMU/8000"), (101, "telephone-event/8000"))
TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """Seconds that a process has computed, its ended threads too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def talk(phones: list[RtpPhone], kind: int) -> int:
    """In a process of its own, until it is killed."""
    child = os.fork()
    if child:
        return child
    began, number = time.monotonic(), 0
    while True:
        due = began + 0.02 * number / len(phones)
        time.sleep(max(due - time.monotonic(), 0))
        phones[number % len(phones)].send(os.urandom(160), payload_type=kind)
        number += 1


async def recording(
    room: Mailroom, formats: tuple[tuple[int, str], ...], name: str
) -> list[Recorded]:
    phones = [RtpPhone(formats=formats) for _ in range(LEGS)]
    legs = [await room.desk.alone(phone, f"{name}-{n}") for n, phone in enumerate(phones)]
    talker = talk(phones, formats[0][0])
    asked = [Recording(seal=room.deposit(), beep=False, silence_ms=0) for _ in legs]
    assert room.worker.process is not None
    pid = room.worker.process.pid
    await asyncio.sleep(1)
    idle = cpu(pid)
    await asyncio.sleep(SECONDS)
    receiving = (cpu(pid) - idle) / SECONDS / LEGS
    await asyncio.gather(*map(room.desk.client.record, legs, asked))
    await asyncio.sleep(1)
    before = cpu(pid)
    await asyncio.sleep(SECONDS)
    spent = (cpu(pid) - before) / SECONDS / LEGS
    await asyncio.gather(*map(room.desk.client.stop_recording, legs))
    told = [await room.desk.event(Recorded) for _ in legs]
    os.kill(talker, 9)
    await asyncio.to_thread(os.waitpid, talker, 0)
    for leg in legs:
        await room.desk.client.drop(leg)
    ms = 1000 * spent
    print(
        f"recording {name}: {ms:.2f} ms of CPU a second ({1000 * receiving:.2f} of it receiving), "
        f"{0.9 / spent:.0f} at once on 90 % of a core"
    )
    return told


async def playing(
    room: Mailroom, told: Recorded, kept: Kept, formats: tuple[tuple[int, str], ...]
) -> None:
    phones = [RtpPhone(formats=formats) for _ in range(10)]
    legs = [await room.desk.alone(phone, f"play-{n}") for n, phone in enumerate(phones)]
    assert room.worker.process is not None
    pid = room.worker.process.pid
    before = cpu(pid)
    await asyncio.gather(*(room.play(leg, kept) for leg in legs))
    for _ in legs:
        await room.desk.event(Played, seconds=60)
    spent = (cpu(pid) - before) / (told.milliseconds / 1000) / len(legs)
    for leg in legs:
        await room.desk.client.drop(leg)
    print(f"playing {told.codec} to {formats[0][1]}: {1000 * spent:.2f} ms of CPU a second")


def throughput() -> None:
    """Of one core, in hours of G.711 a second."""
    header = Header.new(bytes(16), Codec.PCMU, 0)
    key, audio, count = bytearray(32), bytes(8 * SEGMENT_MS), 6000
    before = time.process_time()
    sealer = Sealer(key, header)
    parts = [sealer.segment(audio, SEGMENT_MS) for _ in range(count)]
    sealing = time.process_time() - before
    space = bytearray(MAX_SEALED)
    before = time.process_time()
    for number, part in enumerate(parts):
        primitives.open_segment_into(
            key, header.prefix, number, False, part[16:], sealer.head, space
        )
    opening = time.process_time() - before
    for name, spent in (("seal", sealing), ("open", opening)):
        seconds = count * SEGMENT_MS / 1000 / spent
        print(f"{name}: {1e6 / seconds:.1f} us a second of audio, {seconds * 8000 / 1e6:.0f} MB/s")
    pair = primitives.generate_pair(primitives.Suite.HYBRID)
    before = time.process_time()
    for _ in range(200):
        primitives.seal_to(pair.suite, pair.public, key, b"info")
    print(f"slot: {(time.process_time() - before) / 200 * 1000:.2f} ms")


async def pin_check() -> None:
    stretcher = Stretcher(primitives.Argon2())
    stored = await stretcher.stretch(bytearray(b"730562"))
    times = []
    for _ in range(5):
        before = time.process_time()
        await stretcher.matches(bytearray(b"730562"), stored)
        times.append(time.process_time() - before)
    stretcher.close()
    print(f"PIN check: {1000 * sorted(times)[2]:.0f} ms of CPU (argon2id, off the loop)")


async def _all(directory: Path) -> None:
    async with mailroom(directory) as room:
        for formats, name in ((PCMU, "PCMU"), (G722, "G722")):
            told = await recording(room, formats, name)
            kept = await room.adopt(told[0])
            for target in (PCMU, G722):
                await playing(room, told[0], kept, target)


def run() -> None:
    with tempfile.TemporaryDirectory(prefix="pbx-bench-", dir="/tmp") as directory:
        asyncio.run(_all(Path(directory)))
    throughput()
    asyncio.run(pin_check())
