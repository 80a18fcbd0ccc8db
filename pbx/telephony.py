"""The telephone half of the exchange process: built here, started and stopped by `Exchange`.

Phones register and call with database and key holder away; what those would add (rows, presence,
sealed parties) waits or is left out, and the status says so.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import structlog

from certs.authority import Authority, DeviceCertificate
from media.client import MediaClient
from pbx import private_phones
from pbx.access.authenticate import Doors, Gate
from pbx.access.lockout import Locked, Lockout
from pbx.access.nonces import Nonces
from pbx.admin.enrolling import MD5 as MD5_ALGORITHM
from pbx.admin.enrolling import Credentials as PhoneCredentials
from pbx.admin.models import Fact
from pbx.admin.wire.phones import PhoneSecret
from pbx.b2bua.calls import Calls
from pbx.b2bua.recorder import CallRecorder
from pbx.b2bua.snapshot import SnapshotKey
from pbx.b2bua.surroundings import Surroundings
from pbx.config import Config
from pbx.directory import Directory, DirectoryFile
from pbx.directory_keeper import DirectoryKeeper, lost_access
from pbx.failed_credentials import FailedCredentials
from pbx.features.serve import serve
from pbx.location import Bound, Change, Location
from pbx.metrics import gauge
from pbx.paths import Layout
from pbx.records_public import RecordsPublicKey
from pbx.registrar import Registrar
from pbx.registrations import RegistrationJournal
from pbx.signalling import CAPABILITIES, Agent, Parts, RegisteredPhones, Signalling
from pbx.sip.digest import Algorithm
from pbx.sip.shared import StackConfig
from pbx.sip.stack import Stack
from pbx.testlines import TrialLines
from pbx.transport.credentials import Credentials
from pbx.transport.driver import Driver
from pbx.transport.listener import Listener
from storage import directory as directory_key
from storage import keyfiles
from storage.calls import CallRecord
from storage.database import Database
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
SHA256, MD5, CERTIFICATE = "sha256", "md5", "certificate"

_registered = gauge("registrations", "Bindings of phones that are in force.")
_calls = gauge("calls", "Calls that are up.")
_flows = gauge("flows", "TLS connections of phones.")
_waiting = gauge("call_records_waiting", "Call records that are not written yet.")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A phone that can be reached now, for an operator's table."""

    device: UUID
    source: str
    user_agent: str
    tls: str
    login: str
    since: int
    seen_at: int
    expires_at: int


class Telephony:
    """Listeners, registrar, calls and what they write down."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._entered = AsyncExitStack()
        self._leaving: set[UUID] = set()
        """Lost access in the middle of an emergency call."""
        self._writers: list[asyncio.Task[None]] = []
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
        self.recorder = CallRecorder(ground.committer, self.keys, ground.clock)
        self.domain = ground.config.exchange.domain
        self.test_lines = TrialLines(self.keeper, self.domain, ground.clock)
        self.journal = RegistrationJournal(ground.committer, self.phones, ground.clock)
        self.failures = FailedCredentials(self.journal.note, ground.clock)

    async def start(self) -> dict[str, str]:
        """Open the listeners last: whoever connects finds everything there."""
        await self.keeper.refresh()
        await self.media.start(wait=self._ground.patience)
        self._entered.push_async_callback(self.media.close)
        self._build()
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
        ):
            task = asyncio.create_task(work, name=name)
            self._entered.push_async_callback(_cancelled, task)
        self._gauges()
        return self._open()

    async def refresh(self) -> None:
        """Something was changed: devices, extensions, people, certificates, exceptions."""
        self.credentials.refresh()
        await self.keeper.refresh()
        self._set_md5_door()

    async def drain(self) -> None:
        """No new calls; live ones may end."""
        await self.calls.drain(self._ground.config.exchange.drain_seconds)

    async def stop(self) -> None:
        """Say goodbye to the phones, write down what waits."""
        self.test_lines.close_all()
        for listener in (self._sha256, self._md5, self._certificate):
            listener.close()
        await self.calls.drain(0)
        await self.driver.stop()
        self.signalling.close()
        self.recorder.close()
        self.failures.report(all_=True)
        self.journal.close()
        await self._entered.aclose()

    async def end_calls_of(self, person: UUID) -> int:
        """Calls that a person is part of, at every phone of theirs."""
        return self.calls.hang_up_person(person, "person-left")

    async def end_phones_of(self, person: UUID) -> int:
        """Private phones of somebody who left: what they log in with, and their connections."""
        ground = self._ground
        count = await private_phones.shut(ground.committer, self.phones, ground.clock, person)
        await self.refresh()
        return count

    # -- what people are told about phones

    def told(self, operation: UUID, made: PhoneCredentials) -> PhoneSecret:
        """What is typed into a phone, with where it connects to."""
        ground, sip = self._ground, self._ground.config.sip
        old = made.algorithm is MD5_ALGORITHM
        listener, configured = (self._md5, sip.md5_port) if old else (self._sha256, sip.port)
        authority = ground.authority.root_pem_path
        return PhoneSecret(
            operation=operation,
            device=made.device,
            username=made.username,
            secret=made.secret,
            algorithm=made.algorithm.value,
            domain=self.domain,
            addresses=ground.config.certs.addresses,
            port=_port(listener, configured),
            ca_file=str(authority),
            ca_pem=authority.read_text(),
        )

    @property
    def certificate_port(self) -> int:
        return _port(self._certificate, self._ground.config.sip.certificate_port)

    def certificate(self, identity: str, signing_request: str) -> DeviceCertificate:
        """A client certificate; blocking."""
        authority = self._ground.authority
        if signing_request:
            return authority.issue_device_for_request(identity, signing_request.encode())
        return authority.issue_device(identity)

    def locks(self, device: UUID) -> list[Locked]:
        now = asyncio.get_running_loop().time()
        return [lock for lock in self.lockout.locks(now) if lock.device == device]

    def registrations(self) -> list[Registration]:
        """Every binding, the longest standing first."""
        offset = self._ground.clock() - int(asyncio.get_running_loop().time() * 1_000_000)

        def at(moment: float) -> int:
            return offset + int(moment * 1_000_000)

        rows = []
        for binding in sorted(self.location, key=lambda binding: binding.since):
            facts = self.stack.facts(binding.flow)
            rows.append(
                Registration(
                    device=UUID(binding.device),
                    source=binding.source,
                    user_agent=binding.user_agent,
                    tls=facts.tls_version if facts is not None else "",
                    login=self.registered.authentication_of(binding.flow),
                    since=at(binding.since),
                    seen_at=at(binding.seen),
                    expires_at=at(binding.expires_at),
                )
            )
        return rows

    # -- building

    def _build(self) -> None:
        ground, config = self._ground, self._ground.config
        domain = config.exchange.domain
        stack = Stack(StackConfig(capabilities=CAPABILITIES))
        self.stack = stack
        self.driver = Driver(stack, config.sip, lambda event: self.signalling.deliver(event))
        agent = Agent(stack, self.driver.poke)
        registered = RegisteredPhones(self.location)
        around = Surroundings(
            agent=agent,
            phones=registered,
            media=self.media,
            directory=self.keeper.current,
            snapshots=SnapshotKey(keyfiles.load(ground.layout.credentials, keyfiles.SNAPSHOT)),
            clock=ground.clock,
            config=config.calls,
            domain=domain,
            legs_per_worker=config.media.pairs_per_worker,
        )
        self.calls = Calls(around, serve, self.recorder.started, self._call_ended)
        gate = Gate(
            Doors(
                realm=domain,
                devices=self.keeper.current,
                nonces=Nonces(primitives.random(primitives.KEY)),
                lockout=self.lockout,
                clock=ground.clock,
                failed=self.failures.failed,
            )
        )
        self.signalling = Signalling(
            Parts(
                agent=agent,
                gate=gate,
                location=self.location,
                phones=registered,
                registrar=Registrar(self.location, frozenset({domain}), config.registrar),
                calls=self.calls,
                directory=self.keeper.current,
                authenticated=self.driver.authenticated,
                changed=self._bindings_changed,
            )
        )
        self.registered = registered
        self.keeper.changed = self._directory_changed
        self.credentials = Credentials(ground.authority, self.driver)
        self._sha256 = self.credentials.listener(SHA256)
        self._md5 = self.credentials.listener(MD5)
        self._certificate = self.credentials.certificate_listener(CERTIFICATE)

    def _open(self) -> dict[str, str]:
        sip = self._ground.config.sip
        self._sha256.open(sip.listen, sip.port)
        self._certificate.open(sip.listen, sip.certificate_port)
        self._set_md5_door()
        return {
            "SIP over TLS": _shown(self._sha256.endpoints),
            "SIP with client certificates": _shown(self._certificate.endpoints),
        }

    def _set_md5_door(self) -> None:
        """The MD5 port is open only while an exception is in force."""
        now = self._ground.clock()
        wanted = any(entry.md5_until > now for entry in self.keeper.current().entries.devices)
        if wanted and not self._md5.endpoints:
            self._md5.open(self._ground.config.sip.listen, self._ground.config.sip.md5_port)
            log.warning("the MD5 port is open for phones with an exception")
        elif not wanted and self._md5.endpoints:
            self._md5.close()
            log.info("the MD5 port is closed")

    async def _follow_certificates(self) -> None:
        while True:
            await asyncio.sleep(CERTIFICATES_EVERY)
            self.failures.report()
            self.credentials.refresh()
            self._set_md5_door()

    # -- what happens

    def _directory_changed(self, old: Directory, new: Directory) -> None:
        for device in lost_access(old, new):
            self.signalling.forget(device)
            self.calls.hang_up_device(device, "device-changed")
            self._leaving.add(device)
        self._close_leaving()

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
            if login == f"digest {Algorithm.SHA_256.value}":
                self.journal.used_sha256(device)

    # -- what is shown

    def section(self) -> dict[str, Fact]:
        """For `pbx status`."""
        directory = self.keeper.current()
        answered = self.media.workers()
        return {
            "listening": _shown(self._sha256.endpoints),
            "client certificates": _shown(self._certificate.endpoints),
            "MD5 exceptions": _shown(self._md5.endpoints) or "closed",
            "phones known": len(directory.devices),
            "phones registered": len({binding.device for binding in self.location}),
            "connections": len(self.driver.flows),
            "calls": len(self.calls),
            "emergency calls": sum(row.route == "emergency" for row in self.calls.snapshot()),
            "phones that answer emergency calls": len(directory.emergency_devices),
            "media workers": f"{sum(answered.values())} of {len(answered)}",
            "call records waiting": self.recorder.waiting,
        }

    def alarms(self) -> list[str]:
        """What needs somebody."""
        found = []
        if any(row.route == "emergency" for row in self.calls.snapshot()):
            found.append("AN EMERGENCY CALL IS IN PROGRESS.")
        directory = self.keeper.current()
        if directory.devices and not directory.emergency_devices:
            found.append(
                "No phone answers emergency calls; name one with `pbx device emergency LABEL`."
            )
        if self.keeper.is_from_copy:
            found.append("The database is away: phones are served from the sealed copy.")
        if self.keeper.is_copy_stale and not self.keeper.is_from_copy:
            found.append("The sealed copy of the directory cannot be written.")
        if not all(self.media.workers().values()):
            found.append("A media worker does not answer: fewer calls can be carried.")
        if self.records_key.current() is None:
            found.append("No records key: call records are kept without numbers and names.")
        if self.recorder.lost:
            found.append("Call records were lost: the database was away for too long.")
        if self.recorder.rows_lost or self.journal.lost:
            found.append("Ledger rows about calls or phones were lost: neither disk took them.")
        if any(task.done() for task in self._writers):
            found.append("Calls or registrations are not written down any more: restart the PBX.")
        if self.credentials.alarm:
            found.append(self.credentials.alarm)
        return found

    def _gauges(self) -> None:
        _registered.set_function(lambda: float(len(self.location)))
        _calls.set_function(lambda: float(len(self.calls)))
        _flows.set_function(lambda: float(len(self.driver.flows)))
        _waiting.set_function(lambda: float(self.recorder.waiting))


def _pinned(path: Path) -> bytes:
    try:
        return Pin.read(path).signing_key
    except BadKey:
        return b""  # nothing that the key holder signed counts then


def _port(listener: Listener, configured: int) -> int:
    """The port it listens on; one that is still closed will be the configured one."""
    return listener.endpoints[0][1] if listener.endpoints else configured


def _shown(endpoints: list[tuple[str, int]]) -> str:
    hosts = [f"[{host}]" if ":" in host else host for host, _ in endpoints]
    return ", ".join(f"{host}:{port}" for host, (_, port) in zip(hosts, endpoints, strict=True))


async def _finished(task: asyncio.Task[None]) -> None:
    await asyncio.gather(task, return_exceptions=True)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
