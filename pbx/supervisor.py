"""`pbx serve`: starts the exchange, the media workers and the key holder, and keeps them going.

SIGTERM and the first Ctrl-C drain: no new call, calls that are up may end, up to a limit; a second
one ends at once. SIGHUP reads the configuration and the certificates again, SIGUSR1 lets the
exchange give way to a new one, which takes its calls over. The supervisor itself holds no key,
opens no socket to the outside and, as root, is the only process of root's.
"""

import asyncio
import fcntl
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from pbx.admin.models import Process
from pbx.config import Config, ConfigError, load
from pbx.paths import Layout
from pbx.processes.accounts import Accounts
from pbx.processes.child import Child, Role
from pbx.processes.lifeline import Failed, News
from pbx.processes.notify import Systemd

PING_EVERY: Final = 5.0

log = structlog.get_logger()


class AlreadyServing(Exception):
    """Another supervisor serves this data directory."""


class Stopped(Exception):
    """A child said why it cannot serve before everything was ready once."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.sentence, self.code = sentence, code


Announce = Callable[[dict[str, str]], None]


class Supervisor:
    """Owns the children of one data directory."""

    def __init__(
        self, layout: Layout, config: Config, accounts: Accounts, systemd: Systemd, say: Announce
    ) -> None:
        self._layout, self._config, self._accounts = layout, config, accounts
        self._systemd, self._say = systemd, say
        self._children = [Child(role, layout, self._changed) for role in self._roles()]
        self._was_ready = self._reloading = False
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self._failure: Failed | None = None

    async def run(self) -> None:
        """Returns when told to stop and nothing of ours is left running."""
        with only_one(self._layout.serve_lock):
            self._listen_to_signals()
            async with asyncio.TaskGroup() as group:
                for child in self._children:
                    group.create_task(child.run())
                watching = group.create_task(self._watch())
                await self._stop.wait()
                watching.cancel()
                await self._end()
        if self._failure is not None:
            raise Stopped(self._failure.sentence, self._failure.code)

    def snapshot(self) -> list[Process]:
        return [child.snapshot() for child in self._children]

    def _roles(self) -> list[Role]:
        accounts, shared = self._accounts, (self._accounts.config,)
        single = accounts.is_single

        def role(kind: str, index: int | None = None) -> Role:
            owner = {"keyholder": accounts.keys, "worker": accounts.media}
            account = owner.get(kind, accounts.exchange)
            return Role(kind, index, None if single else account, shared)

        workers = [role("worker", index) for index in range(self._config.media.worker_count)]
        return [role("keyholder"), *workers, role("exchange")]

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._told_to_reload)
        loop.add_signal_handler(signal.SIGUSR1, self._told_to_restart)

    def _told_to_stop(self) -> None:
        if self._stop.is_set():
            self._at_once.set()
        self._stop.set()

    def _told_to_reload(self) -> None:
        if not self._was_ready or self._stop.is_set():
            return
        try:
            self._config = load(self._layout.config_file)
        except ConfigError as error:
            log.error("the new configuration is refused; the old one stays", reason=str(error))
            return
        self._systemd.reloading()
        self._reloading = True
        for child in self._children:
            child.reload()

    def _told_to_restart(self) -> None:
        """The exchange alone: without the workers no call would go on."""
        for child in self._children:
            if child.role.kind == "exchange" and child.state == "ready":
                child.send(signal.SIGUSR1)

    def _changed(self, child: Child) -> None:
        if child.failure is not None and not self._was_ready and self._failure is None:
            self._failure = child.failure
            self._stop.set()
        if all(each.state == "ready" for each in self._children):
            self._all_ready()
        self._tell_news()

    def _all_ready(self) -> None:
        if not self._was_ready or self._reloading:
            self._systemd.ready(self._accounts.mode)
        if not self._was_ready:
            log.info("ready", mode=self._accounts.mode, count=len(self._children))
            self._say({k: v for child in self._children for k, v in child.facts.items()})
        elif self._reloading:
            log.info("configuration and certificates were read again")
        self._was_ready, self._reloading = True, False

    def _tell_news(self) -> None:
        news = News(self.snapshot())
        for child in self._children:
            if child.role.kind == "exchange" and child.watch is not None:
                child.watch.send(news)

    async def _watch(self) -> None:
        """Asks every child for signs of life; gives systemd ours while all is not lost."""
        every = min(PING_EVERY, (self._systemd.watchdog or 2 * PING_EVERY) / 2)
        while True:
            for child in self._children:
                child.ping(every)
            self._tell_news()
            self._systemd.alive()
            await asyncio.sleep(every)

    async def _end(self) -> None:
        """The exchange first, so that what it still needs outlives it."""
        self._systemd.stopping()
        first = [child for child in self._children if child.role.kind == "exchange"]
        rest = [child for child in self._children if child.role.kind != "exchange"]
        limit = self._config.exchange.drain_seconds if self._was_ready else 0
        draining = asyncio.gather(*(child.stop(within=limit) for child in first))
        hurry = asyncio.create_task(self._hurry(first))
        await draining
        hurry.cancel()
        await asyncio.gather(*(child.stop() for child in rest))
        log.info("stopped")

    async def _hurry(self, children: list[Child]) -> None:
        await self._at_once.wait()
        log.warning("told again to stop: calls that are up end now")
        for child in children:
            child.send(signal.SIGINT)


class only_one:  # reads as a sentence: `with only_one(lock)`
    """Holds the lock file of a data directory; it names the process that serves it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise AlreadyServing from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def __exit__(self, *_: object) -> None:
        os.ftruncate(self._file, 0)
        os.close(self._file)
