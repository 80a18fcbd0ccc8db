"""Two of our phones that talk without a pause while the test does something else.

A thread of its own keeps the pace; every packet carries when it was sent, and the kernel says when
it arrived, so that a pause of the test is not taken for one of the relay.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.rtp_phone import FRAME, HEADER, RtpPhone

PACE = 0.02
STAMP = struct.Struct("!d")
KERNEL = struct.Struct("@qq")
SO_TIMESTAMPNS = 35  # asm-generic/socket.h
LIKE_ALL = ("chrt", "--other", "0")
"""What a thread in front starts goes first as well; until this gives it its turn like all others.
(It has to go first until then: whoever starts it waits for it with the interpreter's lock.)"""


def in_front(process: int = 0) -> None:
    """Give a process (0: the calling thread) its turn before all that merely uses the machine.

    What is measured is then what the test does to the relay, and not what else runs. As root only.
    """
    if os.geteuid() != 0:
        return
    threads = os.listdir(f"/proc/{process}/task") if process else (0,)
    for thread in threads:
        os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))


@contextmanager
def both_in_front() -> Iterator[None]:
    """The test's own thread as well: it has the interpreter's lock when the machine gives its turn
    to others, and the thread that keeps the pace would wait for it. See `LIKE_ALL`."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    in_front()
    try:
        yield
    finally:
        if os.geteuid() == 0:
            os.sched_setscheduler(0, policy, parameters)


@dataclass
class Heard:
    """What arrived at one phone."""

    sent: int = 0
    received: int = 0
    delays: list[float] = field(default_factory=list)

    @property
    def longest(self) -> float:
        """Seconds that a packet was under way, at most."""
        return max(self.delays, default=0.0)


@dataclass
class TwoWay:
    """`with talking(alice, bob) as talk:`; afterwards each phone's `Heard`."""

    phones: tuple[RtpPhone, RtpPhone]
    heard: tuple[Heard, Heard] = field(default_factory=lambda: (Heard(), Heard()))
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        in_front()
        for phone in self.phones:
            phone.rtp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        due = time.monotonic()
        while not self._stop.is_set():
            for phone, other in zip(self.phones, reversed(self.heard), strict=True):
                phone.send(STAMP.pack(time.time()) + b"\xff" * (FRAME - STAMP.size))
                other.sent += 1
            due += PACE
            self._listen(due)
        self._listen(time.monotonic() + 0.2)

    def stop(self) -> None:
        self._stop.set()

    def _listen(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            sockets = [phone.rtp for phone in self.phones]
            for ready in select.select(sockets, [], [], left)[0]:
                self._take(sockets.index(ready))

    def _take(self, index: int) -> None:
        phone, heard = self.phones[index], self.heard[index]
        wire, extra, _, _ = phone.rtp.recvmsg(4096, socket.CMSG_SPACE(KERNEL.size))
        seconds, nanoseconds = KERNEL.unpack(extra[0][2])
        assert phone.inbound is not None
        payload = phone.inbound.unprotect(wire)[HEADER.size :]
        heard.received += 1
        heard.delays.append(seconds + nanoseconds / 1e9 - STAMP.unpack_from(payload)[0])


@contextmanager
def talking(one: RtpPhone, other: RtpPhone) -> Iterator[TwoWay]:
    """Both send and listen until the block ends."""
    talk = TwoWay((one, other))
    thread = threading.Thread(target=talk.run, daemon=True)
    thread.start()
    try:
        yield talk
    finally:
        talk.stop()
        thread.join()
