"""One epoll loop: readable sockets and deadlines, nothing else.

asyncio's datagram endpoints cost 85 µs of CPU a packet, this loop 11-14: a table from file
descriptor to function, and a heap of deadlines looked at once a turn.
"""

import heapq
import itertools
import select
import time
from collections import deque
from collections.abc import Callable

import structlog

MAX_EVENTS = 256
LONGEST_WAIT = 1.0
MOST_FAILURES = 1000
"""Of one run: who fails that often is mended by a new process."""

log = structlog.get_logger()


class Deadline:
    """Something due at a time; cancelled by `cancel`, which the heap notices late."""

    __slots__ = ("act",)

    def __init__(self, act: Callable[[], None]) -> None:
        self.act: Callable[[], None] | None = act

    def cancel(self) -> None:
        """It will not happen."""
        self.act = None


class Loop:
    """The worker's only thread of control."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.handlers: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll()
        self._due: list[tuple[float, int, Deadline]] = []
        self._order = itertools.count()
        self._later: deque[Callable[[], None]] = deque()
        self._running = False
        self._failures = 0

    def watch(self, descriptor: int, handler: Callable[[], None]) -> None:
        """Call the handler whenever this descriptor is readable."""
        self.handlers[descriptor] = handler
        self._epoll.register(descriptor, select.EPOLLIN)

    def forget(self, descriptor: int) -> None:
        """No longer; before the descriptor is closed."""
        del self.handlers[descriptor]
        self._epoll.unregister(descriptor)

    def want_write(self, descriptor: int, wanted: bool) -> None:
        """Also call the handler when the descriptor takes more."""
        self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if wanted else 0))

    def at(self, when: float, act: Callable[[], None]) -> Deadline:
        """Do this then."""
        deadline = Deadline(act)
        heapq.heappush(self._due, (when, next(self._order), deadline))
        return deadline

    def later(self, act: Callable[[], None]) -> None:
        """Do this when everything that is readable now has been read, one such thing a turn: a
        burst of slow work keeps no packet waiting for more than one piece of it."""
        self._later.append(act)

    def run(self) -> None:
        """Until `stop`. What one packet or deadline fails at ends no other call."""
        self._running = True
        while self._running:
            try:
                self._turns()
            except Exception as error:
                self._failures += 1
                if self._failures > MOST_FAILURES:
                    raise
                log.error("media loop failed at a packet or deadline", kind=type(error).__name__)

    def _turns(self) -> None:
        """HOT: a turn often is one packet."""
        handlers, poll, later, due, clock = (
            self.handlers, self._epoll.poll, self._later, self._due, self.now
        )  # fmt: skip
        wait = 0.0
        while self._running:
            for descriptor, _ in poll(wait, MAX_EVENTS):
                handler = handlers.get(descriptor)
                if handler is not None:  # a leg dropped earlier in this batch
                    handler()
            if later:
                later.popleft()()
            now = clock()
            if due and due[0][0] <= now:
                self.expire()
                now = clock()
            if later:
                wait = 0.0
            else:
                wait = min(max(due[0][0] - now, 0.0), LONGEST_WAIT) if due else LONGEST_WAIT

    def stop(self) -> None:
        """Return from `run` after this turn."""
        self._running = False

    def expire(self) -> None:
        """Do what is due."""
        due, now = self._due, self.now()
        while due and due[0][0] <= now:
            act = heapq.heappop(due)[2].act
            if act is not None:
                act()

    def close(self) -> None:
        """Free the epoll descriptor."""
        self._epoll.close()
