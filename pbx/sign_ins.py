"""Who is signed in on which shared phone: from the key holder's yes to whatever ends it.

Signing in takes a row of the ledger first; signing out is never refused: the directory forgets the
person at once, and what is to be written follows. It is kept in memory alone, so that a restart
signs everybody out; no session at the key holder stays open for it. Idle time is counted by a clock
that nobody can set back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog

from pbx.directory import Directory
from pbx.rounds import note_all
from storage import sign_ins as store
from storage.database import Database
from storage.deeds import Deed
from storage.errors import StorageError
from storage.identifiers import Clock, new_id
from storage.keyholder.client import KeyHolder, KeyHolderUnavailable, Refused
from storage.keyholder.protocol import Opened
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM, Actor, ActorKind
from storage.ledger.unit import Unit
from storage.sign_ins import SignedIn, Why

log = structlog.get_logger()

EVERY = 1.0
"""Seconds between two looks at who has been idle for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What sign-ins stand on."""

    database: Database
    committer: Committer
    keyholder: KeyHolder
    clock: Clock
    directory: Callable[[], Directory]
    show: Callable[[Mapping[UUID, UUID]], None]
    """Makes a new directory with these tenures on these devices."""
    is_in_use: Callable[[UUID], bool]
    """Whether somebody speaks on the device now."""
    signed_out: Callable[[UUID, UUID], None]
    """Ends what needs the sign-in, of a person on a device."""
    elapsed: Callable[[], float] = time.monotonic
    """Seconds, which only ever go on."""


@dataclass(slots=True)
class Seat:
    """Somebody at a shared phone."""

    row: SignedIn
    ends_at: int
    used_at: float

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.PERSON, self.row.person, self.row.id)


class SignIns:
    """`start` before the first call; `run` beside them."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._seats: dict[UUID, Seat] = {}
        self._unwritten: list[tuple[Deed, SignedIn, Why]] = []
        """Have ended, and their ledger row is in the spool; their own row does not say so yet."""
        self._turn = asyncio.Lock()
        self._is_settled = False

    def __len__(self) -> int:
        return len(self._seats)

    def at(self, device: UUID) -> Seat | None:
        """Who is signed in there."""
        return self._seats.get(device)

    def person_at(self, device: UUID) -> Actor | None:
        """As whom what is dialled there is written down; None: nobody is signed in."""
        seat = self._seats.get(device)
        return None if seat is None else seat.actor

    def used(self, device: UUID) -> None:
        """Somebody did something with the phone."""
        if (seat := self._seats.get(device)) is not None:
            seat.used_at = self.ground.elapsed()

    # -- in

    async def sign_in(self, device: UUID, tenure: UUID, opened: Opened) -> None:
        """Whoever else is signed in there is so no more, nor this person anywhere else.

        Raises StorageError when it cannot be recorded: then nobody is signed in by it."""
        ground = self.ground
        row = SignedIn(
            id=opened.id, device=device, person=opened.person, tenure=tenure, since=ground.clock()
        )
        deed = Deed(Actor(ActorKind.PERSON, row.person, row.id), new_id(ground.clock), row.since)
        async with self._turn:
            await self._settle()
            await ground.committer.run(partial(_begin, deed=deed, row=row))
            gone = [s.row for s in self._seats.values() if _gives_way(s.row, row)]
            left = [(self._seats.pop(old.device), _why(old, row)) for old in gone]
            self._seats[device] = Seat(row, opened.ends_at, ground.elapsed())
            self._show()
        for seat, why in left:
            self._let_go(seat, why)
        await self._check(device, opened.session)

    async def _check(self, device: UUID, session: bytes) -> None:
        """Whoever was sent away in the meantime has lost the session before we were told."""
        try:
            await self.ground.keyholder.touch(session, activity=False)
        except Refused:
            await self.sign_out(device, Why.LEFT)
        except KeyHolderUnavailable:
            return

    # -- out

    async def sign_out(self, device: UUID, why: Why, actor: Actor = SYSTEM) -> bool:
        """Whether anybody was signed in. Never refused: what cannot be written waits."""
        seat = self._seats.pop(device, None)
        if seat is None:
            return False
        self._show()
        clock = self.ground.clock
        await self._write_end(Deed(actor, new_id(clock), clock()), seat.row, why)
        self._let_go(seat, why)
        return True

    async def end_of(self, person: UUID) -> int:
        """Somebody's access has ended: on whatever phone they are."""
        theirs = [seat.row.device for seat in self._seats.values() if seat.row.person == person]
        return sum([await self.sign_out(device, Why.LEFT) for device in theirs])

    async def tick(self) -> None:
        """What is due: idle phones, those of nobody any more, rows that waited."""
        await self._catch_up()
        directory, now = self.ground.directory(), self.ground.elapsed()
        for device, seat in tuple(self._seats.items()):
            if self.ground.is_in_use(device):
                seat.used_at = now
            holder, entry = directory.holder_of(device), directory.devices.get(device)
            if holder is None or entry is None or holder.person != seat.row.person:
                await self.sign_out(device, Why.GONE)
            elif now - seat.used_at >= entry.idle_minutes * 60:
                await self.sign_out(device, Why.IDLE)
            elif self.ground.clock() >= seat.ends_at:
                await self.sign_out(device, Why.EXPIRED)

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self.tick()
            except Exception:
                log.exception("sign-ins on shared phones were not looked at")
            await asyncio.sleep(EVERY)

    # -- what both need

    def _show(self) -> None:
        self.ground.show({device: seat.row.tenure for device, seat in self._seats.items()})

    def _let_go(self, seat: Seat, why: Why) -> None:
        if why is not Why.RENEWED:
            self.ground.signed_out(seat.row.device, seat.row.person)

    async def _write_end(self, deed: Deed, row: SignedIn, why: Why) -> None:
        try:
            await self.ground.committer.run(partial(_end, deed=deed, row=row, why=why))
        except (StorageError, TimeoutError):
            if await note_all(self.ground.committer, [store.ended_entry(deed, row, why)]):
                log.error("ledger rows lost", count=1)
            self._unwritten.append((deed, row, why))

    async def _catch_up(self) -> None:
        """Once the database is back."""
        if self._is_settled and not self._unwritten:
            return
        async with self._turn:
            try:
                await self._settle()
            except (StorageError, TimeoutError):
                return

    async def _settle(self) -> None:
        """Rows that an earlier exchange left open, or that could not be closed: before new ones."""
        ground = self.ground
        if not self._is_settled:
            async with ground.database.read() as connection:
                left = await store.open_(connection)
            known = {seat.row.id for seat in self._seats.values()}
            known |= {row.id for _, row, _ in self._unwritten}
            for row in [row for row in left if row.id not in known]:
                await self._end_left_behind(row)
            self._is_settled = True
        while self._unwritten:
            deed, row, why = self._unwritten[0]

            await ground.committer.run(partial(_end, deed=deed, row=row, why=why, has_row=True))
            self._unwritten.pop(0)

    async def _end_left_behind(self, row: SignedIn) -> None:
        deed = Deed(SYSTEM, new_id(self.ground.clock), self.ground.clock())
        await self.ground.committer.run(partial(_end, deed=deed, row=row, why=Why.RESTART))


async def _begin(unit: Unit, *, deed: Deed, row: SignedIn) -> None:
    for old in await store.beside(unit.connection, row):
        await store.end(unit, deed, old, _why(old, row))
    await store.begin(unit, deed, row)


async def _end(unit: Unit, *, deed: Deed, row: SignedIn, why: Why, has_row: bool = False) -> None:
    await store.end(unit, deed, row, why, has_row=has_row)


def _gives_way(old: SignedIn, new: SignedIn) -> bool:
    return old.device == new.device or old.person == new.person


def _why(old: SignedIn, new: SignedIn) -> Why:
    """Why the one ends when the other begins."""
    if old.person != new.person:
        return Why.OTHER
    return Why.RENEWED if old.device == new.device else Why.MOVED
