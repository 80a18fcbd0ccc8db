"""Voicemail as a whole: what calls use of it, what runs beside them, what an operator is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from media.client import MediaClient, MediaError, Recorded, Stored
from pbx.admin.models import Fact
from pbx.voicemail.adoption import Adoption
from pbx.voicemail.config import VoicemailConfig
from pbx.voicemail.deposit_keys import DepositKeys
from pbx.voicemail.deposits import Deposits
from pbx.voicemail.greeting_copy import GreetingCopy
from pbx.voicemail.greeting_file import GreetingFile
from pbx.voicemail.purge import Purge
from pbx.voicemail.readers import Readers
from pbx.voicemail.recovery import Recovery
from pbx.voicemail.spent_keys import SpentKeys
from pbx.voicemail.watch import Watch
from storage import grants, greetings, tenures
from storage.database import Database
from storage.deeds import Deed
from storage.deposits import DepositLog
from storage.errors import StorageError
from storage.greetings import Greeting
from storage.identifiers import Clock, new_id
from storage.keyholder.acts import Role
from storage.keyholder.client import KeyHolder
from storage.keyholder.signing import SignedKey
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM
from storage.ledger.unit import Unit
from storage.records import HourlyKeys
from storage.sealed import primitives
from storage.sealed.greetings import greeting_key

if TYPE_CHECKING:
    from pbx.b2bua.call import Call

log = structlog.get_logger()

AGAIN = 300.0
"""Seconds after a purge that was not finished."""
SPENT_EVERY = 3_600.0
"""Seconds between two looks at deposit keys of weeks that are over."""
EVERY = 10.0
"""Seconds between two tries at what had to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What voicemail stands on."""

    database: Database
    committer: Committer
    keyholder: KeyHolder
    media: MediaClient
    keys: HourlyKeys
    clock: Clock
    config: Callable[[], VoicemailConfig]
    mailboxes: Callable[[], Iterable[UUID]]
    """Those that somebody has now."""
    pinned: Callable[[], bytes]
    greetings_key: primitives.Bytes
    log: Path
    deposit_keys: Path
    greeting_copy: Path


class Voicemail:
    """Made once; `start` before the first call, `stop` after the last."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.deposits = Deposits(
            DepositLog.open(ground.log), ground.committer, ground.keys, ground.clock, self.remove
        )
        self.deposit_keys = DepositKeys(
            ground.keyholder, ground.deposit_keys, ground.pinned, ground.mailboxes, ground.clock
        )
        self.recovery = Recovery(self.deposits, ground.media, ground.database, ground.clock)
        self.adoption = Adoption(
            ground.database, ground.committer, ground.keyholder, ground.media, ground.clock
        )
        self.purge = Purge(
            ground.database, ground.committer, ground.keyholder, ground.clock, self._delete
        )
        self.spent_keys = SpentKeys(
            ground.database, ground.committer, ground.keyholder, self.deposits, ground.clock
        )
        self.watch = Watch(ground.keyholder, ground.media, ground.clock)
        self.greetings = GreetingCopy(
            ground.database, GreetingFile(ground.greeting_copy, ground.greetings_key)
        )
        self.readers = Readers(ground.keyholder, ground.clock)
        self._unwanted = {
            content for content, held in self.deposits.log.open_.items() if held.is_unwanted
        }
        self._mailboxes: frozenset[UUID] = frozenset()
        """Those that somebody had when greetings were looked through last."""
        self._looks_at_disk = False
        """A recording found another disk than we know of: sooner than the next look."""
        self._news = asyncio.Event()
        self._entered = AsyncExitStack()
        self.changed: Callable[[UUID], None] = lambda mailbox: None
        self.notify: Callable[[UUID], None] = lambda mailbox: None
        """Told of each new message, for a notice outside."""
        self.alarmed: Callable[[frozenset[UUID], bool], None] = lambda people, is_on: None
        """Told who manages the practice when nobody can hear messages, and when that is over."""
        self._managers: frozenset[UUID] = frozenset()
        self._is_alarmed = False
        self._strangers = primitives.random(primitives.KEY)
        self.deposits.changed = self._deposited
        self.damaged = 0
        """Files that were refused since the start: an alarm."""
        self._listeners: dict[UUID, list[Call]] = {}

    @property
    def config(self) -> VoicemailConfig:
        return self.ground.config()

    async def start(self) -> None:
        """Greetings are there for the first caller; the rest follows by itself."""
        await self.greetings.refresh()
        self.purge.changed = self.changed
        for name, work in (
            ("deposit keys", self.deposit_keys.run()),
            ("voicemail watch", self.watch.run()),
            ("readers of shared mailboxes", self.readers.run()),
            ("voicemail chores", self._run()),
            ("voicemail purge", self._purge()),
            ("old deposit keys", self._destroy_spent_keys()),
        ):
            task = asyncio.create_task(work, name=name)
            self._entered.push_async_callback(_cancelled, task)

    async def stop(self) -> None:
        """What was concluded is written, or waits in the log."""
        await self.deposits.idle()
        await self._entered.aclose()
        await self.deposits.log.close()

    def heard(self, event: Stored | Recorded) -> None:
        """What a worker says of a recording, also when its call is over."""
        if not self.deposits.heard(event) and isinstance(event, Recorded):
            self.deposits.needs_recovery = True
            self.wake()
        if isinstance(event, Stored) and event.is_low != self.watch.is_low:
            self._looks_at_disk = True
            self.wake()

    def wake(self) -> None:
        """What had to wait may be possible now: a worker is back, a recording has ended."""
        self._news.set()

    def key_of(self, mailbox: UUID) -> SignedKey | None:
        """The key to seal to now, or None: no message can be taken."""
        return None if self.watch.is_full else self.deposit_keys.current(mailbox)

    def greeting_key(self, content: bytes) -> bytes:
        return bytes(greeting_key(self.ground.greetings_key, content))

    def stranger(self, number: str) -> UUID:
        """Who is at a number that nobody has: somebody else at each, so that it is counted and
        locked like any other."""
        return UUID(bytes=primitives.mac(self._strangers, "stranger", number.encode())[:16])

    def remove(self, content: bytes) -> None:
        """Delete a file that nobody wants, as soon as a worker answers."""
        self._unwanted.add(content)
        self._news.set()

    def listening(self, call: Call, person: UUID) -> None:
        """Somebody hears their messages in this call, perhaps on a phone of nobody's."""
        self._listeners.setdefault(person, []).append(call)

    def not_listening(self, call: Call, person: UUID) -> None:
        calls = self._listeners.get(person, [])
        if call in calls:
            calls.remove(call)
        if not calls:
            self._listeners.pop(person, None)

    async def end_sessions_of(self, person: UUID) -> int:
        """Of somebody who left: whatever phone they listen on."""
        calls = tuple(self._listeners.get(person, ()))
        for call in calls:
            call.end("person-left")
        return len(calls)

    def _deposited(self, mailbox: UUID) -> None:
        self.changed(mailbox)
        self.notify(mailbox)
        self._news.set()

    # -- beside the calls

    async def _run(self) -> None:
        while True:
            self._news.clear()
            try:
                await self.chores()
            except Exception:
                log.exception("what waits for voicemail was not done")
            try:
                async with asyncio.timeout(EVERY):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def chores(self) -> None:
        """What had to wait: recovery, commits, adoption, files that nobody wants."""
        if self.deposits.needs_recovery:
            self.deposits.needs_recovery = False
            if not await self.recovery.run():
                self.deposits.needs_recovery = True
        elif self.deposits.waiting:
            await self.deposits.retry()
        if self._looks_at_disk:
            self._looks_at_disk = False
            await self.watch.look_at_disk()
        await self.adoption.run()
        await self._tell_managers()
        await self._end_greetings()
        await self._sweep()

    async def _tell_managers(self) -> None:
        """Once when it begins, and once when it is over."""
        is_away = self.watch.is_away(self.config.away_minutes)
        if not is_away and not self._is_alarmed:
            return
        with suppress(StorageError):  # then whoever was known to be
            async with self.ground.database.read() as connection:
                self._managers = await grants.holders(
                    connection, Role.PRACTICE_MANAGER, self.ground.clock()
                )
        if is_away != self._is_alarmed:
            self._is_alarmed = is_away
            log.error("hearing messages", state="impossible" if is_away else "possible again")
            self.alarmed(self._managers, is_away)

    async def _end_greetings(self) -> None:
        """A tenure that is over takes its greetings along."""
        mailboxes = frozenset(self.ground.mailboxes())
        if mailboxes == self._mailboxes:
            return
        try:
            ended = await self._greetings_without_tenure()
            for mailbox in ended:
                await self._end_greetings_of(mailbox)
        except StorageError:
            return
        self._mailboxes = mailboxes
        if ended:
            await self.greetings.refresh()

    async def _greetings_without_tenure(self) -> set[UUID]:
        async with self.ground.database.read() as connection:
            ended = set()
            for greeting in await greetings.all_(connection):
                tenure = await tenures.of_mailbox(connection, greeting.mailbox)
                if tenure is not None and not await tenures.is_alive(connection, tenure.id):
                    ended.add(greeting.mailbox)
        return ended

    async def _end_greetings_of(self, mailbox: UUID) -> None:
        clock = self.ground.clock
        deed = Deed(SYSTEM, new_id(clock), clock())

        async def work(unit: Unit) -> list[Greeting]:
            return await greetings.end_of(unit, deed, mailbox)

        for greeting in await self.ground.committer.run(work):
            self.remove(greeting.content)

    async def _sweep(self) -> None:
        if not self._unwanted:
            return
        contents = list(self._unwanted)
        try:
            await self.ground.media.remove(contents)
        except MediaError:
            return
        self._unwanted.difference_update(contents)
        await self.deposits.removed(contents)

    async def _delete(self, content: bytes) -> None:
        await self.ground.media.remove([content])

    async def _purge(self) -> None:
        """By the retention rules; a purge that could not be done is tried again soon."""
        await asyncio.sleep(self.config.purge_first_seconds)
        while True:
            try:
                left = (await self.purge.run()).left
            except Exception:
                log.exception("messages were not purged")
                left = 1
            await (asyncio.sleep(AGAIN) if left else self._until_next_purge())

    async def _until_next_purge(self) -> None:
        """In steps, so that other hours in a reloaded configuration count at once."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        while True:
            await asyncio.sleep(AGAIN)
            if loop.time() >= since + self.config.purge_hours * 3_600:
                return

    async def _destroy_spent_keys(self) -> None:
        while True:
            await asyncio.sleep(SPENT_EVERY)
            try:
                await self.spent_keys.run()
            except Exception:
                log.exception("old deposit keys were not destroyed")

    # -- what is shown

    def section(self) -> dict[str, Fact]:
        """For `pbx status`."""
        spool = self.watch.spool
        return {
            "messages waiting for the database": self.deposits.waiting,
            "messages found after a crash": self.recovery.found,
            "mailboxes without a deposit key": self.deposit_keys.missing(),
            "room for messages": "unknown" if spool is None else f"{spool.free >> 20} MiB",
        }

    def alarms(self) -> list[str]:
        """What needs somebody."""
        found = []
        if self.watch.is_away(self.config.away_minutes):
            found.append(
                "Practice manager: the key holder is away, so messages cannot be heard; callers "
                "are told so. Look with `pbx status`, unlock with `pbx keys unlock`."
            )
        if self.deposits.waiting:
            found.append("Messages wait, sealed, for a ledger that cannot be written.")
        if self.watch.is_full:
            found.append("The disk of messages is full: no message can be taken.")
        elif self.watch.is_low:
            found.append("The disk of messages is nearly full; soon no message can be taken.")
        if self.deposit_keys.missing():
            found.append("A mailbox has no deposit key: no message can be left there.")
        if self.damaged:
            found.append("A sealed message was refused as damaged: see `pbx audit`, and the disk.")
        if self.recovery.cut:
            found.append("A message was shortened after a crash: see `pbx audit`, and the disk.")
        if self.adoption.refused:
            found.append("The key holder refuses to take a message over: see `pbx audit`.")
        return found


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
