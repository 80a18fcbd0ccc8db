"""Runs one asyncio service from readiness to its end, obeying signals and the lifeline.

SIGTERM drains and stops, SIGINT makes the draining end at once, SIGHUP reloads. Losing the
supervisor ends everything at once: nobody would be left to stop us.
"""

import asyncio
import signal
from typing import Protocol

import structlog

from pbx.config import ConfigError
from pbx.processes.lifeline import Lifeline, SupervisorGone
from pbx.processes.notify import Systemd

log = structlog.get_logger()


class Service(Protocol):
    """What a process does; constructed in pbx/service.py."""

    async def start(self) -> dict[str, str]:
        """Begins to serve; says what is up and where, in words for a person."""
        ...

    async def reload(self) -> dict[str, str]:
        """Reads configuration and certificates again without dropping a connection."""
        ...

    async def drain(self) -> None:
        """Takes nothing new and returns when what is going on has ended; may be cancelled."""
        ...

    async def stop(self) -> None:
        """Ends what is left and releases everything."""
        ...


async def run(service: Service, lifeline: Lifeline, systemd: Systemd) -> None:
    stop, at_once, again = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def end_now() -> None:
        stop.set()
        at_once.set()

    loop.set_exception_handler(_unexpected)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, end_now)
    loop.add_signal_handler(signal.SIGHUP, again.set)

    def hear() -> None:
        try:
            lifeline.answer()
        except SupervisorGone:
            loop.remove_reader(lifeline.fileno())
            end_now()

    if lifeline.is_held:
        loop.add_reader(lifeline.fileno(), hear)
    facts = await service.start()
    lifeline.ready(facts)
    systemd.ready("serving")
    try:
        async with asyncio.TaskGroup() as group:
            reloading = group.create_task(_reload(service, again, lifeline, systemd))
            beating = group.create_task(_beat(systemd))
            await stop.wait()
            reloading.cancel()
            systemd.stopping()
            await _drain(service, at_once)
            beating.cancel()
    finally:
        await service.stop()


async def _drain(service: Service, at_once: asyncio.Event) -> None:
    """Until the service has nothing left to wait for, or somebody will not wait."""
    draining = asyncio.create_task(service.drain())
    hurry = asyncio.create_task(at_once.wait())
    await asyncio.wait((draining, hurry), return_when=asyncio.FIRST_COMPLETED)
    for task in (draining, hurry):
        task.cancel()
    await asyncio.gather(draining, hurry, return_exceptions=True)


async def _reload(
    service: Service, again: asyncio.Event, lifeline: Lifeline, systemd: Systemd
) -> None:
    while True:
        await again.wait()
        again.clear()
        systemd.reloading()
        try:
            facts = await service.reload()
        except ConfigError as error:
            log.error("the new configuration is refused; the old one stays", reason=str(error))
            facts = {}
        lifeline.ready(facts)
        systemd.ready("serving")


async def _beat(systemd: Systemd) -> None:
    """Signs of life to systemd where it watches this very process."""
    while systemd.watchdog is not None:
        systemd.alive()
        await asyncio.sleep(systemd.watchdog / 2)


def _unexpected(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    log.error(
        "a task ended on an error nobody expected",
        exc_info=error if isinstance(error, BaseException) else None,
    )
