"""The exchange process: its parts are started in order and stopped in the reverse of it."""

import asyncio
import contextlib
import gc
import signal
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import structlog

from certs.authority import Authority
from certs.renew import Prevented, renew_due
from pbx.admin.context import AdminContext
from pbx.admin.models import Fact, Process
from pbx.admin.plane import Plane
from pbx.config import Config, load
from pbx.indexing import NumberIndexer
from pbx.metrics import MetricsServer, gauge
from pbx.paths import Layout
from pbx.reconciling import Reconciler
from pbx.restarting import USUAL_SECONDS, Restart
from pbx.reviewing import Reviewer
from pbx.telephony import Ground, Telephony
from storage import directory
from storage.config import database_url
from storage.database import Database
from storage.deeds import Deed
from storage.errors import StorageUnavailable
from storage.identifiers import new_id, system_clock
from storage.keyholder.client import KeyHolder
from storage.keyholder.signing import BadKey, Pin
from storage.ledger.actions import Action
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM
from storage.ledger.keeper import HeadKeeper
from storage.ledger.spool import Spool

if TYPE_CHECKING:
    from pbx.admin.interface import Interface

WRITER: Final = "exchange"
RENEWAL_SECONDS: Final = 3_600
BRIEF: Final = 0.0005
"""Seconds until a thread that computes lets the phones' loop go on, each time it asks."""

log = structlog.get_logger()

_available = gauge("ledger_available", "1 while the ledger can be written.")
_spooled = gauge("ledger_spooled_rows", "Rows in the spool, waiting for the ledger.")
_refused = gauge("ledger_refused_units", "Units of work refused because no row could be written.")


class Exchange:
    """Signalling, policy and the admin interface; see pbx/processes/runner.py for its life."""

    def __init__(self, layout: Layout, config: Config, mode: str) -> None:
        self.layout, self.config = layout, config
        self._stack = AsyncExitStack()
        self._started = time.monotonic()
        self._state = "starting"
        self._processes: list[Process] = []
        self._prevented: list[str] = []
        self._began_with = config
        self._waiting: list[str] = []
        self.restart = Restart(lambda: signal.raise_signal(signal.SIGTERM))
        self.context = AdminContext(
            layout=layout,
            config=lambda: self.config,
            mode=mode,
            uptime=lambda: time.monotonic() - self._started,
            state=lambda: self._state,
            processes=lambda: self._processes,
            restart=self.restart,
        )
        self.context.alarms.append(self._alarms)

    def take_news(self, processes: list[Process]) -> None:
        self._processes = processes

    async def start(self) -> dict[str, str]:
        await self._open_storage()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._told_to_restart)
        self.authority = Authority.open(
            self.layout.certificates, self.config.exchange.domain, system_clock, self.config.certs
        )
        renewing = asyncio.create_task(self._renew())
        self._stack.push_async_callback(_ended, renewing)
        endpoints = await self._open_telephony()
        metrics = MetricsServer(self.config.metrics.port)
        metrics.start()
        self._stack.callback(metrics.stop)
        endpoints |= await self._open_interface()
        self._state = "ready"
        return {
            **endpoints,
            "admin socket": str(self.layout.admin_socket),
            "metrics": metrics.address,
        }

    async def _open_interface(self) -> dict[str, str]:
        """Its framework is a third of what there is to import: phones are let in before, and
        meanwhile served."""
        usual = sys.getswitchinterval()
        sys.setswitchinterval(BRIEF)
        gc.disable()
        try:
            interface = await asyncio.to_thread(self._interface)
        finally:
            sys.setswitchinterval(usual)
            gc.freeze()  # it stays, like what was there before
            gc.enable()
        self._stack.push_async_callback(interface.stop)
        endpoints = await interface.start()
        gc.freeze()  # and so does what was made of it
        return endpoints

    def _interface(self) -> "Interface":
        from pbx.admin.interface import Interface

        return Interface(self.context, self.authority, self.config.admin)

    async def reload(self) -> dict[str, str]:
        self.config = load(self.layout.config_file)
        self._waiting = waiting_for_restart(self._began_with, self.config)
        self._renew_once()
        self.telephony.reconfigure(self.config)
        await self.telephony.refresh()
        return {}

    async def drain(self) -> None:
        self._state = "draining"
        if not self.restart.is_giving_way:
            await self.telephony.drain()

    def _told_to_restart(self) -> None:
        """By a signal: whoever may send one may also end us."""
        self._noting = asyncio.create_task(self._restart())

    async def _restart(self) -> None:
        deed = Deed(SYSTEM, new_id(system_clock), system_clock())
        after = {"drain": False, "seconds": USUAL_SECONDS}
        await self.committer.note(deed.entry(Action.SYSTEM_RESTARTED, after=after))
        self.restart.begin(USUAL_SECONDS, drain=False)

    async def stop(self) -> None:
        self._state = "stopping"
        await self._stack.aclose()

    async def _open_storage(self) -> None:
        """Opens database and ledger. A database that is away is an alarm, not the end of calls."""
        storage = self.config.storage
        url = database_url(storage.url or f"sqlite:///{self.layout.database_file}")
        self.database = Database.connect(url)
        self._stack.push_async_callback(self.database.close)
        try:
            await self.database.check()
        except StorageUnavailable:
            log.error("the database is away; calls go on, the ledger waits")
        self.keyholder = KeyHolder(self.layout.keyholder_exchange_socket)
        self._stack.push_async_callback(self.keyholder.close)
        spool = Spool.open(
            self.layout.ledger_spool / f"{WRITER}.spool",
            WRITER,
            size=storage.spool_bytes,
            reserved=storage.spool_reserved_bytes,
        )
        self._stack.callback(spool.close)
        self.keeper = keeper = HeadKeeper(
            self.database,
            WRITER,
            clock=system_clock,
            seconds=storage.head_seconds,
            rows=storage.head_rows,
            signer=self.keyholder,
        )
        self.committer = Committer(
            self.database, WRITER, clock=system_clock, spool=spool, committed=keeper.rows_added
        )
        await self._stack.enter_async_context(self.committer)
        keeping = asyncio.create_task(keeper.run())
        self._stack.push_async_callback(_ended, keeping)
        self._open_plane()
        self.context.sections["ledger"] = self._ledger
        _available.set_function(lambda: float(self.committer.health.is_available))
        _spooled.set_function(lambda: float(self.committer.health.waiting))
        _refused.set_function(lambda: float(self.committer.health.refused))

    def _open_plane(self) -> None:
        """People, phones and rules; what ends by itself ends from now on."""
        plane = Plane(
            self.database,
            self.committer,
            self.keyholder,
            directory.load(self.layout.credentials),
            system_clock,
        )
        with contextlib.suppress(BadKey):
            plane.pinned = Pin.read(self.layout.keyholder_pin).signing_key
        plane.sign_heads = self.keeper.keep
        self.context.plane = plane
        self.context.sections["access"] = plane.section
        self.context.alarms.append(plane.alarms)
        reviewer = Reviewer(plane)
        reviewing = asyncio.create_task(reviewer.run())
        self._stack.push_async_callback(_ended, reviewing)
        self.context.sections["review"] = reviewer.section
        self.context.alarms.append(reviewer.alarms)
        reconciler = Reconciler(self.database, self.committer, self.keyholder, system_clock)
        reconciling = asyncio.create_task(reconciler.run())
        self._stack.push_async_callback(_ended, reconciling)
        self.context.alarms.append(reconciler.alarms)

    async def _open_telephony(self) -> dict[str, str]:
        self.telephony = Telephony(
            Ground(
                layout=self.layout,
                config=self.config,
                authority=self.authority,
                database=self.database,
                committer=self.committer,
                keyholder=self.keyholder,
                clock=system_clock,
            )
        )
        self._stack.push_async_callback(self._close_telephony)
        endpoints = await self.telephony.start()
        indexer = NumberIndexer(self.database, self.keyholder, self.telephony.keys, system_clock)
        indexing = asyncio.create_task(indexer.run())
        self._stack.push_async_callback(_ended, indexing)
        self.restart.calls = self.telephony.calls
        self.context.telephony = self.telephony
        self.context.sections["telephony"] = self.telephony.section
        self.context.alarms.append(self.telephony.alarms)
        self.context.sections["voicemail"] = self.telephony.voicemail.section
        self.context.alarms.append(self.telephony.voicemail.alarms)
        if self.context.plane is not None:
            self.context.plane.enders.register("calls", self.telephony.end_calls_of)
            self.context.plane.enders.register("phones", self.telephony.end_phones_of)
            self.context.plane.enders.register(
                "mailbox sessions", self.telephony.voicemail.end_sessions_of
            )
            self.context.plane.enders.register("phone log-ins", self.telephony.sign_ins.end_of)
        return endpoints

    async def _close_telephony(self) -> None:
        await self.telephony.stop(leave_calls=self.restart.is_giving_way)

    def _ledger(self) -> dict[str, Fact]:
        health = self.committer.health
        return {
            "can be written": "yes" if health.is_available else "NO",
            "rows in the spool": health.waiting,
            "rows lost": health.lost,
            "units refused": health.refused,
        }

    def _alarms(self) -> list[str]:
        alarms = list(self._prevented)
        if self._waiting:
            tables = ", ".join(f"[{name}]" for name in self._waiting)
            alarms.append(f"Changed and waiting for a restart: {tables}.")
        if not self.committer.health.is_available:
            alarms.append("The ledger cannot be written: protected data stays shut, calls go on.")
        if self.keeper.is_disputed:
            alarms.append(
                "The key holder will not sign the ledger: it remembers another history. "
                "Keep the disks as they are and run: pbx audit verify"
            )
        return alarms

    async def _renew(self) -> None:
        while True:
            self._renew_once()
            await asyncio.sleep(RENEWAL_SECONDS)

    def _renew_once(self) -> None:
        outcomes = renew_due(self.authority)
        self._prevented = [o.remedy for o in outcomes if isinstance(o, Prevented)]
        for outcome in outcomes:
            renewed = not isinstance(outcome, Prevented)
            log.info("a certificate was due", kind=str(outcome.kind), outcome=renewed)


RELOADED: Final = frozenset({"calls", "certs", "voicemail"})
"""Tables that SIGHUP takes over; the others are read when the exchange starts."""


def waiting_for_restart(old: Config, new: Config) -> list[str]:
    """Tables that were changed since the start and that a reload does not take over."""
    return [
        name
        for name in old.__struct_fields__
        if name not in RELOADED and getattr(old, name) != getattr(new, name)
    ]


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
