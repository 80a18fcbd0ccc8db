"""Key presses as RFC 4733 telephone-events."""

import struct

DIGITS = "0123456789*#ABCD"
EVENT = struct.Struct("!BBH")
END = 0x80


class EventDecoder:
    """Reads a leg's events: each is sent many times, and is told once, when it ends.

    The end of an event comes three times and all of them can be lost; a new event, or silence after
    an event, ends the one before. It is to see every event of its leg, whoever they are meant for:
    copies of an end that was somebody else's are no new key press.
    """

    __slots__ = ("_current", "_told", "clock")

    def __init__(self, clock: int = 8000) -> None:
        self.clock = clock
        self._current: tuple[int, int, int] | None = None
        self._told: int | None = None

    def receive(self, timestamp: int, payload: bytes) -> list[tuple[str, int]]:
        """The digits that ended with this packet, and how long they lasted in milliseconds."""
        if len(payload) < EVENT.size:
            return []
        event, flags, duration = EVENT.unpack_from(payload)
        if event >= len(DIGITS) or timestamp == self._told:
            return []
        ended = []
        if self._current and self._current[0] != timestamp:
            ended += self.flush()
        if flags & END:
            self._current, self._told = None, timestamp
            ended.append(self._digit(event, duration))
        else:
            self._current = (timestamp, event, duration)
        return ended

    def flush(self) -> list[tuple[str, int]]:
        """The digit whose end was lost, if there is one."""
        if self._current is None:
            return []
        timestamp, event, duration = self._current
        self._current, self._told = None, timestamp
        return [self._digit(event, duration)]

    def pass_over(self, timestamp: int, payload: bytes) -> None:
        """This one is for somebody else: once it has ended, further copies of its end are too."""
        self.receive(timestamp, payload)
        self._current = None

    @property
    def is_open(self) -> bool:
        """Whether a key is down."""
        return self._current is not None

    def _digit(self, event: int, duration: int) -> tuple[str, int]:
        return DIGITS[event], duration * 1000 // self.clock
