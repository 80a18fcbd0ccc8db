"""Load for the relay: many calls evenly spread, packets protected ahead, one process of its own.

`python -m tests.bench._rtp_generator SOCKET WORKER_PID CALLS SECONDS SUITE` prints figures as JSON.
"""

import array
import asyncio
import ctypes
import json
import select
import socket
import struct
import sys
import time
from pathlib import Path

from media.client import MediaClient, Place
from tests.support.rtp_phone import RtpPhone

WARM_UP = 50
"""Packets of each leg before the figures begin: one second."""
SAMPLED = 8
"""Each so-manieth leg has its arrivals stamped by the kernel."""
SO_TIMESTAMPNS = 35
PR_SET_TIMERSLACK = 29
SPACE = socket.CMSG_SPACE(16)


class Leg:
    """One phone: what it sends and what it got."""

    def __init__(self, phone: RtpPhone, packets: int, stamped: bool) -> None:
        self.phone, self.socket = phone, phone.rtp
        self.wires = [phone.outbound.protect(phone.packet(b"\xd5" * 160)) for _ in range(packets)]
        self.sent_at = array.array("d", [0.0]) * packets
        self.first = -1
        self.got = 0
        self.stamped = stamped
        if stamped:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


async def set_up(path: Path, calls: int, packets: int, suite: str) -> list[tuple[Leg, Leg]]:
    """Joined calls, their packets ready."""
    client = MediaClient({0: path})
    await client.start()
    pairs = []
    for number in range(calls):
        a, b = RtpPhone(suite), RtpPhone(suite)
        place = Place(local="127.0.0.1", peer="127.0.0.1")
        call = str(number)
        one = await client.open(call, place, lambda event: None)
        await client.take_offer(one, a.sdp())
        two = await client.open(call, place, lambda event: None)
        b.read(await client.make_offer(two, like=one))
        await client.take_answer(two, b.sdp())
        a.read(await client.make_answer(one, like=two))
        await client.join(one, two)
        a.rtcp.close()
        b.rtcp.close()
        stamped = number % SAMPLED == 0
        legs = Leg(a, packets, stamped), Leg(b, packets, stamped)
        for leg in legs:
            assert leg.phone.there is not None
            leg.socket.connect(leg.phone.there)
        pairs.append(legs)
    await client.close()
    return pairs


def cpu_seconds(pid: int) -> float:
    """Of one single-threaded process, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def generate(pairs: list[tuple[Leg, Leg]], packets: int, pid: int) -> dict[str, float]:
    """Every leg sends every 20 ms, all legs evenly spread over them."""
    legs = [leg for pair in pairs for leg in pair]
    other = {one: two for a, b in pairs for one, two in ((a, b), (b, a))}
    epoll = select.epoll()
    by_descriptor = {}
    for leg in legs:
        epoll.register(leg.socket.fileno(), select.EPOLLIN)
        by_descriptor[leg.socket.fileno()] = leg
    gap = 0.02 / len(legs)
    buffer = bytearray(2048)
    delays: list[float] = []
    start = time.monotonic() + 0.05
    wall = time.time() - time.monotonic()
    total, sent = packets * len(legs), 0
    cpu = 0.0
    measured, got_before = WARM_UP * len(legs), 0

    def receive() -> None:
        for descriptor, _ in epoll.poll(0):
            leg = by_descriptor[descriptor]
            if not leg.stamped:
                leg.socket.recv_into(buffer)
                leg.got += 1
                continue
            data, ancillary, _, _ = leg.socket.recvmsg(2048, SPACE)
            leg.got += 1
            sequence = data[2] << 8 | data[3]
            if leg.first < 0:
                leg.first = sequence
            index = (sequence - leg.first) & 0xFFFF
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            if WARM_UP <= index < packets:
                arrived = seconds + nanoseconds / 1e9 - wall
                delays.append(arrived - other[leg].sent_at[index])

    while sent < total:
        now = time.monotonic()
        due = min(int((now - start) / gap), total)
        for number in range(sent, min(due, sent + 8)):
            if number == measured:
                cpu, got_before = cpu_seconds(pid), sum(leg.got for leg in legs)
            leg = legs[number % len(legs)]
            index = number // len(legs)
            leg.sent_at[index] = time.monotonic()
            leg.socket.send(leg.wires[index])
            sent += 1
        receive()
        # Sleeping, not spinning: two virtual cores may share one real core.
        time.sleep(max(start + sent * gap - time.monotonic(), 0.0))
    spent, relayed = cpu_seconds(pid) - cpu, sum(leg.got for leg in legs) - got_before
    late = time.monotonic() - start - packets * 0.02
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        receive()
    delays.sort()
    got = sum(leg.got for leg in legs)
    return {
        "calls": len(pairs),
        "us_per_packet": 1e6 * spent / relayed,
        "cpu_share": spent / (0.02 * (packets - WARM_UP)),
        "loss_percent": 100 * (1 - got / total),
        "p50_us": 1e6 * delays[len(delays) // 2],
        "p99_us": 1e6 * delays[len(delays) * 99 // 100],
        "generator_late_ms": 1000 * late,
    }


def main() -> None:
    """One run."""
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0)
    path, pid, calls, seconds, suite = sys.argv[1:]
    packets = WARM_UP + int(seconds) * 50
    pairs = asyncio.run(set_up(Path(path), int(calls), packets, suite))
    print(json.dumps(generate(pairs, packets, int(pid))))


if __name__ == "__main__":
    main()
