"""The media workers behind their sockets: who answers, which leg is whose, and who is told what."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from media import control
from media.control import AnyReply, AnyVerb, Opened
from media.errors import LegGone, MediaError, MediaUnavailable
from media.link import Link
from media.recordings import Recorded
from media.values import Ended, Learnt, LegId, MediaEvent

log = structlog.get_logger()

Notify = Callable[[MediaEvent], None]

RECONNECT_EVERY = 0.2


class Workers:
    """All of them, asked for one leg or for any call; a leg stays with the worker that has it."""

    def __init__(self, sockets: Mapping[int, Path]) -> None:
        self.arrived: Callable[[], None] = lambda: None
        """Told whenever a worker has begun to answer."""
        self._links = {
            index: Link(path, self._told, self._greeted) for index, path in sockets.items()
        }
        self._notify: dict[LegId, Notify] = {}
        self._recorded: dict[LegId, Notify] = {}
        """Who is told of a recording whose leg may be gone."""
        self._call_of: dict[LegId, str] = {}
        self._legs_of: dict[str, set[LegId]] = {}
        self._keyed: set[LegId] = set()
        """Legs whose key presses are told."""
        self._worker_of: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, wait: float = 10.0) -> None:
        """Connect, and stay connected; returns when every worker has answered, or after `wait`."""
        self._tasks = [asyncio.create_task(self._keep(index)) for index in self._links]
        arrivals = [link.arrived.wait() for link in self._links.values()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await asyncio.gather(*arrivals)

    async def close(self) -> None:
        """Disconnect; legs live on in the workers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def workers(self) -> dict[int, bool]:
        """Which workers answer."""
        return {index: link.is_up for index, link in self._links.items()}

    def adopt(self, leg: LegId, call: str, notify: Notify) -> None:
        """Be told of a leg that lives already: after the exchange came back."""
        self._notify[leg] = notify
        self._call_of[leg] = call
        self._legs_of.setdefault(call, set()).add(leg)
        self._worker_of.setdefault(call, worker_of(leg))

    def knows(self, leg: LegId) -> bool:
        """Whether somebody here is told of it."""
        return leg in self._notify

    async def _keep(self, index: int) -> None:
        """Stay connected to a worker; when it goes, its legs are gone."""
        link = self._links[index]
        while True:
            with contextlib.suppress(OSError):
                await link.serve()
            self._lost(index)
            await asyncio.sleep(RECONNECT_EVERY)

    def _greeted(self) -> None:
        self.arrived()

    def _lost(self, index: int) -> None:
        legs = [leg for leg in self._notify if worker_of(leg) == index]
        if legs:
            log.error("media worker lost", index=index, count=len(legs))
        for leg in legs:
            self._told(Ended(leg, "worker"))

    def _told(self, event: MediaEvent) -> None:
        notify = self._notify.get(event.leg) or self._recorded.get(event.leg)
        if isinstance(event, Ended | Recorded):
            self._recorded.pop(event.leg, None)
        if isinstance(event, Ended):
            self._forget(event.leg)
        if notify is not None:
            notify(event)

    async def _open(
        self,
        call: str,
        verb: control.Open | control.OpenOffering,
        notify: Notify,
        beside: LegId | None,
    ) -> Opened:
        index = worker_of(beside) if beside else self._worker_for(call)
        self._worker_of.setdefault(call, index)
        link = self._links[index]
        try:
            reply = await link.ask(verb)
        except MediaError as error:
            self._forget_call(call)
            is_first = beside is None and call not in self._legs_of
            if isinstance(error, MediaUnavailable) and is_first and not link.is_up:
                return await self._open(call, verb, notify, None)  # by another worker
            raise
        assert isinstance(reply, Opened)  # noqa: S101 - the worker's own protocol
        self.adopt(reply.leg, call, notify)
        link.legs += 1
        if reply.manner is not None:
            notify(Learnt(reply.leg, reply.manner))
        return reply

    async def _ask(self, leg: LegId, verb: AnyVerb) -> AnyReply:
        link = self._links.get(worker_of(leg))
        if link is None:
            raise LegGone("the leg's worker is not configured")
        return await link.ask(verb)

    async def _ask_any(self, verb: AnyVerb) -> AnyReply:
        for link in self._links.values():
            if link.is_up:
                return await link.ask(verb)
        raise MediaUnavailable("no media worker answers")

    async def _ask_all(self, verb: AnyVerb) -> list[AnyReply]:
        """Of those that answer; there is at least one."""
        links = [link for link in self._links.values() if link.is_up]
        if not links:
            raise MediaUnavailable("no media worker answers")
        return await asyncio.gather(*(link.ask(verb) for link in links))

    def _expect_recorded(self, leg: LegId) -> None:
        if leg in self._notify:
            self._recorded[leg] = self._notify[leg]

    def _worker_for(self, call: str) -> int:
        if call in self._worker_of:
            return self._worker_of[call]
        up = [index for index, link in self._links.items() if link.is_up]
        if not up:
            raise MediaUnavailable("no media worker answers")
        return min(up, key=lambda index: self._links[index].legs)

    def _forget(self, leg: LegId) -> None:
        self._notify.pop(leg, None)
        self._keyed.discard(leg)
        call = self._call_of.pop(leg, None)
        if call is not None:
            link = self._links[worker_of(leg)]
            link.legs = max(link.legs - 1, 0)
            self._legs_of[call].discard(leg)
            self._forget_call(call)

    def _forget_call(self, call: str) -> None:
        if not self._legs_of.get(call):
            self._legs_of.pop(call, None)
            self._worker_of.pop(call, None)


def worker_of(leg: LegId) -> int:
    index, dot, _ = leg.partition(".")
    if not (dot and index.isascii() and index.isdigit() and len(index) <= 4):
        raise LegGone("not a leg")
    return int(index)
