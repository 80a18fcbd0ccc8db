"""An exchange in this process: the real stack, transport, registrar, calls, ledger and workers.

What `pbx.service` puts together, with a directory that the test writes; phones connect over TLS.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import select

from certs.config import CertsConfig
from certs.contexts import client_context, identities, mutual_context, server_context
from media.client import MediaClient
from pbx.access.authenticate import Doors, Failure, Gate
from pbx.access.lockout import Lockout, LockoutConfig
from pbx.access.nonces import Nonces
from pbx.b2bua.calls import Calls
from pbx.b2bua.config import CallsConfig
from pbx.b2bua.identity import Place
from pbx.b2bua.leg import Leg
from pbx.b2bua.recorder import CallRecorder
from pbx.b2bua.returning import Return
from pbx.b2bua.snapshot import SnapshotKey
from pbx.b2bua.surroundings import Surroundings
from pbx.directory import DeviceEntry, Directory, Entries, GroupEntry, TenancyEntry
from pbx.doorkeeper import Doorkeeper, Premises
from pbx.features.serve import serve
from pbx.location import Bound, Change, Location
from pbx.reachable import RegisteredPhones
from pbx.registrar import Registrar
from pbx.registrations import RegistrationJournal
from pbx.sign_ins import SignIns
from pbx.signalling import CAPABILITIES, Agent, Parts, Signalling
from pbx.sip.digest import Algorithm, ha1
from pbx.sip.shared import StackConfig
from pbx.sip.stack import Stack
from pbx.transport.config import SipConfig
from pbx.transport.driver import Driver
from pbx.voicemail import lamps
from pbx.voicemail.lamps import Lamps
from pbx.voicemail.office import Voicemail
from storage import calls as call_store
from storage import messages, reach
from storage.calls import CallRecord
from storage.database import Database
from storage.deeds import Deed
from storage.devices import Devices
from storage.groups import Member, Settings
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM
from storage.ledger.unit import Unit
from storage.messages import Counts
from storage.models.calls import call as call_table
from storage.models.ledger import ledger
from storage.phones import Phones
from storage.records import HourlyKeys, RecordsKey
from storage.sealed.fields import FieldKey
from tests.support.authorities import authority_in
from tests.support.measuring import unmeasured
from tests.support.media_worker import WorkerProcess
from tests.support.phone import Account, Phone
from tests.support.prompts import short_prompts
from tests.support.sip_server import DOMAIN

SECRET = "a-secret-of-a-test-phone"


def clock() -> int:
    return time.time_ns() // 1000


class TestExchange:
    """`async with TestExchange(folder, database) as exchange:`"""

    __test__ = False

    def __init__(
        self, folder: Path, database: Database, *, addresses: tuple[str, ...] = ("127.0.0.1",),
        workers: int = 1, media: dict[str, Any] | None = None, messages: Path | None = None,
        advertise: Mapping[str, str] | None = None, **calls: Any,
    ) -> None:  # fmt: skip
        self.folder, self.database = folder, database
        self.addresses = addresses
        self.advertise = advertise or {}
        self.directory = Directory(Entries(made_at=0))
        self._calls_config = CallsConfig(**calls)
        self._entered = AsyncExitStack()
        self.workers = [
            WorkerProcess(folder / f"worker-{index}", index, messages=messages, **(media or {}))
            for index in range(workers)
        ]
        self.prompts = short_prompts()
        self.snapshots = SnapshotKey(bytes(32))
        self.voicemail: Voicemail | None = None
        self.sign_ins: SignIns | None = None
        self.keys = HourlyKeys(b"", lambda: None, clock)
        self.fields = FieldKey(bytes(32), "test")

    async def __aenter__(self) -> TestExchange:
        for worker in self.workers:
            # tests/media measures the workers.
            worker.environment = unmeasured(worker.environment) | {"TEST_PROMPTS": self.prompts}
            await self._entered.enter_async_context(worker)
        certificates = self.folder / "certs"
        config = CertsConfig(addresses=("127.0.0.1", "::1"))
        self.authority = authority_in(certificates, DOMAIN, config)
        self.media = MediaClient({worker.index: worker.socket for worker in self.workers})
        await self.media.start()
        self._entered.push_async_callback(self.media.close)
        self.committer = await self._entered.enter_async_context(
            Committer(self.database, "exchange", clock=clock)
        )
        self._signalling()
        return self

    def _signalling(self) -> None:
        self.stack = Stack(StackConfig(capabilities=CAPABILITIES))
        config = msgspec.convert({"listen": self.addresses}, SipConfig)
        self.driver = Driver(
            self.stack, config, lambda event: self.signalling.deliver(event), self.advertise
        )
        self.location = Location()
        self.phones = RegisteredPhones(self.location)
        agent = Agent(self.stack, self.driver.poke)
        self.recorder = CallRecorder(
            self.committer, self.keys, clock, lambda ids: self.media.forget(map(str, ids))
        )
        self.journal = RegistrationJournal(self.committer, Phones(self.fields), clock)
        around = Surroundings(
            agent=agent, phones=self.phones, media=self.media,
            directory=lambda: self.directory, snapshots=self.snapshots, clock=clock,
            config=self._calls_config, domain=DOMAIN, aliases=frozenset({f"sip.{DOMAIN}"}),
            voicemail=self.voicemail,
            strangers=self.recorder.claimed, refused=self.recorder.claimed,
            set_reach=self._set_reach,
            sign_ins=self.sign_ins,
        )  # fmt: skip
        self.calls = Calls(around, serve, self.recorder.started, self.recorder.ended)
        self.failures: list[Failure] = []
        self.lockout = Lockout(LockoutConfig())
        self.gate = Gate(
            Doors(
                realm=DOMAIN, devices=lambda: self.directory, nonces=Nonces(bytes(32)),
                lockout=self.lockout, clock=clock, failed=self.failures.append,
            )
        )  # fmt: skip
        self.lamps = Lamps(
            lamps.Ground(
                agent=agent, phones=self.phones, directory=lambda: self.directory,
                counts=self.counts, domain=DOMAIN, shared=self.shared, readers=self.readers,
            )
        )  # fmt: skip
        doorkeeper = Doorkeeper(
            Premises(
                gate=self.gate, phones=self.phones, facts=self.stack.facts,
                owner=lambda dialog: self.calls.device_of(dialog) or self.lamps.device_of(dialog),
                authenticated=self.driver.authenticated, surplus=self.driver.close_surplus,
            )
        )  # fmt: skip
        self.stack.guard(doorkeeper)
        self.signalling = Signalling(
            Parts(
                agent=agent, doorkeeper=doorkeeper, location=self.location,
                registrar=Registrar(self.location, DOMAIN), calls=self.calls,
                directory=lambda: self.directory, changed=self._changed, lamps=self.lamps,
            )
        )  # fmt: skip
        found = identities(self.authority.stock)
        self.listener = self.driver.listener("sha256", server_context(found))
        self.certificate_listener = self.driver.listener(
            "certificate", mutual_context(found, self.authority.stock)
        )
        self.md5_listener = self.driver.listener("md5", server_context(found))
        for listener in (self.listener, self.certificate_listener, self.md5_listener):
            listener.open(self.addresses, 0)
        self._tasks = [
            asyncio.create_task(self.recorder.run()),
            asyncio.create_task(self.journal.run()),
        ]

    async def restart(self, *, crashes: bool = False) -> None:
        """Give way to another exchange over the same workers and database, on other ports and
        with nothing in memory; or end as a process does that is killed."""
        for listener in (self.listener, self.certificate_listener, self.md5_listener):
            listener.close()
        if crashes:
            for id, call in list(self.calls._live.items()):
                call.is_left = True
                self.calls._tasks[id].cancel()
            await asyncio.gather(*self.calls._tasks.values(), return_exceptions=True)
        else:
            await self.calls.leave()
        await self.driver.stop()
        self.signalling.close()
        self.calls.goodbyes.close()
        self.lamps.close()
        if crashes:  # what waited to be written never is
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        else:
            await self.flush()
        await self.media.close()
        self.media = MediaClient({worker.index: worker.socket for worker in self.workers})
        await self.media.start()
        self._entered.push_async_callback(self.media.close)
        self._signalling()
        run = self.calls._around.run
        returned = Return(self.calls, self.media, self.snapshots, self._recorded, run)
        await returned.take_back()

    async def _recorded(self, ids: Sequence[UUID]) -> set[UUID]:
        async with self.database.read() as connection:
            return await call_store.recorded(connection, ids)

    async def __aexit__(self, *_: object) -> None:
        for listener in (self.listener, self.certificate_listener, self.md5_listener):
            listener.close()
        await self.calls.drain(0.1)
        await self.driver.stop()
        self.signalling.close()
        self.calls.goodbyes.close()
        self.lamps.close()
        await self.flush()
        await self._entered.aclose()

    def _changed(self, change: Change, expires_in: float) -> None:
        self.journal.changed(change, expires_in)
        if isinstance(change, Bound) and change.is_new:
            self.lamps.registered(UUID(change.binding.device))

    async def _set_reach(self, device: UUID, person: UUID, change: reach.Change) -> None:
        entries = self.directory.entries
        tenancies = tuple(
            msgspec.structs.replace(entry, reach=change.on(entry.reach))
            if entry.person == person
            else entry
            for entry in entries.tenancies
        )
        changed = msgspec.structs.replace(entries, tenancies=tenancies)
        self.directory = Directory(changed, self.directory.signed_in)

    def shared(self, person: UUID) -> Collection[UUID]:
        """The shared mailboxes that somebody reads."""
        return self.voicemail.readers.mailboxes_of(person) if self.voicemail else ()

    def readers(self, mailbox: UUID) -> Collection[UUID]:
        return self.voicemail.readers.people_of(mailbox) if self.voicemail else ()

    async def counts(self, mailboxes: Collection[UUID]) -> dict[UUID, Counts]:
        async with self.database.read() as connection:
            return await messages.counts_of(connection, mailboxes)

    async def flush(self) -> None:
        """Everything that waits is written."""
        self.recorder.close()
        self.journal.close()
        await asyncio.gather(*self._tasks)

    # -- what a test sets up and looks at

    @property
    def port(self) -> int:
        return self.listener.endpoints[0][1]

    @property
    def md5_port(self) -> int:
        return self.md5_listener.endpoints[0][1]

    @property
    def ca_file(self) -> Path:
        return self.authority.root_pem_path

    async def enrol(
        self, number: str, *phones: str, place: Place = Place.PRIVATE, md5: bool = False,
        emergency: bool = False, person: UUID | None = None, mailbox: UUID | None = None,
    ) -> list[UUID]:  # fmt: skip
        """An extension, its person, and phones with these usernames; returns the devices."""
        extension = uuid4()
        algorithm = Algorithm.MD5 if md5 else Algorithm.SHA_256
        devices = [
            DeviceEntry(
                id=uuid4(),
                username=username,
                place=place,
                extension=extension,
                algorithm=algorithm.value,
                ha1=ha1(algorithm, username, DOMAIN, SECRET),
                md5_until=2**62 if md5 else 0,
                certificate=f"sip:{username}@{DOMAIN}",
                answers_emergency=emergency,
            )
            for username in phones
        ]
        entries = self.directory.entries
        tenancy = TenancyEntry(
            number=number, extension=extension, tenure=uuid4(), person=person or uuid4(),
            name=f"Person {number}", devices=tuple(device.id for device in devices),
            mailbox=mailbox or uuid4(),
        )  # fmt: skip
        self.directory = Directory(
            Entries(
                made_at=clock(),
                devices=(*entries.devices, *devices),
                tenancies=(*entries.tenancies, tenancy),
                groups=entries.groups,
            )
        )
        for start in range(0, len(devices), 100):  # one unit of work has ten seconds
            part = devices[start : start + 100]
            await self.committer.run(partial(self._store, devices=part))
        return [device.id for device in devices]

    def group(self, number: str, *members: str, **settings: Any) -> UUID:
        """A ring group of whoever holds these extensions; returns its identifier."""
        entries, group = self.directory.entries, uuid4()
        delays: dict[str, int] = settings.pop("delays", {})
        settings["members"] = tuple(
            Member(extension=self.directory.tenancies[m].extension, delay=delays.get(m, 0))
            for m in members
        )
        settings.setdefault("name", f"Group {number}")
        entry = GroupEntry(id=group, number=number, settings=Settings(**settings))
        self.directory = Directory(
            msgspec.structs.replace(entries, groups=(*entries.groups, entry))
        )
        return group

    def regroup(self, number: str, **settings: Any) -> None:
        """The group is set otherwise."""
        entries = self.directory.entries
        groups = tuple(
            msgspec.structs.replace(
                entry, settings=msgspec.structs.replace(entry.settings, **settings)
            )
            if entry.number == number
            else entry
            for entry in entries.groups
        )
        self.directory = Directory(msgspec.structs.replace(entries, groups=groups))

    def release(self, number: str) -> None:
        """Nobody holds this extension any more; its phones stay."""
        entries = self.directory.entries
        left = tuple(entry for entry in entries.tenancies if entry.number != number)
        self.directory = Directory(msgspec.structs.replace(entries, tenancies=left))

    def arrange(self, number: str, reach: reach.Reach) -> None:
        """What whoever holds this extension has set."""
        entries = self.directory.entries
        tenancies = tuple(
            msgspec.structs.replace(entry, reach=reach) if entry.number == number else entry
            for entry in entries.tenancies
        )
        self.directory = Directory(msgspec.structs.replace(entries, tenancies=tenancies))

    async def _store(self, unit: Unit, *, devices: list[DeviceEntry]) -> None:
        deed = Deed(SYSTEM, uuid4(), clock())
        for device in devices:
            await Devices(self.fields).add(unit, deed, device.id, device.username)
            await Phones(self.fields).enrol(unit, deed, device.id, device.username)

    def phone_options(self, username: str, **more: Any) -> dict[str, Any]:
        """For PjsuaPhone."""
        return {
            "user": username, "username": username, "password": SECRET, "domain": DOMAIN,
            "host": "127.0.0.1", "port": self.port, "ca_file": str(self.ca_file),
            "bind": "127.0.0.1", "codecs": ["PCMU"], "record_to": str(self.folder), **more,
        }  # fmt: skip

    @asynccontextmanager
    async def phone(self, username: str, *, registers: bool = True) -> AsyncIterator[Phone]:
        """A lean phone of our own, connected and registered."""
        phone = Phone(Account(username=username, domain=DOMAIN, password=SECRET))
        await self.connect(phone)
        try:
            if registers:
                assert (await phone.register()).status == 200
            yield phone
        finally:
            phone.close()

    async def connect(self, phone: Phone) -> None:
        """A new flow of this phone's."""
        trusted = client_context(self.authority.root_pem_path)
        await phone.connect(("127.0.0.1", self.port), trusted)

    def legs(self) -> list[Leg]:
        """Of the one call that there is, its caller's first."""
        [call] = self.calls._live.values()
        return call.legs

    async def over(self) -> list[CallRecord]:
        """What is recorded once every call has ended by itself."""
        await self.calls.drain(60)
        await self.flush()
        return await self.records()

    async def records(self) -> list[CallRecord]:
        """The call records written, oldest first."""
        key: RecordsKey | None = self.keys.current()
        async with self.database.read() as connection:
            ids = (await connection.scalars(select(call_table.c.id))).all()
            sealed = [await call_store.read(connection, id) for id in ids]
        found = [call.opened(key.fields if key else None) for call in sealed]
        return sorted(found, key=lambda record: record.started_at)

    async def transfers(self) -> list[dict[str, Any]]:
        """What the ledger's rows of calls say of who was put through, picked up or parked."""
        async with self.database.read() as connection:
            query = select(ledger.c.after).where(ledger.c.action == "call.ended")
            rows = [msgspec.json.decode(after) for after in (await connection.scalars(query)).all()]
        return [one for row in rows for one in row.get("transfers", ())]

    async def ledger_actions(self) -> list[str]:
        async with self.database.read() as connection:
            query = select(ledger.c.action).order_by(ledger.c.sequence)
            return list((await connection.scalars(query)).all())
