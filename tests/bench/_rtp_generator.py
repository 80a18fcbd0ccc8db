"""Load for the relay: many calls evenly spread, packets protected ahead, one process of its own.

`python -m tests.bench._rtp_generator SOCKET WORKER_PID CALLS SECONDS SUITE` prints figures as JSON.
For SOCKET `bare` the packets go through a loop without bookkeeping instead of a worker: the same
system calls and the same libsrtp, so what this machine itself costs.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from media.client import MediaClient, Place
from media.worker.srtp import Packet, protect, unprotect
from pbx.processes.hardening import put_ahead
from tests.support.rtp_phone import PROFILES, RtpPhone, context

WARM_UP = 50
"""Packets of each leg before the figures begin: one second."""
PR_SET_TIMERSLACK = 29
SOURCE = Path(__file__).with_name("_rtp_load.c")


class Figures(ctypes.Structure):
    """What _rtp_load.c counted; times in nanoseconds."""

    _fields_ = [(name, ctypes.c_int64) for name in ("got", "relayed", "cpu", "late", "delays")]


def built() -> ctypes.CDLL:
    """The sending and receiving side, compiled for this machine."""
    with tempfile.TemporaryDirectory() as directory:
        library = Path(directory) / "load.so"
        command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
        try:
            subprocess.run(command, check=True)
        except FileNotFoundError:
            sys.exit("The relay's load needs a C compiler: apt-get install gcc libc6-dev")
        return ctypes.CDLL(str(library))


async def through_worker(path: Path, calls: int, suite: str) -> list[RtpPhone]:
    """The phones of joined calls, those of a call next to each other."""
    client = MediaClient({0: path})
    await client.start()
    phones = []
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
        phones += [a, b]
    await client.close()
    return phones


class Bare:
    """The same way for a packet without a worker: receive, open, protect, send, in place."""

    def __init__(self, calls: int, suite: str) -> None:
        self.phones = [RtpPhone(suite) for _ in range(2 * calls)]
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in self.phones]
        self.contexts = []
        for phone, ours in zip(self.phones, self.sockets, strict=True):
            phone.rtcp.close()
            ours.bind(("127.0.0.1", 0))
            ours.connect(phone.rtp.getsockname())
            ours.setblocking(False)
            phone.there = ours.getsockname()
            fresh = os.urandom(PROFILES[suite][1])
            self.contexts.append(
                (context(suite, phone.key, inbound=True), context(suite, fresh, inbound=False))
            )

    def start(self) -> int:
        """In a process of its own, on the worker's core; returns its number."""
        if child := os.fork():
            return child
        os.sched_setaffinity(0, {0})
        put_ahead(0)
        packet, epoll = Packet(), select.epoll()
        view, space, data, length = packet.view, packet.space, packet.data, packet.length
        ways = {}
        for at, ours in enumerate(self.sockets):
            inbound, outbound = self.contexts[at][0]._srtp[0], self.contexts[at ^ 1][1]._srtp[0]
            ways[ours.fileno()] = ours.recv_into, inbound, outbound, self.sockets[at ^ 1].send
            epoll.register(ours.fileno(), select.EPOLLIN)
        while True:
            for descriptor, _ in epoll.poll(1.0, 256):
                receive, inbound, outbound, send = ways[descriptor]
                length[0] = receive(space)
                if not unprotect(inbound, data, length) and not protect(outbound, data, length):
                    with contextlib.suppress(OSError):
                        send(view[: length[0]])


def generate(load: ctypes.CDLL, phones: list[RtpPhone], packets: int, pid: int) -> dict[str, float]:
    """Every phone sends every 20 ms, all of them evenly spread over it."""
    wires = []
    for phone in phones:
        assert phone.there is not None
        phone.rtp.connect(phone.there)
        wires += [phone.outbound.protect(phone.packet(b"\xd5" * 160)) for _ in range(packets)]
    [size] = {len(wire) for wire in wires}
    sockets = (ctypes.c_int32 * len(phones))(*(phone.rtp.fileno() for phone in phones))
    delays = (ctypes.c_double * len(wires))()
    figures = Figures()
    together = b"".join(wires)
    if load.rtp_load(
        len(phones), sockets, packets, WARM_UP, together, size, pid, delays, ctypes.byref(figures)
    ):
        sys.exit("The kernel refused a socket, or to tell the worker's CPU time.")
    took = sorted(delays[: figures.delays])
    return {
        "us_per_packet": figures.cpu / figures.relayed / 1000,
        "cpu_share": figures.cpu / 1e9 / (0.02 * (packets - WARM_UP)),
        "loss_percent": 100 * (1 - figures.got / len(wires)),
        "p50_us": took[len(took) // 2],
        "p99_us": took[len(took) * 99 // 100],
        "generator_late_ms": figures.late / 1e6,
    }


def main() -> None:
    """One run."""
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0)
    path, worker, calls, seconds, suite = sys.argv[1:]
    packets = WARM_UP + int(seconds) * 50
    load = built()
    put_ahead(0)
    if path == "bare":
        bare = Bare(int(calls), suite)
        phones, pid = bare.phones, bare.start()
    else:
        phones, pid = asyncio.run(through_worker(Path(path), int(calls), suite)), int(worker)
    print(json.dumps(generate(load, phones, packets, pid)))
    if path == "bare":
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
