"""A key holder, a worker that keeps messages, a mailbox and its owner: what message tests need."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import msgspec

from media.client import (
    Deposit,
    Interrupted,
    MessageOpened,
    Playing,
    Recorded,
    Ticketed,
    Whole,
)
from storage.identifiers import system_clock
from storage.keyholder import acts, protocol
from storage.keyholder.acts import Role
from storage.keyholder.edges import REQUESTS, Edge, Place
from storage.keyholder.protocol import AdoptMessage, AskTicket, KeyList, PublicKeys, Ticket, Wrapped
from storage.keyholder.signing import SignedKey
from tests.support.keyholder import BINDING, FakeTime, House, Someone, evidence
from tests.support.media_desk import Desk
from tests.support.media_worker import WorkerProcess
from tests.support.rtp_phone import RtpPhone

FRAME = 0.02


@dataclass
class Kept:
    """A message as its row would say."""

    id: UUID
    content: bytes
    slot: bytes
    expect: Whole | Interrupted


@dataclass
class Mailroom:
    directory: Path
    house: House
    desk: Desk
    worker: WorkerProcess
    admin: Someone
    manager: Someone
    doctor: Someone
    mailbox: UUID
    signed: SignedKey
    edge: Edge | None = None

    @property
    def messages(self) -> Path:
        return self.directory / "messages"

    def deposit(self, content: bytes | None = None) -> Deposit:
        key = msgspec.msgpack.encode(self.signed)
        return Deposit(content or os.urandom(16), str(self.mailbox), key)

    async def adopt(self, told: Recorded, expect: Whole | Interrupted | None = None) -> Kept:
        message = uuid4()
        ask = AdoptMessage(
            message, self.mailbox, told.content, self.signed.id, told.slot, evidence()
        )
        slot = (await self.house.ask(ask, Wrapped)).slot
        if expect is None:
            expect = (
                Whole(told.digest) if told.is_complete else Interrupted(told.segments, told.digest)
            )
        return Kept(message, told.content, slot, expect)

    async def ticketed(self, kept: Kept, who: Someone | None = None) -> Ticketed:
        session = (who or self.doctor).session
        ticket = await self.house.ask(AskTicket(session, kept.id, evidence()), Ticket)
        return Ticketed(kept.content, ticket.ticket, kept.slot)

    async def play(self, leg: str, kept: Kept, from_ms: int = 0) -> MessageOpened:
        opening = await self.ticketed(kept)
        playing = Playing(opening=opening, expect=kept.expect, from_ms=from_ms)
        return await self.desk.client.play_message(leg, playing)

    async def close(self) -> None:
        await self.desk.close()
        await self.worker.stop()
        await self.key_holder_away()
        self.house.close()

    async def key_holder_away(self) -> None:
        if self.edge is not None:
            await self.edge.stop()
            self.edge = None

    async def key_holder_back(self) -> None:
        place = Place(self.directory / "keyholder.sock", frozenset({os.getuid()}))
        requests = REQUESTS[protocol.Edge.WORKER]
        self.edge = Edge(place, requests, self.house.holder.answer)
        await self.edge.start()


@asynccontextmanager
async def mailroom(
    directory: Path, *, binding: bytes = BINDING, **config: object
) -> AsyncIterator[Mailroom]:
    """All of it, until the end of the block. Legs vouch with `binding`, as though whoever signed
    in had done so there; empty: with what they draw."""
    house = House(directory / "keys", time=FakeTime(wall=system_clock()))
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    mailbox = uuid4()
    await house.done(admin, acts.OpenTenure(mailbox, uuid4(), doctor.id))
    signed = (await house.ask(PublicKeys("deposit", mailbox), KeyList)).keys[0]
    assert house.pin is not None
    house.pin.write(directory / "keyholder.pin")
    worker = WorkerProcess(directory / "worker", messages=directory, **config)
    worker.environment["TEST_BINDING"] = binding.hex()
    await worker.start()
    desk = Desk(worker)
    room = Mailroom(directory, house, desk, worker, admin, manager, doctor, mailbox, signed)
    await room.key_holder_back()
    await desk.client.start()
    try:
        yield room
    finally:
        await room.close()


class Pace:
    """A telephone's: `send; await pace.frame()`, and so on.

    What could not be said in time is left out, as a microphone does it: the timestamps keep to the
    clock, and `phone.missed` counts it.
    """

    def __init__(self, phone: RtpPhone) -> None:
        self._phone, self._loop = phone, asyncio.get_running_loop()
        self._due = self._loop.time()

    async def frame(self) -> None:
        """Until the next one is due."""
        self._due += FRAME
        await asyncio.sleep(max(self._due - self._loop.time(), 0))
        if late := int((self._loop.time() - self._due) / FRAME):
            self._phone.miss(late)
            self._due += late * FRAME


async def speak(phone: RtpPhone, seconds: float, frequency: float = 700) -> None:
    """So many packets of a tone."""
    pace = Pace(phone)
    for _ in range(round(seconds / FRAME)):
        phone.send_tone(frequency)
        await pace.frame()


async def hush(phone: RtpPhone, seconds: float) -> None:
    """So many packets of silence: a phone sends it too."""
    pace = Pace(phone)
    for _ in range(round(seconds / FRAME)):
        phone.send()
        await pace.frame()
