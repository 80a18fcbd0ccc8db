"""Deposits: from the intent to the row, whatever is away in between.

The intent is on the disk before a recording begins; what its worker says is durable is noted as it
comes. Message and ledger row are committed together. While the ledger cannot be written its row
goes to the ledger's spool, and the message waits in the log until the database is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from media.client import LeftRecording, Recorded, Resealed, Stored
from storage import messages
from storage.deeds import Deed
from storage.deposits import (
    Begun,
    Closed,
    DepositLog,
    Finished,
    HourKey,
    Noted,
    OpenDeposit,
    Unwanted,
)
from storage.errors import StorageError
from storage.identifiers import Clock, new_id
from storage.keyholder.signing import SignedKey
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM, Actor, Entry, Subject
from storage.ledger.unit import Unit
from storage.messages import Envelope, NewMessage, sealed_envelope
from storage.records import HourlyKeys, RecordsKey
from storage.sealed import primitives
from storage.sealed.fields import FieldKey

log = structlog.get_logger()

SHORTEST = 1_000
"""Milliseconds; a shorter recording is somebody who hung up at the tone."""

RECORDED_WITHIN = 30.0
"""Seconds in which a worker says that a recording has ended; else recovery finds the file."""


class NotPossible(Exception):
    """No message can be taken now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who leaves a message, in which call."""

    call: UUID | None
    actor: Actor
    envelope: Envelope
    forwarded_from: UUID | None = None
    is_copy: bool = False
    """What is forwarded, sealed anew; a comment to it is a recording."""


@dataclass(slots=True, eq=False)
class Draft:
    """One recording, from its intent to its row."""

    begun: Begun
    key: SignedKey
    actor: Actor
    is_urgent: bool = False
    is_private: bool = False
    is_unwanted: bool = False
    """Whoever left it took it back."""
    is_cut: bool = False
    """Its worker is gone."""
    recorded: Recorded | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def content(self) -> bytes:
        return self.begun.content


class Deposits:
    """All deposits under way; `run` brings home what had to wait."""

    def __init__(
        self,
        log_: DepositLog,
        committer: Committer,
        keys: HourlyKeys,
        clock: Clock,
        remove: Callable[[bytes], None],
    ) -> None:
        """`remove` deletes a file that nobody wants, sooner or later."""
        self.log = log_
        self._committer, self._keys, self._clock = committer, keys, clock
        self._remove = remove
        self._drafts: dict[bytes, Draft] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.changed: Callable[[UUID], None] = lambda mailbox: None
        """Told of each mailbox that has a new message."""
        self._waiting: set[bytes] = set()
        self.needs_recovery = True
        """There may be files that no row tells of: at a start, and after a worker's end."""

    @property
    def waiting(self) -> int:
        """Messages that were left and are not in the database yet: an alarm."""
        return len(self._waiting)

    @property
    def under_way(self) -> frozenset[bytes]:
        """Contents that are being recorded or written now: not recovery's."""
        return frozenset(self._drafts)

    async def begin(self, mailbox: UUID, key: SignedKey, sender: Sender) -> Draft:
        """The intent, on the disk; raises `NotPossible`."""
        id = new_id(self._clock)
        hour = self._keys.current()
        begun = Begun(
            message=id,
            mailbox=mailbox,
            content=primitives.random(16),
            received_at=self._clock(),
            call=sender.call,
            hour=None if hour is None else _kept(hour),
            caller_sealed=None if hour is None else sealed_envelope(id, sender.envelope, hour),
            forwarded_from=sender.forwarded_from,
            is_copy=sender.is_copy,
        )
        draft = Draft(begun, key, sender.actor)
        self._drafts[draft.content] = draft
        try:
            await self.log.append(begun)
        except OSError:
            await self.abandon(draft)
            raise NotPossible from None
        return draft

    async def abandon(self, draft: Draft) -> None:
        """It came to nothing, or nobody wants it: whatever there is of its file is deleted."""
        self._drafts.pop(draft.content, None)
        try:
            await self.log.append(Unwanted(draft.content))
        except OSError:
            log.error("an unwanted deposit is still in the log")
        self._remove(draft.content)

    async def removed(self, contents: Iterable[bytes]) -> None:
        """The files of these are gone."""
        for content in contents:
            if content in self.log.open_:
                await self._close(content)

    def heard(self, event: Stored | Recorded) -> bool:
        """What a worker says of a recording, at any moment, also after its call; False: it began
        before we did."""
        draft = self._drafts.get(event.content)
        if draft is None:
            return False
        if isinstance(event, Stored):
            self.log.progressed(event.content, event.segments, event.digest)
        elif draft.recorded is None:
            draft.recorded = event
            draft.ended.set()
        return True

    def conclude(self, draft: Draft) -> None:
        """Whoever left it is done with it, or gone: it is kept, unless they took it back."""
        task = asyncio.create_task(self._conclude(draft), name="deposit")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Returns when every deposit that was concluded is written, or waits in the log."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _conclude(self, draft: Draft) -> None:
        try:
            async with asyncio.timeout(0 if draft.is_cut else RECORDED_WITHIN):
                await draft.ended.wait()
        except TimeoutError:
            if draft.is_unwanted:
                await self.abandon(draft)
                return
            log.warning("a recording was cut off; recovery will find it")
            self.needs_recovery = True
            return
        finally:
            self._drafts.pop(draft.content, None)
        recorded = draft.recorded
        if recorded is None or draft.is_unwanted or is_too_short(recorded):
            await self.abandon(draft)
            return
        await self.keep(self._message(draft, recorded), OpenDeposit(draft.begun), draft.actor)

    def _message(self, draft: Draft, recorded: Recorded) -> NewMessage:
        begun = draft.begun
        return NewMessage(
            id=begun.message,
            mailbox=begun.mailbox,
            content=begun.content,
            deposit_key=draft.key.id,
            slot=recorded.slot,
            codec=recorded.codec,
            milliseconds=recorded.milliseconds,
            octets=recorded.octets,
            segments=recorded.segments,
            digest=recorded.digest,
            received_at=begun.received_at,
            is_complete=recorded.is_complete,
            is_urgent=draft.is_urgent,
            is_private=draft.is_private,
            call=begun.call,
            forwarded_from=begun.forwarded_from,
        )

    async def forwarded(self, draft: Draft, resealed: Resealed) -> None:
        """A message that a worker sealed anew for another mailbox."""
        self._drafts.pop(draft.content, None)
        begun = draft.begun
        new = NewMessage(
            id=begun.message,
            mailbox=begun.mailbox,
            content=begun.content,
            deposit_key=draft.key.id,
            slot=resealed.slot,
            codec=resealed.codec,
            milliseconds=resealed.milliseconds,
            octets=0,
            segments=resealed.segments,
            digest=resealed.digest,
            received_at=begun.received_at,
            is_urgent=draft.is_urgent,
            forwarded_from=begun.forwarded_from,
        )
        await self.keep(new, OpenDeposit(begun), draft.actor)

    async def keep(self, new: NewMessage, held: OpenDeposit, actor: Actor = SYSTEM) -> None:
        """Message and row in one commit; without the database the row goes to the spool."""
        self._waiting.add(new.content)
        try:
            await self.log.append(Finished(new))
        except OSError:
            log.error("a finished deposit is not in the log")
        held.finished = new
        if await self._commit(new, held, actor):
            return
        if not held.has_row:
            await self._committer.note(messages.deposited(self._deed(new, actor), new))
            held.has_row = True
            try:
                await self.log.append(Noted(new.content))
            except OSError:
                log.error("a noted deposit is not in the log")

    async def retry(self) -> int:
        """Commit what waits; how many still do."""
        for held in tuple(self.log.open_.values()):
            if held.finished is None or held.begun.content in self._drafts:
                continue
            self._waiting.add(held.begun.content)
            if not await self._commit(held.finished, held, SYSTEM):
                break
        return self.waiting

    async def _commit(self, new: NewMessage, held: OpenDeposit, actor: Actor) -> bool:
        deed, hour = self._deed(new, actor), _hour(held.begun.hour)

        async def work(unit: Unit) -> None:
            await messages.deposit(
                unit, deed, new, hour, held.begun.caller_sealed, has_row=held.has_row
            )

        try:
            await self._committer.run(work)
        except (StorageError, TimeoutError):
            return False
        self._waiting.discard(new.content)
        await self._close(new.content)
        self.changed(new.mailbox)
        return True

    async def cut(self, held: OpenDeposit, segments: int) -> None:
        """Its file holds less than its worker has told: no crash does that."""
        begun = held.begun
        entry = Entry(
            action=Action.MESSAGE_DAMAGED,
            outcome=Outcome.FAILED,
            actor=SYSTEM,
            operation=begun.message,
            subject=Subject("message", begun.message),
            after={"segments": segments, "told": held.segments},
        )
        await self._committer.note(entry)

    async def lost(self, held: OpenDeposit) -> None:
        """Nothing durable is left of a recording that was begun."""
        begun = held.begun
        entry = Entry(
            action=Action.MESSAGE_LOST,
            outcome=Outcome.FAILED,
            actor=SYSTEM,
            operation=begun.message,
            subject=Subject("message", begun.message),
            after={"mailbox": str(begun.mailbox), "segments": held.segments},
        )
        await self._committer.note(entry)
        await self._close(begun.content)

    async def _close(self, content: bytes) -> None:
        try:
            await self.log.append(Closed(content))
        except OSError:
            log.error("a closed deposit is still in the log")  # written again it changes nothing

    def _deed(self, new: NewMessage, actor: Actor) -> Deed:
        return Deed(actor, new.id, self._clock())


def is_too_short(recording: Recorded | LeftRecording) -> bool:
    """To be kept. Of what was cut off nobody knows how much had been said: whatever is durable
    is kept."""
    return recording.milliseconds < (SHORTEST if recording.is_complete else 1)


def _kept(key: RecordsKey) -> HourKey:
    return HourKey(key.id, key.made_at, key.sealed, key.sealed_to)


def _hour(kept: HourKey | None) -> RecordsKey | None:
    """For the table alone: what it opened is sealed already."""
    if kept is None:
        return None
    return RecordsKey(
        kept.id, kept.made_at, FieldKey(bytes(32), "none"), kept.sealed, kept.sealed_to
    )
