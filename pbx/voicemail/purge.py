"""Purging: what has been kept long enough is hidden, what has been hidden long enough is destroyed.

Destroying a message destroys its secret at the key holder, which signs a certificate and keeps a
tombstone (NIST SP 800-88 Rev. 1, cryptographic erase); then its file is deleted, and its row says
so. Each message is an operation of its own and each step may be done twice, so that a purge can be
stopped, and goes on, anywhere.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import msgspec
import structlog

from media.client import MediaError
from storage import messages, retention
from storage.conflicts import Conflict, WrongState
from storage.database import Database
from storage.deeds import Deed
from storage.errors import StorageError
from storage.identifiers import Clock, new_id
from storage.intents import intend
from storage.keyholder.client import KeyHolder, KeyHolderError, Refused
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM, Actor
from storage.ledger.unit import Unit
from storage.messages import MessageState
from storage.retention import Due

log = structlog.get_logger()


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What a purge did, or would do."""

    is_dry_run: bool
    hidden: int = 0
    destroyed: int = 0
    refused: int = 0
    """On hold at the key holder, too young, or brought back at the last moment."""
    left: int = 0
    """Still due: no more were asked for, or key holder, media worker or ledger went away."""


@dataclass(slots=True)
class Progress:
    """Where a purge is."""

    done: int = 0
    total: int = 0
    is_running: bool = False


class Purge:
    """`run` by the clock, or when somebody asks."""

    def __init__(
        self,
        database: Database,
        committer: Committer,
        keyholder: KeyHolder,
        clock: Clock,
        remove: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._database, self._committer = database, committer
        self._keyholder, self._clock, self._remove = keyholder, clock, remove
        self.progress = Progress()
        self.changed: Callable[[UUID], None] = lambda mailbox: None
        self._lock = asyncio.Lock()
        self.destroying: UUID | None = None
        """It is too late to bring this one back."""
        self._refused: set[UUID] = set()
        """By the key holder, since the start: these come last, so that they hold up no other."""

    async def run(
        self, *, is_dry_run: bool = False, actor: Actor = SYSTEM, most: int | None = None
    ) -> Purged:
        """One purge at a time, of so many messages; raises StorageError where nothing can be
        looked up."""
        async with self._lock:
            now = self._clock()
            async with self._database.read() as connection:
                hide = await retention.to_hide(connection, now)
                destroy = await retention.to_destroy(connection, now)
            if is_dry_run:
                return Purged(is_dry_run=True, hidden=len(hide), destroyed=len(destroy))
            destroy.sort(key=lambda due: due.message in self._refused)
            self.progress = Progress(0, len(hide) + len(destroy), is_running=True)
            try:
                done = await self._all(hide, destroy, most)
            finally:
                self.progress.is_running = False
            if hide or destroy:
                after = msgspec.to_builtins(done)
                deed = Deed(actor, new_id(self._clock), self._clock())
                await self._committer.note(deed.entry(Action.MESSAGE_PURGED, after=after))
            return done

    async def _all(self, hide: list[Due], destroy: list[Due], most: int | None) -> Purged:
        hidden = destroyed = refused = 0
        try:
            for due in itertools.islice(hide, most):
                with suppress(Conflict):  # somebody else was first
                    await self._hide(due)
                    hidden += 1
                self.progress.done += 1
            for due in itertools.islice(destroy, None if most is None else most - hidden):
                if await self.destroy(due):
                    destroyed += 1
                else:
                    refused += 1
                    self._refused.add(due.message)
                self.progress.done += 1
        except (StorageError, KeyHolderError, MediaError):
            log.warning("a purge stopped: key holder, media worker or ledger is away")
        left = len(hide) + len(destroy) - hidden - destroyed - refused
        return Purged(
            is_dry_run=False, hidden=hidden, destroyed=destroyed, refused=refused, left=left
        )

    async def _hide(self, due: Due) -> None:
        deed = Deed(SYSTEM, new_id(self._clock), self._clock())

        async def work(unit: Unit) -> None:
            await messages.delete(unit, deed, due.message, due.rule)

        await self._committer.run(work)
        self.changed(due.mailbox)

    async def destroy(self, due: Due, session: bytes = b"") -> bool:
        """Row, secret, certificate, file; False: the key holder will not, or it was brought back
        since it was found due."""
        self.destroying = due.message
        try:
            return await self._is_hidden(due.message) and await self._destroy(due, session)
        finally:
            self.destroying = None

    async def _is_hidden(self, message: UUID) -> bool:
        """Looked up as a unit of work: whoever brings it back does so before, or is refused."""

        async def work(unit: Unit) -> bool:
            state = (await messages.get(unit.connection, message)).state
            return state in (MessageState.DELETED, MessageState.DESTROYED)

        return await self._committer.run(work)

    async def undelete(self, unit: Unit, deed: Deed, message: UUID) -> None:
        """Back to its readers, unless its secret is being destroyed."""
        if message == self.destroying:
            raise WrongState("message", "is being destroyed")
        await messages.undelete(unit, deed, message)

    async def _destroy(self, due: Due, session: bytes) -> bool:
        deed = Deed(SYSTEM, new_id(self._clock), self._clock())
        subject = messages.subject(due.message)
        evidence = await intend(
            self._committer, deed, Action.MESSAGE_DESTROYED, subject, {"policy": due.rule}
        )
        try:
            statement = await self._keyholder.destroy_message(
                due.message, due.rule, due.deleted_by, evidence, session
            )
        except Refused:
            entry = deed.entry(Action.MESSAGE_DESTROYED, subject, outcome=Outcome.REFUSED)
            await self._committer.note(entry)
            return False
        certificate = msgspec.json.encode(statement).decode()
        await self._remove(due.content)

        async def work(unit: Unit) -> None:
            await messages.destroyed(unit, deed, due.message, certificate)

        await self._committer.run(work)
        return True
