"""Phones of ours that send without a pause, and how long each of them has ever heard nothing.

A thread of its own keeps the pace, before all that merely uses the machine; the kernel says when a
packet arrived. Whoever is on the line hears somebody, or music: a gap is the relay's own.
"""

from __future__ import annotations

import asyncio
import itertools
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.rtp_phone import FRAME, RtpPhone
from tests.support.two_way import KERNEL, PACE, SO_TIMESTAMPNS, both_in_front, in_front

VOICE = b"\xff" * FRAME


@dataclass
class Line:
    """What one phone has heard, by the kernel's clock."""

    arrivals: list[float] = field(default_factory=list)

    def longest_gap(self, start: float, end: float) -> float:
        """Seconds without a packet, at most, between two moments; what is open at either counts
        as far as it goes."""
        inside = [at for at in self.arrivals if start <= at <= end]
        steps = [start, *inside, end]
        return max(later - at for at, later in itertools.pairwise(steps))


class Steady:
    """Everybody sends; a phone may be added at any time, and is closed after the end."""

    def __init__(self) -> None:
        self.lines: dict[RtpPhone, Line] = {}
        self._stop = threading.Event()

    def add(self, phone: RtpPhone) -> None:
        """One whose keys are agreed."""
        phone.rtp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        phone.take()  # what has come before has no time
        self.lines = {**self.lines, phone: Line()}

    async def heard(self, phone: RtpPhone) -> float:
        """When it next hears anything."""
        line, before = self.lines[phone], time.time()
        while not line.arrivals or line.arrivals[-1] <= before:  # noqa: ASYNC110  # a thread's doing
            await asyncio.sleep(0.005)
        return next(at for at in line.arrivals if at > before)

    def run(self) -> None:
        in_front()
        due = time.monotonic()
        while not self._stop.is_set():
            phones = list(self.lines)
            for phone in phones:
                phone.send(VOICE)
            due += PACE
            self._listen(due, phones)

    def stop(self) -> None:
        self._stop.set()

    def _listen(self, until: float, phones: Sequence[RtpPhone]) -> None:
        by_socket = {phone.rtp: phone for phone in phones}
        while (left := until - time.monotonic()) > 0:
            if not by_socket:
                time.sleep(left)
                return
            for ready in select.select(list(by_socket), [], [], left)[0]:
                self._take(by_socket[ready])

    def _take(self, phone: RtpPhone) -> None:
        wire, extra, _, _ = phone.rtp.recvmsg(4096, socket.CMSG_SPACE(KERNEL.size))
        seconds, nanoseconds = KERNEL.unpack(extra[0][2])
        assert phone.inbound is not None
        phone.inbound.unprotect(wire)  # raises for what is not of this call
        self.lines[phone].arrivals.append(seconds + nanoseconds / 1e9)


@contextmanager
def steady() -> Iterator[Steady]:
    """Until the block ends."""
    voices = Steady()
    thread = threading.Thread(target=voices.run, daemon=True)
    with both_in_front():
        thread.start()
        try:
            yield voices
        finally:
            voices.stop()
            thread.join()
