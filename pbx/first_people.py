"""The first people of an installation, made by `pbx init` before anything serves.

The first administrator, who is flagged as made by `installation` alone; if wanted the practice
manager, so that from then on two people stand behind every grant; for `quickstart` two sample
people with the extensions 1001 and 1002. Nobody gets a default password.

The key holder is opened here for a moment, on a socket of its own, and everything goes the way it
goes later: sealed proofs, ledger rows, the key holder's own decision. Its clock starts ten minutes
back: each act wants a code of its own, codes change every half minute, and nobody should wait.
"""

import asyncio
import base64
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from pbx.access.roles import Role
from pbx.access.sessions import Terminal
from pbx.admin import bootstrap, extensions, people, roles
from pbx.admin.bootstrap import FirstAdministrator
from pbx.admin.enrolling import Credentials, enrol
from pbx.admin.plane import Caller, Plane, actor_of
from pbx.admin.wire.fields import Proved
from pbx.admin.wire.people import NewGrant, NewPerson
from pbx.admin.wire.phones import Assignment
from pbx.config import Config
from pbx.paths import Layout
from storage import directory, keyfiles
from storage.config import database_url
from storage.database import Database
from storage.devices import Place as DevicePlace
from storage.identifiers import new_id, system_clock
from storage.keyholder import acts, founding, protocol
from storage.keyholder.client import KeyHolder
from storage.keyholder.edges import REQUESTS, Edge, Place
from storage.keyholder.holder import Holder
from storage.keyholder.keystores.choice import choose
from storage.keyholder.proofs import Asker, seal_proof
from storage.keyholder.protocol import Enrolment, HalfCode, Protected
from storage.keyholder.signing import Pin
from storage.ledger.committer import Committer
from storage.ledger.unit import Unit
from storage.phones import Phones
from storage.sealed.fields import FieldKey
from storage.sealed.primitives import hotp

WRITER: Final = "exchange"
SECOND: Final = 1_000_000
STEP: Final = 30 * SECOND
BACK: Final = 600 * SECOND
"""How far back the key holder's clock starts: room for twenty codes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is to be made; `confirm` shows the enrolment and comes back once it is kept safe."""

    login: str
    name: str
    password: bytearray
    confirm: Callable[[Enrolment], None]
    manager: tuple[str, str] | None = None
    """Log-in and name of the practice manager."""
    samples: bool = False


@dataclass(slots=True)
class Made:
    """What to tell whoever ran init."""

    administrator: UUID
    manager_code: str = ""
    """The practice manager's one-time enrolment code."""
    extensions: dict[str, str] = field(default_factory=dict)
    """Number → name of the sample person."""
    phones: dict[str, Credentials] = field(default_factory=dict)
    """Label → what is typed into the sample phone."""


def make(layout: Layout, config: Config, wanted: Wanted) -> Made:
    return asyncio.run(_make(layout, config, wanted))


async def _make(layout: Layout, config: Config, wanted: Wanted) -> Made:
    async with _open(layout, config) as office:
        administrator = await office.administrator(wanted)
        made = Made(administrator)
        if wanted.manager is not None:
            made.manager_code = await office.manager(*wanted.manager)
        if wanted.samples:
            for number, login, name in (
                ("1001", "anna", "Anna Sample"),
                ("1002", "ben", "Ben Sample"),
            ):
                await office.holder_of(number, await office.add(login, name))
                made.extensions[number] = name
                label = f"phone {number}"
                made.phones[label] = await office.phone(label, number)
        return made


@dataclass
class _Clock:
    """The key holder's time while the first people are made: each code is a step on."""

    now: int

    def __call__(self) -> int:
        return self.now


@dataclass(frozen=True, slots=True)
class _Lines:
    """What phones are enrolled with."""

    phones: Phones
    domain: str


@asynccontextmanager
async def _open(layout: Layout, config: Config) -> AsyncIterator["_Office"]:
    clock = _Clock(system_clock() - BACK + STEP)
    storage = config.storage
    database = Database.connect(database_url(storage.url or f"sqlite:///{layout.database_file}"))
    core = founding.open_core(
        layout.keys,
        choose(config.keyholder, layout.keys, os.environ),
        config.keyholder,
        clock,
        lambda: time.monotonic_ns() // 1000,
    )
    holder = Holder(core, choose(config.keyholder, layout.keys, os.environ), layout.keys)
    with tempfile.TemporaryDirectory(prefix="pbx-init-") as private:
        socket = Path(private) / "keyholder.sock"
        place = Place(socket, frozenset({os.geteuid()}))
        edge = Edge(place, REQUESTS[protocol.Edge.EXCHANGE], holder.answer)
        await edge.start()
        keyholder = KeyHolder(socket)
        try:
            async with Committer(database, WRITER, clock=system_clock) as committer:
                fields = directory.load(layout.credentials)
                plane = Plane(database, committer, keyholder, fields, system_clock)
                auth = keyfiles.load(layout.credentials, keyfiles.DEVICE_AUTH)
                lines = _Lines(Phones(FieldKey(auth, "device-auth")), config.exchange.domain)
                yield _Office(plane, Pin.read(layout.keyholder_pin), clock, lines)
        finally:
            await keyholder.close()
            await edge.stop()
            holder.close()
            await database.close()


class _Office:
    """Acts as the first administrator, with codes from the secret that was just made."""

    def __init__(self, plane: Plane, pin: Pin, clock: _Clock, lines: _Lines) -> None:
        self._plane, self._pin, self._clock = plane, pin, clock
        self._phones, self._domain = lines.phones, lines.domain
        self._totp = b""
        self._login = ""
        self._caller = plane.caller(Terminal(os.geteuid()))
        self._rings_for_help = False

    async def administrator(self, wanted: Wanted) -> UUID:
        first = FirstAdministrator(new_id(system_clock), wanted.login, wanted.name)
        secrets = Protected(password=bytearray(wanted.password))
        proof, asker = await self._seal(first.begin_act(), secrets)
        enrolment = asker.open(await bootstrap.begin(self._plane, first, proof), Enrolment)
        asker.forget()
        padding = "=" * (-len(enrolment.totp_secret) % 8)
        self._totp = base64.b32decode(enrolment.totp_secret + padding)
        wanted.confirm(enrolment)
        secrets = Protected(password=bytearray(wanted.password), totp=self._code())
        proof, _ = await self._seal(first.finish_act(), secrets)
        await bootstrap.finish(self._plane, first, proof)
        if wanted.manager is not None or wanted.samples:
            await self._sign_in(wanted)
        return first.id

    async def _sign_in(self, wanted: Wanted) -> None:
        act = acts.LogIn(login=wanted.login)
        secrets = Protected(password=bytearray(wanted.password), totp=self._code())
        proof, _ = await self._seal(act, secrets)
        origin = self._caller.origin()
        answer = await self._plane.keyholder.perform(
            act, protocol.Proof(proof, origin), protocol.Evidence(self._caller.deed.operation)
        )
        if not isinstance(answer, protocol.Opened):
            raise bootstrap.BootstrapRefused("the first administrator could not sign in")
        deed = self._plane.deed(actor_of(answer.person, answer.id))
        self._caller = Caller(
            deed,
            Terminal(os.geteuid()),
            answer.person,
            answer.id,
            answer.session,
            frozenset(answer.roles),
        )

    async def add(self, login: str, name: str) -> UUID:
        person = new_id(system_clock)
        proof = await self._proof(acts.AddPerson(person=person, login=login))
        new = NewPerson(id=person, login=login, name=name, proof=proof)
        await people.add_person.fn(self._plane, self._next(), new)
        return person

    async def manager(self, login: str, name: str) -> str:
        """Added, granted by `installation`, and invited: from now on two people decide."""
        person = await self.add(login, name)
        grant, start = new_id(system_clock), self._clock.now
        role = Role.PRACTICE_MANAGER
        proof = await self._proof(
            acts.GrantRole(grant=grant, person=person, role=role, start=start)
        )
        new = NewGrant(
            id=grant,
            person=person,
            role=role,
            reason="practice manager, the second approver",
            start=start,
            proof=proof,
        )
        await roles.request_grant.fn(self._plane, self._next(), new)
        secrets = Protected(totp=self._code())
        sealed, asker = await self._seal(acts.IssueEnrolment(person=person), secrets)
        answer = await people.issue_enrolment.fn(
            self._plane, self._next(), login, Proved(proof=sealed)
        )
        return asker.open(answer.answer, HalfCode).half

    async def holder_of(self, number: str, person: UUID) -> None:
        tenure, mailbox = new_id(system_clock), new_id(system_clock)
        act = acts.OpenTenure(mailbox=mailbox, tenure=tenure, owner=person)
        assignment = Assignment(
            person=person,
            tenure=tenure,
            mailbox=mailbox,
            version=0,
            proof=await self._proof(act),
        )
        await extensions.assign_extension.fn(self._plane, self._next(), number, assignment)

    async def phone(self, label: str, number: str) -> Credentials:
        """A private phone that rings for the number; the first one answers emergency calls."""
        plane, device = self._plane, new_id(system_clock)
        deed, first = self._next().deed, not self._rings_for_help
        self._rings_for_help = True

        async def work(unit: Unit) -> Credentials:
            extension = await plane.extensions.find(unit.connection, number)
            await plane.devices.add(unit, deed, device, label, DevicePlace.PRIVATE)
            await plane.devices.assign(unit, deed, device, 1, extension)
            made = await enrol(self._phones, unit, deed, device, self._domain)
            if first:
                await self._phones.set_emergency(unit, deed, device, True)
            return made

        return await plane.committer.run(work)

    def _next(self) -> Caller:
        """Each act is an operation of its own."""
        self._caller.deed = self._plane.deed(self._caller.deed.actor)
        return self._caller

    def _code(self) -> bytearray:
        self._clock.now += STEP
        return bytearray(hotp(self._totp, self._clock.now // STEP).encode())

    async def _proof(self, act: acts.AnyAct) -> bytes:
        return (await self._seal(act, Protected(totp=self._code())))[0]

    async def _seal(self, act: acts.AnyAct, secrets: Protected) -> tuple[bytes, Asker]:
        challenge = await self._plane.keyholder.challenge()
        sealed = seal_proof(
            self._pin.signing_key,
            challenge,
            act,
            secrets,
            now=self._clock.now,
            session=self._caller.handle,
        )
        secrets.wipe()
        return sealed
