"""The way from threads back to the loop: what is posted is done there, in order."""

import os
from collections import deque
from collections.abc import Callable

from media.worker.loop import Loop


class Crossing:
    """Any thread posts; the loop is woken and does it between two packets."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._acts: deque[Callable[[], None]] = deque()
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        loop.watch(self._event, self._woken)

    def post(self, act: Callable[[], None]) -> None:
        """From any thread."""
        self._acts.append(act)
        os.eventfd_write(self._event, 1)

    def drain(self) -> None:
        """Do what was posted."""
        while self._acts:
            self._acts.popleft()()

    def close(self) -> None:
        """Nothing is posted any more."""
        self._loop.forget(self._event)
        os.close(self._event)

    def _woken(self) -> None:
        os.eventfd_read(self._event)
        self.drain()
