"""Key presses of a leg's phone (RFC 4733): for us, or on to its partner."""

from collections.abc import Callable, Iterable

from media.sdp.formats import Codec
from media.worker.dtmf import EventDecoder

MOST_KEYS = 32
"""Told in a second: twice what an automatic dialler presses. Each costs the exchange a thousand
times what it costs a phone to send."""


class Keypad:
    """Decides of each key press whether it goes on."""

    def __init__(
        self,
        now: Callable[[], float],
        tell: Callable[[str, int], None],
        passed: Callable[[int, bytes, int], None],
    ) -> None:
        """`tell` hears digit and milliseconds of what is reported; `passed` timestamp, payload and
        clock of what goes on."""
        self._now, self._tell, self._passed = now, tell, passed
        self._room, self._counted_at = float(MOST_KEYS), now()
        self._decoder = EventDecoder()
        self._clock = 8000
        self.is_reported = False
        self.taken_by: Callable[[str], bool] | None = None
        """Asked first of every key press; what it takes goes no further."""

    def expect(self, formats: Iterable[Codec]) -> None:
        """What its phone sends."""
        events = [codec for codec in formats if codec.is_event]
        self._clock = self._decoder.clock = events[0].clock if events else 8000

    def receive(self, timestamp: int, payload: bytes) -> bool:
        """A packet of a key press; whether it may go on."""
        if not self.is_reported and self.taken_by is None:
            self._decoder.pass_over(timestamp, payload)
            self._passed(timestamp, payload, self._clock)
            return True
        for digit, milliseconds in self._decoder.receive(timestamp, payload):
            is_taken = self.taken_by is not None and self.taken_by(digit)
            if self.is_reported and not is_taken and self._has_room():
                self._tell(digit, milliseconds)
        return False

    def _has_room(self) -> bool:
        """For one more key press in this second."""
        now = self._now()
        self._room = min(self._room + MOST_KEYS * (now - self._counted_at), MOST_KEYS)
        self._counted_at = now
        has_room = self._room >= 1
        self._room -= has_room
        return has_room
