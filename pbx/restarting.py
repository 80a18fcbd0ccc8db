"""A planned restart: the exchange gives way to a new one, and no call is lost by it.

Whoever talks goes on talking: the workers relay, and the new exchange takes the calls back from
what they keep. What it could not take back, such as a phone that rings, is waited for.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final, Literal

import structlog

from pbx.b2bua.calls import Calls

log = structlog.get_logger()

LONGEST: Final = 86_400
USUAL_SECONDS: Final = 60
"""Longer than phones ring by default."""
State = Literal["none", "waiting", "going"]


class Restart:
    """`begin` when the time has come; `give_way` is called once, and has to end the process."""

    def __init__(self, give_way: Callable[[], None]) -> None:
        self._give_way = give_way
        self.run = secrets.token_hex(8)
        """Names this process, so that another one is known as such."""
        self.calls: Calls | None = None
        """None until there are calls to wait for."""
        self.is_giving_way = False
        self.is_draining = False
        """It waits for every call to end, not only for those that would be lost."""
        self._deadline = 0.0
        self._waiting: asyncio.Task[None] | None = None

    def begin(self, seconds: float, *, drain: bool) -> None:
        """No new call but to the emergency number; give way when nothing would be lost, or when
        the time is over. Asked again, it is as it was asked last."""
        self._stop_waiting()
        self.is_draining = drain
        self._deadline = asyncio.get_running_loop().time() + seconds
        if self.calls is not None:
            self.calls.is_draining = True
        self._waiting = asyncio.create_task(self._wait(seconds), name="restart")

    def call_off(self) -> bool:
        """Go on as if nothing had been asked; False: nothing was, or it is too late."""
        if self._waiting is None or self.is_giving_way:
            return False
        self._stop_waiting()
        if self.calls is not None:
            self.calls.is_draining = False
        return True

    @property
    def state(self) -> State:
        if self.is_giving_way:
            return "going"
        return "waiting" if self._waiting is not None else "none"

    @property
    def seconds_left(self) -> int:
        """Until it waits no longer."""
        if self._waiting is None:
            return 0
        return max(0, round(self._deadline - asyncio.get_running_loop().time()))

    @property
    def awaited(self) -> int:
        """Calls that it waits for."""
        if self.calls is None:
            return 0
        return len(self.calls) if self.is_draining else self.calls.unsettled

    async def _wait(self, seconds: float) -> None:
        calls = self.calls
        if calls is not None:
            try:
                async with asyncio.timeout(seconds):
                    await (calls.idle() if self.is_draining else calls.until_settled())
            except TimeoutError:
                log.warning("the time to wait for calls is over", count=self.awaited)
        self.is_giving_way = True
        log.info("the exchange gives way to a new one", count=len(calls) if calls else 0)
        self._give_way()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
