"""What a phone sends, put in order and given out at a steady pace, some time later.

Ordered by timestamp, so that packets of any length and talk after silence need no special case.
The delay is what the network's jitter asks for: it grows when packets come too late, and shrinks
when they have all come too early for a while.
"""

WRAP = 1 << 32
MAX_JUMP_SECONDS = 2.0
"""A greater step of the timestamps is a source that began anew."""
START_SECONDS = 0.04
"""Held back at first: two frames of twenty milliseconds."""
MAX_SECONDS = 0.2
"""Held back at most: what is older is left out."""
MOST = 128
"""Packets that wait: two seconds and a half of the usual ones."""
EASY_TURNS = 100
"""So many turns with more in hand than is needed, then some is left out: two seconds."""


class JitterBuffer:
    """One stream's packets until their time."""

    def __init__(self, clock: int) -> None:
        self._clock = clock
        self._tolerance = clock // 100  # a source may count loosely: half a frame early is in time
        self._packets: dict[int, bytes] = {}
        self._newest: int | None = None
        self._next: int | None = None
        self._in_hand: list[float] = []
        self.late = self.left_out = 0

    @property
    def is_empty(self) -> bool:
        """Nothing waits."""
        return not self._packets

    def put(self, timestamp: int, payload: bytes) -> None:
        """A packet came."""
        place = self._unwrapped(timestamp)
        if self._next is not None and place < self._next:
            self.late += 1
            return
        if len(self._packets) >= MOST:
            self.left_out += 1
            return
        self._packets[place] = payload

    def is_ready(self) -> bool:
        """Whether enough is held back to begin; then it begins."""
        if self._next is None and self.seconds >= START_SECONDS:
            self._next = min(self._packets)
        return self._next is not None

    @property
    def seconds(self) -> float:
        """How much waits: to the beginning of the newest packet, and a frame for that itself."""
        if not self._packets:
            return 0.0
        first = self._next if self._next is not None else min(self._packets)
        return (max(self._packets) - first) / self._clock + 0.02

    def take(self) -> bytes | None:
        """The packet that is due; None: it is missing, or there is none."""
        if self._next is None or not self._packets:
            return None
        place = min(self._packets)
        if place - self._next >= self._tolerance:
            return None
        self._next = place
        return self._packets.pop(place)

    def passed(self, seconds: float) -> None:
        """So much was played, or made up."""
        if self._next is None:
            return
        self._next += round(seconds * self._clock)
        for place in [p for p in self._packets if p < self._next - self._tolerance]:
            del self._packets[place]
            self.late += 1

    def settle(self) -> None:
        """Once a turn: leave out what makes the delay longer than it has to be."""
        if self._next is None or not self._packets:
            return
        self._in_hand.append(self.seconds)
        is_full = self._in_hand[-1] > MAX_SECONDS
        if is_full or len(self._in_hand) >= EASY_TURNS:
            if is_full or min(self._in_hand) > START_SECONDS + 0.02:
                self.left_out += 1
                del self._packets[first := min(self._packets)]
                self._next = min(self._packets, default=first)
            self._in_hand.clear()

    def pause(self) -> None:
        """Nothing came for long: what comes next is held back anew."""
        self._next = None
        self._packets.clear()
        self._in_hand.clear()

    def _unwrapped(self, timestamp: int) -> int:
        if self._newest is None:
            self._newest = timestamp
            return timestamp
        step = (timestamp - self._newest + WRAP // 2) % WRAP - WRAP // 2
        place = self._newest + step
        if abs(step) > MAX_JUMP_SECONDS * self._clock:
            self.pause()
            self._newest = place
        self._newest = max(self._newest, place)
        return place
