"""The telephone half of the exchange process: built here, started and stopped by `Exchange`.

Phones register and call with database and key holder away; what those would add (rows, presence,
sealed parties) waits or is left out, and the status says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import structlog

from certs.authority import Authority, DeviceCertificate
from media.client import MediaClient
from pbx import message_waiting, private_phones, sign_ins, telephony_shown
from pbx.access.authenticate import Doors, Gate
from pbx.access.lockout import Locked, Lockout
from pbx.access.nonces import Nonces
from pbx.admin.enrolling import MD5 as MD5_ALGORITHM
from pbx.admin.enrolling import Credentials as PhoneCredentials
from pbx.admin.models import Fact
from pbx.admin.wire.phones import PhoneSecret
from pbx.b2bua.calls import Calls
from pbx.b2bua.manners import Manners
from pbx.b2bua.recorder import CallRecorder
from pbx.b2bua.returning import Return
from pbx.b2bua.snapshot import SnapshotKey
from pbx.b2bua.surroundings import Surroundings
from pbx.config import Config
from pbx.directory import Directory, DirectoryFile
from pbx.directory_keeper import DirectoryKeeper, changed_hands, lost_access
from pbx.doorkeeper import Doorkeeper, Premises
from pbx.failed_credentials import FailedCredentials
from pbx.features.serve import serve
from pbx.flow_metrics import FlowMetrics
from pbx.listening import Listening
from pbx.location import Bound, Change, Location
from pbx.message_waiting import MessageWaiting
from pbx.metrics import REGISTRY
from pbx.paths import Layout
from pbx.reachable import RegisteredPhones
from pbx.reaching import ReachByPhone
from pbx.records_public import RecordsPublicKey
from pbx.registrar import Registrar
from pbx.registrations import RegistrationJournal
from pbx.sign_ins import SignIns
from pbx.signalling import CAPABILITIES, Agent, Parts, Signalling
from pbx.sip.digest import Algorithm
from pbx.sip.shared import StackConfig
from pbx.sip.stack import Stack
from pbx.telephony_shown import Registration
from pbx.testlines import TrialLines
from pbx.transport.driver import Driver
from pbx.voicemail import office
from pbx.voicemail.office import Voicemail
from storage import calls as call_store
from storage import directory as directory_key
from storage import keyfiles
from storage.calls import CallRecord
from storage.database import Database
from storage.errors import StorageError
from storage.identifiers import Clock
from storage.keyholder.client import KeyHolder
from storage.keyholder.signing import BadKey, Pin
from storage.ledger.committer import Committer
from storage.phones import Phones
from storage.records import HourlyKeys
from storage.sealed import primitives
from storage.sealed.fields import FieldKey

log = structlog.get_logger()

CERTIFICATES_EVERY = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What telephony stands on; the exchange process has opened it before."""

    layout: Layout
    config: Config
    authority: Authority
    database: Database
    committer: Committer
    keyholder: KeyHolder
    clock: Clock
    patience: float = 5.0
    """Seconds that the start waits for media workers; calls need one, phones do not."""


class Telephony:
    """Listeners, registrar, calls and what they write down."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._entered = AsyncExitStack()
        self._leaving: set[UUID] = set()
        """Lost access in the middle of an emergency call."""
        self._writers: list[asyncio.Task[None]] = []
        self._arrivals: set[asyncio.Task[None]] = set()
        credentials = ground.layout.credentials
        auth = keyfiles.load(credentials, keyfiles.DEVICE_AUTH)
        self.phones = Phones(FieldKey(auth, "device-auth"))
        self.keeper = DirectoryKeeper(
            ground.database,
            directory_key.load(credentials),
            self.phones,
            DirectoryFile(credentials / "directory.sealed", auth),
            ground.clock,
        )
        self.records_key = RecordsPublicKey(ground.keyholder, credentials / "records.public")
        self.keys = HourlyKeys(
            _pinned(ground.layout.keyholder_pin), self.records_key.current, ground.clock
        )
        self.location = Location()
        self.lockout = Lockout(ground.config.lockout)
        self.media = MediaClient(
            {
                index: ground.layout.worker_socket(index)
                for index in range(ground.config.media.worker_count)
            }
        )
        self._voicemail_config = ground.config.voicemail
        self.recorder = CallRecorder(
            ground.committer, self.keys, ground.clock, self._records_written
        )
        greetings, self._greetings_key_is_new = keyfiles.load_or_create(
            credentials, keyfiles.GREETINGS
        )
        self.voicemail = self._voicemail(greetings)
        self.domain = ground.config.exchange.domain
        self.test_lines = TrialLines(self.keeper, self.domain, ground.clock)
        self.journal = RegistrationJournal(ground.committer, self.phones, ground.clock)
        self.manners = Manners(self._manner_of, self.journal.described)
        self.failures = FailedCredentials(self.journal.note, ground.clock)

    async def start(self) -> dict[str, str]:
        """Open the listeners last: whoever connects finds everything there."""
        await self.keeper.refresh()
        await self.media.start(wait=self.ground.patience)
        self._entered.push_async_callback(self.media.close)
        self._build()
        await self.voicemail.start()
        self._entered.push_async_callback(self.voicemail.stop)
        if self._greetings_key_is_new:
            log.warning(
                "greetings.key was missing and is made anew: greetings recorded before are not "
                "heard until they are recorded again",
                count=self.voicemail.greetings.count,
            )
        for name, work in (
            ("call recorder", self.recorder.run()),
            ("registration journal", self.journal.run()),
        ):
            task = asyncio.create_task(work, name=name)
            self._writers.append(task)
            self._entered.push_async_callback(_finished, task)
        for name, work in (
            ("directory", self.keeper.run()),
            ("records key", self.records_key.run()),
            ("certificates", self._follow_certificates()),
            ("sign-ins", self.sign_ins.run()),
        ):
            task = asyncio.create_task(work, name=name)
            self._entered.push_async_callback(_cancelled, task)
        telephony_shown.gauges(self)
        self.media.arrived = self._worker_arrived
        await self.returned.take_back()
        flows = FlowMetrics(self.driver, self.stack.counters)
        REGISTRY.register(flows)
        self._entered.callback(REGISTRY.unregister, flows)
        return self.listening.open()

    async def refresh(self) -> None:
        """Something was changed: devices, extensions, people, certificates, exceptions."""
        await self.keeper.refresh()
        self.listening.refresh()

    def reconfigure(self, config: Config) -> None:
        """What a reload takes over, from the next call or question on."""
        self.calls.reconfigure(config.calls)
        self._voicemail_config = config.voicemail

    async def drain(self) -> None:
        """No new calls; live ones may end."""
        await self.calls.drain(self.ground.config.exchange.drain_seconds)

    async def stop(self, *, leave_calls: bool = False) -> None:
        """Say goodbye to the phones, write down what waits; or leave those who talk to the
        exchange that comes next."""
        self.test_lines.close_all()
        self.listening.close()
        await (self.calls.leave() if leave_calls else self.calls.drain(0))
        await self.driver.stop()
        self.signalling.close()
        self.lamps.close()
        self.calls.goodbyes.close()
        self.recorder.close()
        self.failures.report(all_=True)
        self.journal.close()
        await self._entered.aclose()
        await self.notices.close()

    async def end_calls_of(self, person: UUID) -> int:
        """Calls that a person is part of, at every phone of theirs."""
        return self.calls.hang_up_person(person, "person-left")

    async def end_phones_of(self, person: UUID) -> int:
        """Private phones of somebody who left: what they log in with, and their connections."""
        ground = self.ground
        count = await private_phones.shut(ground.committer, self.phones, ground.clock, person)
        await self.refresh()
        return count

    # -- what people are told about phones

    def told(self, operation: UUID, made: PhoneCredentials) -> PhoneSecret:
        """What is typed into a phone, with where it connects to."""
        ground = self.ground
        authority = ground.authority.root_pem_path
        return PhoneSecret(
            operation=operation,
            device=made.device,
            username=made.username,
            secret=made.secret,
            algorithm=made.algorithm.value,
            domain=self.domain,
            addresses=ground.config.certs.addresses,
            port=self.listening.port(md5=made.algorithm is MD5_ALGORITHM),
            ca_file=str(authority),
            ca_pem=authority.read_text(),
        )

    @property
    def certificate_port(self) -> int:
        return self.listening.certificate_port

    def certificate(self, identity: str, signing_request: str) -> DeviceCertificate:
        """A client certificate; blocking."""
        authority = self.ground.authority
        if signing_request:
            return authority.issue_device_for_request(identity, signing_request.encode())
        return authority.issue_device(identity)

    def signed_in(self, device: UUID) -> UUID | None:
        """Who is, on a shared phone."""
        seat = self.sign_ins.at(device)
        return None if seat is None else seat.row.person

    def locks(self, device: UUID) -> list[Locked]:
        now = asyncio.get_running_loop().time()
        return [lock for lock in self.lockout.locks(now) if lock.device == device]

    # -- building

    def _build(self) -> None:
        ground, config = self.ground, self.ground.config
        stack = Stack(StackConfig(capabilities=CAPABILITIES))
        self.stack = stack
        self.driver = Driver(
            stack,
            config.sip,
            lambda event: self.signalling.deliver(event),
            config.media.advertise,
        )
        agent = Agent(stack, self.driver.poke)
        self.registered = RegisteredPhones(self.location)
        self.sign_ins = self._signing_in()
        around = self._surroundings(agent)
        self.calls = Calls(around, serve, self.recorder.started, self._call_ended)
        self.returned = Return(self.calls, self.media, around.snapshots, self._recorded, around.run)
        told = MessageWaiting(
            message_waiting.Ground(
                agent=agent,
                phones=self.registered,
                directory=self.keeper.current,
                voicemail=self.voicemail,
                database=ground.database,
                clock=ground.clock,
                domain=config.exchange.domain,
            )
        )
        self.lamps, self.notices = told.lamps, told.notices
        doorkeeper = self._doorkeeper(stack)
        stack.guard(doorkeeper)
        self.signalling = Signalling(
            Parts(
                agent=agent,
                doorkeeper=doorkeeper,
                location=self.location,
                registrar=Registrar(
                    self.location,
                    config.exchange.domain,
                    config.registrar,
                    aliases=frozenset(f"[{a}]" if ":" in a else a for a in config.aliases),
                ),
                calls=self.calls,
                directory=self.keeper.current,
                changed=self._bindings_changed,
                lamps=self.lamps,
            )
        )
        self.keeper.changed = self._directory_changed
        self.listening = Listening(
            ground.authority, self.driver, config.sip, self.keeper.current, ground.clock
        )

    def _surroundings(self, agent: Agent) -> Surroundings:
        """What every call stands among."""
        ground, config = self.ground, self.ground.config
        credentials = ground.layout.credentials
        return Surroundings(
            manners=self.manners,
            agent=agent,
            phones=self.registered,
            media=self.media,
            directory=self.keeper.current,
            snapshots=SnapshotKey(keyfiles.load(credentials, keyfiles.SNAPSHOT)),
            clock=ground.clock,
            config=config.calls,
            domain=config.exchange.domain,
            aliases=config.aliases,
            legs_per_worker=config.media.pairs_per_worker,
            voicemail=self.voicemail,
            strangers=self.recorder.claimed,
            refused=self.recorder.claimed,
            set_reach=ReachByPhone(
                ground.committer,
                directory_key.load(credentials),
                ground.clock,
                self.keeper.refresh,
                self.sign_ins.person_at,
            ),
            sign_ins=self.sign_ins,
        )

    def _signing_in(self) -> SignIns:
        ground = self.ground
        return SignIns(
            sign_ins.Ground(
                database=ground.database,
                committer=ground.committer,
                keyholder=ground.keyholder,
                clock=ground.clock,
                directory=self.keeper.current,
                show=self.keeper.sign_in,
                is_in_use=lambda device: self.calls.is_in_use(device),
                signed_out=lambda device, person: self.calls.hang_up_messages(
                    person, device, "signed-out"
                ),
            )
        )

    def _doorkeeper(self, stack: Stack) -> Doorkeeper:
        """Who is asked before a request changes anything."""
        gate = Gate(
            Doors(
                realm=self.ground.config.exchange.domain,
                devices=self.keeper.current,
                nonces=Nonces(primitives.random(primitives.KEY)),
                lockout=self.lockout,
                clock=self.ground.clock,
                failed=self.failures.failed,
            )
        )
        return Doorkeeper(
            Premises(
                gate=gate,
                phones=self.registered,
                facts=stack.facts,
                owner=lambda dialog: self.calls.device_of(dialog) or self.lamps.device_of(dialog),
                authenticated=self.driver.authenticated,
                surplus=self.driver.close_surplus,
            )
        )

    def _voicemail(self, greetings: primitives.Bytes) -> Voicemail:
        ground = self.ground
        credentials = ground.layout.credentials
        return Voicemail(
            office.Ground(
                database=ground.database,
                committer=ground.committer,
                keyholder=ground.keyholder,
                media=self.media,
                keys=self.keys,
                clock=ground.clock,
                config=lambda: self._voicemail_config,
                mailboxes=self._mailboxes,
                pinned=lambda: _pinned(ground.layout.keyholder_pin),
                greetings_key=greetings,
                log=ground.layout.deposit_log,
                deposit_keys=credentials / "deposit.public",
                greeting_copy=credentials / "greetings.sealed",
            )
        )

    def _mailboxes(self) -> list[UUID]:
        entries = self.keeper.current().entries
        known = [entry.mailbox for entry in entries.tenancies]
        known += [entry.mailbox for entry in entries.groups]
        return list(dict.fromkeys(mailbox for mailbox in known if mailbox is not None))

    def _manner_of(self, device: UUID) -> str:
        """What its row says."""
        entry = self.keeper.current().devices.get(device)
        return entry.manner if entry is not None else ""

    async def _follow_certificates(self) -> None:
        while True:
            await asyncio.sleep(CERTIFICATES_EVERY)
            self.failures.report()
            self.listening.refresh()

    # -- what happens

    def _worker_arrived(self) -> None:
        """It may hold calls of the exchange that was here before, and recordings of its own."""
        self.voicemail.wake()
        task = asyncio.create_task(self.returned.take_back(), name="taking calls back")
        self._arrivals.add(task)
        task.add_done_callback(self._arrivals.discard)

    def _records_written(self, calls: list[UUID]) -> None:
        self.media.forget(map(str, calls))

    async def _recorded(self, calls: Sequence[UUID]) -> set[UUID]:
        """With the database away: none; what is written twice then is refused the second time."""
        try:
            async with self.ground.database.read() as connection:
                return await call_store.recorded(connection, calls)
        except StorageError:
            return set()

    def _directory_changed(self, old: Directory, new: Directory) -> None:
        for device in lost_access(old, new):
            self.signalling.forget(device)
            self.calls.hang_up_device(device, "device-changed")
            self._leaving.add(device)
        self._close_leaving()
        self.lamps.directory_changed()
        for device in changed_hands(old, new):
            self.lamps.holder_changed(device)
        self.voicemail.deposit_keys.wake()

    def _call_ended(self, record: CallRecord) -> None:
        self.recorder.ended(record)
        self._close_leaving()

    def _close_leaving(self) -> None:
        """Who lost access is cut off, but an emergency call is spoken to its end first."""
        for device in [d for d in self._leaving if not self.calls.is_in_emergency(d)]:
            self._leaving.discard(device)
            for flow in self.registered.flows_of(device):
                self.driver.close(flow)

    def _bindings_changed(self, change: Change, expires_in: float) -> None:
        self.journal.changed(change, expires_in)
        if isinstance(change, Bound) and change.is_new:
            device, login = (
                UUID(change.binding.device),
                self.registered.authentication_of(change.binding.flow),
            )
            self.lamps.registered(device)
            if login == f"digest {Algorithm.SHA_256.value}":
                self.journal.used_sha256(device)

    # -- what is shown

    def section(self) -> dict[str, Fact]:
        """For `pbx status`."""
        return telephony_shown.section(self)

    def alarms(self) -> list[str]:
        """What needs somebody."""
        return telephony_shown.alarms(self)

    def registrations(self) -> list[Registration]:
        """Every binding, the longest standing first."""
        return telephony_shown.registrations(self)

    @property
    def writes(self) -> bool:
        """Whether calls and registrations are still written down."""
        return not any(task.done() for task in self._writers)


def _pinned(path: Path) -> bytes:
    try:
        return Pin.read(path).signing_key
    except BadKey:
        return b""  # nothing that the key holder signed counts then


async def _finished(task: asyncio.Task[None]) -> None:
    await asyncio.gather(task, return_exceptions=True)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
