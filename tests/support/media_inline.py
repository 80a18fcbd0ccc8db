"""A worker's inside without its process: the same loop, run for as long as a test says.

Time is told: it goes on only while the loop runs, from one thing that is due to the next, so that
a busy machine changes nothing and nobody waits.
"""

import time
from collections.abc import Callable
from typing import Any

from media import control
from media.config import MediaConfig
from media.control import Described, Measured, Opened
from media.values import LegStats, MediaEvent
from media.worker.leg import Surroundings
from media.worker.loop import Loop
from media.worker.roster import Roster
from media.worker.sounds import Sounds
from media.worker.srtp import Packet
from tests.support.media_desk import place
from tests.support.media_worker import free_range
from tests.support.rtp_phone import RtpPhone

SOUNDS = Sounds()
STEP = 0.005
"""Seconds that pass at once."""
TURNS = 4
"""As many packets as may wait at one socket."""


class Inline:
    """A roster of legs on real sockets, in this thread."""

    def __init__(self, **config: Any) -> None:
        first, last = free_range(40)
        settings = {"workers": 1, "first_port": first, "last_port": last, **config}
        self.now = time.monotonic()
        self.loop = Loop(lambda: self.now)
        self.told: list[MediaEvent] = []
        around = Surroundings(
            self.loop, Packet(), MediaConfig(**settings), SOUNDS, self.told.append
        )
        self.roster = Roster(0, around)
        self.phones: list[RtpPhone] = []

    def ask(self, verb: control.AnyVerb) -> Any:
        """One request, one reply."""
        return self.roster.act(1, verb)

    def open(self, phone: RtpPhone, call: str = "call", **where: Any) -> str:
        """A leg without anything said."""
        self.phones.append(phone)
        spot = place(phone)
        fields = {name: getattr(spot, name) for name in spot.__struct_fields__} | where
        reply = self.ask(control.Open(call, type(spot)(**fields)))
        assert isinstance(reply, Opened)
        return reply.leg

    def alone(self, phone: RtpPhone, direction: str = "sendrecv", **where: Any) -> str:
        """A leg whose phone offered and was answered."""
        leg = self.open(phone, **where)
        self.ask(control.TakeOffer(leg, phone.sdp(direction)))
        answer = self.ask(control.MakeAnswer(leg))
        assert isinstance(answer, Described)
        phone.read(answer.sdp)
        return leg

    def stats(self, leg: str) -> LegStats:
        """How it is doing."""
        reply = self.ask(control.Stats(leg))
        assert isinstance(reply, Measured)
        [stats] = reply.stats
        assert stats is not None
        return stats

    def spin(self, seconds: float = 0.05) -> None:
        """Let the loop run for a while: what has come first, then what is due, step by step."""
        end = self.now + seconds
        self._turn()
        while self.now < end:
            self.now = min(self.now + STEP, end)
            self._turn()

    def spin_until(self, ready: Callable[[], object], seconds: float = 60.0) -> None:
        """Let the loop run until something is so; threads have as long in their own time."""
        patience = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < patience, "it did not happen"
            self.spin(STEP)
            time.sleep(STEP / 5)

    def _turn(self) -> None:
        """Until nothing is left to be read now."""
        for _ in range(TURNS):
            self.loop.at(self.now, self.loop.stop)
            self.loop.run()

    def close(self) -> None:
        """Everything ends."""
        self.roster.close()
        self.loop.close()
        for phone in self.phones:
            phone.close()
