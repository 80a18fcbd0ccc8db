"""One supervised process: started, watched, started again when it dies, stopped when told."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from pbx.admin.models import Process
from pbx.exits import GAVE_WAY
from pbx.paths import Layout
from pbx.processes import hardening
from pbx.processes.accounts import Account
from pbx.processes.backoff import Backoff
from pbx.processes.lifeline import VARIABLE, Alive, Failed, Ping, Ready, Watch

STARTS_WITHIN: Final = 60.0
SILENT_FOR: Final = 20.0
"""A child whose loop has answered no ping for so long hangs and is replaced."""

STOPS_WITHIN: Final = 5.0
"""From the end of draining, or from SIGTERM where nothing drains, to SIGKILL."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Role:
    """What a child is for, and under which account and groups it runs."""

    kind: str
    index: int | None
    account: Account | None
    """None: our own account (single-account mode)."""

    groups: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return self.kind if self.index is None else f"{self.kind}-{self.index}"


class Child:
    """Runs until `stop`; `changed` is called whenever something to know has happened."""

    def __init__(self, role: Role, layout: Layout, changed: Callable[["Child"], None]) -> None:
        self.role = role
        self.state = "starting"
        self.facts: dict[str, str] = {}
        self.failure: Failed | None = None
        self._layout, self._changed = layout, changed
        self._backoff = Backoff()
        self._process: asyncio.subprocess.Process | None = None
        self._watch: Watch | None = None
        self._restarts = 0
        self._started, self._silent = time.monotonic(), 0.0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Keeps the process running; returns once it has been told to stop and has ended."""
        while not self._stopping.is_set():
            code = await self._live()
            if self._stopping.is_set():
                break
            if code == GAVE_WAY:
                log.info("a process gave way to a new one", process=self.role.name)
                self._restarts += 1
                continue
            delay = self._backoff.after(time.monotonic() - self._started)
            log.error(
                "a process died and is started again",
                process=self.role.name,
                exit_code=code,
                delay=delay,
            )
            self._enter("waiting")
            await self._pause(delay)
            self._restarts += 1
        self._enter("stopped")

    async def stop(self, *, within: float = 0.0) -> None:
        """SIGTERM, and SIGKILL to whatever is left when its time is over."""
        self._stopping.set()
        if self._process is None or self.state == "stopped":
            return
        self._enter("stopping")
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(within + STOPS_WITHIN):
                await self._process.wait()
        except TimeoutError:
            log.warning("a process did not stop in time and is killed", process=self.role.name)
            self.send(signal.SIGKILL)
            await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def ping(self, since: float) -> None:
        """Asks for a sign of life; kills a process that has given none for too long.

        `since` the last time, in seconds: while everything stood still, we too, nobody was silent.
        """
        if self._watch is None or self.state not in {"starting", "ready", "reloading"}:
            return
        self._silent += since
        limit = SILENT_FOR if self.state == "ready" else STARTS_WITHIN
        if self._silent > limit:
            log.error("a process hangs and is killed", process=self.role.name)
            self.send(signal.SIGKILL)
        elif self.state != "starting":
            self._watch.send(Ping())

    def reload(self) -> None:
        if self.state == "ready":
            self._enter("reloading")
            self.send(signal.SIGHUP)

    @property
    def watch(self) -> Watch | None:
        return self._watch

    def snapshot(self) -> Process:
        running = self._process is not None and self._process.returncode is None
        return Process(
            name=self.role.name,
            state=self.state,
            pid=self._process.pid if running and self._process else None,
            restarts=self._restarts,
            uptime_seconds=int(time.monotonic() - self._started) if running else 0,
        )

    async def _live(self) -> int:
        """One life of the process, from start to exit code."""
        watch = self._watch = Watch()
        self._started, self._silent = time.monotonic(), 0.0
        self._enter("starting")
        loop = asyncio.get_running_loop()
        try:
            self._process = await self._spawn(watch)
            if self.role.kind == "worker" and not hardening.put_ahead(self._process.pid):
                log.info("media gets no turn before other work", process=self.role.name)
            loop.add_reader(watch.fileno(), self._hear)
            watch.child.close()
            code = await self._process.wait()
            self._hear()
            return code
        finally:
            # Only a supervisor that is itself being torn down leaves a living child here.
            self.send(signal.SIGKILL)
            loop.remove_reader(watch.fileno())
            watch.close()
            self._watch = None

    async def _spawn(self, watch: Watch) -> asyncio.subprocess.Process:
        role = self.role
        account = role.account
        more = [] if role.index is None else ["--index", str(role.index)]
        more += ["--separate"] if account else []
        keeping = hardening.keeping_lock(account.uid, account.gid, role.groups) if account else []
        if role.kind != "keyholder":
            keeping = []
        # What keeps the right to lock memory also changes the account, as its last step.
        changed = account if not keeping else None
        return await asyncio.create_subprocess_exec(
            *keeping,
            *(sys.executable, "-P", "-m", "pbx.service", role.kind),
            *("--data", str(self._layout.root), "--parent", str(os.getpid()), *more),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(watch.child.fileno(),),
            env={**_environment(), VARIABLE: str(watch.child.fileno())},
            cwd="/",
            # A group of its own: Ctrl-C reaches the supervisor alone, which stops the others.
            process_group=0,
            user=changed.uid if changed else None,
            group=changed.gid if changed else None,
            extra_groups=list(role.groups) if changed else None,
            umask=0o027,
        )

    def _hear(self) -> None:
        if self._watch is None:
            return
        messages = self._watch.received()
        if not messages and self._process is not None:
            # Readable and empty: the child has closed its end; its exit is awaited elsewhere.
            asyncio.get_running_loop().remove_reader(self._watch.fileno())
        for message in messages:
            self._silent = 0.0
            match message:
                case Ready(facts):
                    self.facts = facts
                    self._enter("ready")
                case Failed():
                    self.failure = message
                    self._changed(self)
                case Alive():
                    pass

    def _enter(self, state: str) -> None:
        if state == self.state and state != "ready":
            return
        self.state = state
        self._changed(self)

    async def _pause(self, delay: float) -> None:
        try:
            async with asyncio.timeout(delay):
                await self._stopping.wait()
        except TimeoutError:
            return


def _environment() -> dict[str, str]:
    """Ours without what is meant for the supervisor alone (sd_notify(3))."""
    own = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", VARIABLE}
    return {key: value for key, value in os.environ.items() if key not in own}
