"""An exchange with voicemail: a real key holder, a worker that keeps messages, two physicians."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec

from media.prompts import TEXTS
from media.worker.codecs.g711 import decode_ulaw
from pbx import sign_ins
from pbx.b2bua.identity import Place as Where
from pbx.directory import Directory
from pbx.directory_keeper import changed_hands
from pbx.sign_ins import SignIns
from pbx.voicemail import office
from pbx.voicemail.config import VoicemailConfig
from pbx.voicemail.office import Voicemail
from storage import messages
from storage.database import Database
from storage.identifiers import system_clock
from storage.keyholder import acts, protocol
from storage.keyholder.acts import Role
from storage.keyholder.client import KeyHolder
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.edges import REQUESTS, Edge, Place
from storage.messages import Message
from storage.records import HourlyKeys
from tests.support import rtp_phone
from tests.support.exchange import TestExchange, clock
from tests.support.keyholder import FakeTime, House, Someone
from tests.support.mailroom import FRAME, Pace
from tests.support.phone import Phone
from tests.support.phone_call import Outgoing
from tests.support.prompts import noise
from tests.support.rtp_phone import RtpPhone
from tests.support.tone import power

PIN = "739154"


class MessageExchange(TestExchange):
    """Extensions 1001 (phone alice, Anna) and 1002 (phone bob, Ben), each with mailbox and PIN."""

    __test__ = False
    house: House
    people: dict[str, Someone]
    edges: dict[protocol.Edge, Edge]

    def __init__(self, folder: Path, database: Database, **more: Any) -> None:
        super().__init__(folder, database, messages=folder / "store", **more)
        self.folder = folder
        self.store = folder / "store"
        self.config = VoicemailConfig(silence_seconds=3)
        self.edges = {}
        self.rules = KeyHolderConfig()

    @property
    def files(self) -> list[Path]:
        return sorted((self.store / "messages").glob("*.sealed"))

    async def __aenter__(self) -> MessageExchange:
        self.store.mkdir(parents=True, exist_ok=True)
        self.house = House(
            self.folder / "keys", time=FakeTime(wall=system_clock()), config=self.rules
        )
        assert self.house.pin is not None
        self.house.pin.write(self.store / "keyholder.pin")
        await self._records_key()
        await self.key_holder_back()
        self.keyholder = KeyHolder(self.folder / "exchange.sock", deadline=60)
        await super().__aenter__()
        await self._people()
        return self

    def _signalling(self) -> None:
        self.voicemail = Voicemail(
            office.Ground(
                database=self.database, committer=self.committer, keyholder=self.keyholder,
                media=self.media, keys=self.keys, clock=self.now, config=lambda: self.config,
                mailboxes=lambda: [
                    one.mailbox
                    for one in (*self.directory.entries.tenancies, *self.directory.entries.groups)
                    if one.mailbox
                ],
                pinned=lambda: self.house.pin.signing_key if self.house.pin else b"",
                greetings_key=bytes(32), log=self.folder / "deposits.log",
                deposit_keys=self.folder / "deposit.public",
                greeting_copy=self.folder / "greetings.sealed",
            )
        )  # fmt: skip
        self.sign_ins = SignIns(
            sign_ins.Ground(
                database=self.database, committer=self.committer, keyholder=self.keyholder,
                clock=self.now, directory=lambda: self.directory, show=self._show_signed_in,
                is_in_use=lambda device: self.calls.is_in_use(device),
                signed_out=lambda device, person: self.calls.hang_up_messages(
                    person, device, "signed-out"
                ),
                elapsed=lambda: self.now() / 1_000_000,
            )
        )  # fmt: skip
        super()._signalling()
        self.voicemail.changed = self.lamps.changed

    async def _records_key(self) -> None:
        """Envelopes are sealed with the hour's key, as they are in an installation."""
        ask = protocol.PublicKeys("records")
        signed = (await self.house.ask(ask, protocol.KeyList)).keys[0]
        assert self.house.pin is not None
        self.keys = HourlyKeys(self.house.pin.signing_key, lambda: signed, self.now)

    def _show_signed_in(self, tenures: Mapping[UUID, UUID]) -> None:
        old, self.directory = self.directory, Directory(self.directory.entries, tenures)
        self.lamps.directory_changed()
        for device in changed_hands(old, self.directory):
            self.lamps.holder_changed(device)

    @property
    def desks(self) -> SignIns:
        assert self.sign_ins is not None
        return self.sign_ins

    def now(self) -> int:
        """The key holder's time goes ahead of ours with each code that somebody types."""
        return max(clock(), self.house.time.wall)

    @property
    def office(self) -> Voicemail:
        assert self.voicemail is not None
        return self.voicemail

    async def _people(self) -> None:
        admin = await self.house.administrator()
        manager = await self.house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
        self.people = {"admin": admin, "manager": manager}
        for number, login, phone in (("1001", "anna", "alice"), ("1002", "ben", "bob")):
            await self.hire(login, number, phone)
        await self.office.start()

    async def hire(
        self, login: str, number: str, phone: str, role: Role = Role.PHYSICIAN, *,
        md5: bool = False,
    ) -> Someone:  # fmt: skip
        """Somebody with an extension, a phone, a mailbox and a PIN."""
        admin, manager = self.people["admin"], self.people["manager"]
        someone = await self.house.enrolled(login, role, admin, manager)
        mailbox = uuid4()
        await self.house.done(admin, acts.OpenTenure(mailbox, uuid4(), someone.id))
        await self.house.done(someone, acts.SetPin((number,)), new_pin=PIN)
        await self.enrol(number, phone, person=someone.id, mailbox=mailbox, md5=md5)
        self.people[login] = someone
        await self.office.deposit_keys.refresh()
        return someone

    async def lobby(self, phone: str = "lobby") -> None:
        """A phone that is nobody's, where anybody stands."""
        await self.enrol("1900", phone, place=Where.LOBBY)
        entries = self.directory.entries

        devices = tuple(
            msgspec.structs.replace(one, extension=None) if one.username == phone else one
            for one in entries.devices
        )
        tenancies = tuple(one for one in entries.tenancies if one.number != "1900")
        self.directory = Directory(
            msgspec.structs.replace(entries, devices=devices, tenancies=tenancies)
        )

    async def share(self, phone: str, *, number: str = "", **facts: Any) -> UUID:
        """A shared phone; with a number, calls to that ring it too."""
        if phone not in {one.username for one in self.directory.entries.devices}:
            await self.lobby(phone)
        entries, held = self.directory.entries, self.directory.tenancies.get(number)
        devices = tuple(
            msgspec.structs.replace(one, is_shared=True, **facts) if one.username == phone else one
            for one in entries.devices
        )
        [shared] = [one.id for one in devices if one.username == phone]
        tenancies = tuple(
            msgspec.structs.replace(one, devices=(*one.devices, shared)) if one is held else one
            for one in entries.tenancies
        )
        self.directory = Directory(
            msgspec.structs.replace(entries, devices=devices, tenancies=tenancies)
        )
        return shared

    async def sign_in_again(self, login: str) -> None:
        """After so long every session has ended."""
        answer = await self.house.log_in(self.people[login])
        assert isinstance(answer, protocol.Opened), answer

    async def key_holder_back(self) -> None:
        for edge, path in (
            (protocol.Edge.WORKER, self.store / "keyholder.sock"),
            (protocol.Edge.EXCHANGE, self.folder / "exchange.sock"),
        ):
            place = Place(path, frozenset({os.getuid()}))
            self.edges[edge] = Edge(place, REQUESTS[edge], self.house.holder.answer)
            await self.edges[edge].start()

    async def key_holder_away(self) -> None:
        for edge in self.edges.values():
            await edge.stop()
        self.edges.clear()

    async def __aexit__(self, *failure: object) -> None:
        await self.calls.drain(0.1)
        await self.office.stop()
        await super().__aexit__(*failure)
        await self.keyholder.close()
        await self.key_holder_away()
        self.house.close()

    # -- what tests look at

    def mailbox(self, number: str = "1002") -> UUID:
        found = self.directory.tenancies[number].mailbox
        assert found is not None
        return found

    async def kept(self, number: str = "1002") -> list[Message]:
        """The messages of an extension, once nothing is under way."""
        await self.office.deposits.idle()
        async with self.database.read() as connection:
            return await messages.of_mailboxes(
                connection, [self.mailbox(number)], tuple(messages.MessageState)
            )

    @asynccontextmanager
    async def calling(self, caller: str, number: str) -> AsyncIterator[Caller]:
        """A lean phone in an answered call."""
        async with self.phone(caller) as phone:
            media = RtpPhone()
            call = phone.invite(number, media.sdp())
            async with asyncio.timeout(60):
                media.read((await call.answered()).body)
            sound = Caller(phone, call, media)
            try:
                yield sound
            finally:
                sound.quiet()
                media.close()


@dataclass
class Caller:
    """Speaks, presses keys, listens."""

    phone: Phone
    call: Outgoing
    media: RtpPhone
    _voice: asyncio.Task[None] | None = None
    hertz: float = 0.0
    sent: int = 0
    """Packets of voice or silence."""
    _tick: asyncio.Event = field(default_factory=asyncio.Event)
    _seen: int = 0
    """How much of what was heard has been looked at."""

    def speak(self, hertz: float = 0.0) -> None:
        """A tone (0: silence) from now on, at a telephone's pace."""
        self.hertz = hertz
        if self._voice is None:
            self._voice = asyncio.create_task(self._send())

    async def say(self, hertz: float, seconds: float) -> None:
        """So many packets of a tone (0: silence), however long they take; then silence goes on."""
        self.speak(hertz)
        enough = self.sent + round(seconds / FRAME)
        while self.sent < enough:
            await self._tick.wait()
        self.speak()

    def quiet(self) -> None:
        if self._voice is not None:
            self._voice.cancel()
            self._voice = None

    def press(self, keys: str) -> None:
        """Each a short press, one behind the other."""
        for key in keys:
            self.media.press("0123456789*#".index(key))

    async def press_slowly(self, keys: str, gap: float = 0.12) -> None:
        """With a pause behind each; to press at the right moment see `prompted`."""
        for key in keys:
            self.press(key)
            await asyncio.sleep(gap)

    async def hang_up(self) -> None:
        await self.call.bye()

    async def prompted(self, *names: str, patience: float = 60.0) -> str:
        """The next of these prompts, whose name it returns, as soon as its first frame is heard.

        Each is found once, in the order in which they were heard.
        """
        starts = {noise(name)[: rtp_phone.FRAME]: name for name in names}
        try:
            async with asyncio.timeout(patience):
                while True:
                    self.media.take()
                    while self._seen < len(self.media.heard):
                        packet = self.media.heard[self._seen]
                        self._seen += 1
                        if (name := starts.get(packet.payload)) is not None:
                            return name
                    await asyncio.sleep(FRAME)
        except TimeoutError:
            known = {noise(name)[: rtp_phone.FRAME]: name for name in TEXTS}
            heard = [known[one.payload] for one in self.media.heard if one.payload in known]
            raise AssertionError(f"none of {names} was heard; in all {heard}") from None

    async def hears(self, hertz: float, seconds: float, *, patience: float = 60.0) -> None:
        """Until so much of a tone has been heard since the last look, by this or `prompted`."""
        frames, wanted = 0, round(seconds / FRAME)
        try:
            async with asyncio.timeout(patience):
                while frames < wanted:
                    self.media.take()
                    for packet in self.media.heard[self._seen :]:
                        frames += packet.payload_type == 0 and is_tone(packet.payload, hertz)
                    self._seen = len(self.media.heard)
                    await asyncio.sleep(FRAME)
        except TimeoutError:
            raise AssertionError(f"{frames * FRAME:.2f} s of {hertz} Hz") from None

    async def _send(self) -> None:
        pace = Pace(self.media)
        while True:
            if self.hertz:
                self.media.send_tone(self.hertz)
            else:
                self.media.send()
            self.media.take()  # before the kernel's buffer is full
            self.sent += 1
            self._tick.set()
            self._tick.clear()
            await pace.frame()


def is_tone(payload: bytes, hertz: float) -> bool:
    """One frame of G.711."""
    return power(list(decode_ulaw(payload)), 8000, hertz) > 0.5
