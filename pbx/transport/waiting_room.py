"""Strangers wait for the phones that are here: what they want is done a little at a time.

A handshake takes the better part of a millisecond. When thousands arrive at once, after a restart
or as an attack, whoever has proved who they are is heard in the same turn of the loop all the same.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

BUDGET: Final = 0.002
"""Seconds of one turn of the loop that strangers get; what they start then takes some more."""


class WaitingRoom:
    """First come, first served, and never for long."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Callable[[], None]] = deque()
        self._until = 0.0
        self._is_open = False

    def __len__(self) -> int:
        return len(self._waiting)

    def has_time(self) -> bool:
        """Whether something may be done for a stranger at once."""
        if self._is_open:
            return self._loop.time() < self._until
        self._open()
        return True

    def enter(self, act: Callable[[], None]) -> None:
        """Do this when its turn has come, after what is waiting already."""
        self._waiting.append(act)

    def _open(self) -> None:
        self._is_open = True
        self._until = self._loop.time() + BUDGET
        self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._is_open = False
        if not self._waiting:
            return
        self._open()
        while self._waiting and self.has_time():
            self._waiting.popleft()()
