"""Writes down which phones register and where they are: behind the registrar, never in its way.

Registrations cannot be refused for want of a ledger: their rows go to the spool then, and where
a phone was last seen is simply not kept until the database is back.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from itertools import islice
from uuid import UUID

import structlog

from pbx.access.floods import FloodLimits, Floods
from pbx.location import Bound, Change
from pbx.moves import Moves
from pbx.rounds import Rounds, note_all
from storage.errors import LedgerUnavailable, StorageError
from storage.identifiers import Clock, new_id
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import Actor, ActorKind, Entry, Subject
from storage.ledger.unit import Unit
from storage.phones import Phones, Presence

log = structlog.get_logger()

BATCH = 200
GATHER = 1.0
"""Seconds that news wait for more: a transaction for each phone would cost more than the phone."""
MOST_WAITING = 50_000
LIMITS = FloodLimits(alone=20, altogether=10**9, kinds=10**6)
"""Of one phone that comes and goes without end: the rest of ten minutes is a number a minute."""
SEEN_EVERY = 300_000_000
"""Microseconds between two writings of an unchanged place: rows for each refresh would cost ten
times what the refresh itself does."""


class RegistrationJournal:
    """`changed` takes what the registrar did; `run` writes it, in batches."""

    def __init__(self, committer: Committer, phones: Phones, clock: Clock) -> None:
        self._committer = committer
        self._phones = phones
        self._clock = clock
        self._presence: dict[UUID, Presence] = {}
        """The latest of each device; what is overtaken need not be written."""
        self._kept: dict[str, tuple[tuple[str, str], int]] = {}
        """Where each device was, and when that was last written."""
        self._entries: deque[Entry] = deque()
        self._proved: set[UUID] = set()
        self._modern: set[UUID] = set()
        """Have shown, and are known, to do SHA-256."""
        self._manners: dict[UUID, str] = {}
        self._floods: Floods[tuple[Action, UUID]] = Floods(lambda kind: kind, LIMITS)
        self._moves = Moves(committer, phones.places, clock)
        self._rounds = Rounds(GATHER)
        self.lost = 0
        """Ledger rows about phones that were not written."""

    def changed(self, change: Change, expires_in: float) -> None:
        """A binding was made, refreshed or ended; only first and last are ledger rows."""
        binding, now = change.binding, self._clock()
        if isinstance(change, Bound) and not self._is_worth_keeping(change, now):
            return
        device = UUID(binding.device)
        if isinstance(change, Bound):
            self._presence[device] = Presence(
                device=device,
                first_seen_at=now,
                seen_at=now,
                registered_until=now + int(expires_in * 1_000_000),
                source=binding.source,
                user_agent=binding.user_agent,
            )
            self._moves.seen(device, binding.source, binding.user_agent, now)
            if change.is_first:
                self._note(Action.REGISTRATION_STARTED, device, None, now)
            self._rounds.news()
        elif change.is_last:
            self._note(Action.REGISTRATION_ENDED, device, {"cause": change.cause.value}, now)

    def _is_worth_keeping(self, change: Bound, now: int) -> bool:
        """A refresh from the same place within a few minutes tells the inventory nothing."""
        device = change.binding.device
        place = (change.binding.source, change.binding.user_agent)
        kept = self._kept.get(device)
        is_fresh = kept is not None and kept[0] == place and 0 <= now - kept[1] < SEEN_EVERY
        if is_fresh and not change.is_first:
            return False
        self._kept[device] = (place, now)
        return True

    def used_sha256(self, device: UUID) -> None:
        """MD5 is closed to this device for good, whatever exception it had."""
        if device not in self._modern:
            self._proved.add(device)
            self._rounds.news()

    def described(self, device: UUID, manner: str) -> None:
        """How it describes its media, as it was heard to do so itself."""
        self._manners[device] = manner
        self._rounds.news()

    def note(self, entry: Entry) -> None:
        """A row about a phone that cannot be refused: a failed credential, a lock-out."""
        if len(self._entries) >= MOST_WAITING:
            self.lost += 1
            return
        self._entries.append(entry)
        self._rounds.news()

    async def run(self) -> None:
        """Write until `close`; then once more."""
        await self._rounds.run(self._try, lambda: False)

    def close(self) -> None:
        """Let `run` return when what waits has been written."""
        self._report(all_=True)
        self._rounds.close()

    async def _try(self) -> None:
        """Where one phone was seen is not worth the rows of all others."""
        try:
            await self._write()
        except Exception:
            log.exception("what is known of phones was not written")

    async def _write(self) -> None:
        self._report()
        while self._entries:
            batch = [self._entries.popleft() for _ in range(min(BATCH, len(self._entries)))]
            self.lost += await note_all(self._committer, batch)
        while self._presence:
            seen = [self._presence.pop(device) for device in list(self._presence)[:BATCH]]
            try:
                await self._committer.run(partial(self._see, seen=seen))
            except (LedgerUnavailable, StorageError):
                return
        await self._moves.write()
        while proved := set(islice(self._proved, BATCH)):
            try:
                await self._committer.run(partial(self._remember, proved=proved))
            except (LedgerUnavailable, StorageError):
                return
            self._modern |= proved
            self._proved -= proved

        while self._manners:
            heard = dict(islice(self._manners.items(), BATCH))
            try:
                await self._committer.run(partial(self._hear, heard=heard))
            except (LedgerUnavailable, StorageError):
                return
            for device, manner in heard.items():
                if self._manners.get(device) == manner:
                    del self._manners[device]

    async def _hear(self, unit: Unit, *, heard: dict[UUID, str]) -> None:
        await self._phones.heard(unit.connection, heard)

    async def _remember(self, unit: Unit, *, proved: set[UUID]) -> None:
        await self._phones.used_sha256(unit.connection, proved)

    async def _see(self, unit: Unit, *, seen: list[Presence]) -> None:
        for first in await self._phones.see(unit.connection, seen):
            unit.record(self._entry(Action.DEVICE_FIRST_SEEN, first.device, None, first.seen_at))

    def _note(self, action: Action, device: UUID, after: object, at: int) -> None:
        if self._floods.stands_alone((action, device), at):
            self.note(self._entry(action, device, after, at))

    def _report(self, *, all_: bool = False) -> None:
        """Rows for what was only counted."""
        for counted in self._floods.due(self._clock(), all_=all_):
            action, device = counted.kind
            self.note(self._entry(action, device, counted.number, counted.last_at))

    def _entry(self, action: Action, device: UUID, after: object, at: int) -> Entry:
        return Entry(
            action=action,
            outcome=Outcome.DONE,
            actor=Actor(ActorKind.DEVICE, device),
            operation=new_id(self._clock),
            subject=Subject("device", device),
            after=after,
            occurred_at=at,
        )
