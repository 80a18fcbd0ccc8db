"""A clinic's exchange without media: administration plane, ledger, key holder, phones, for real.

The API is served on its Unix socket, the key holder answers on another; people have passwords and
second factors, and prove their acts as the `pbx` command does. One clock, moved by hand.
"""

import asyncio
import base64
import functools
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import func, select

from pbx.access.roles import Role
from pbx.admin import bootstrap
from pbx.admin.api import create_app
from pbx.admin.bootstrap import FirstAdministrator
from pbx.admin.context import AdminContext
from pbx.admin.lifecycle import Lifecycle
from pbx.admin.operators import withdrawing
from pbx.admin.plane import Plane
from pbx.admin.server import AdminServer
from pbx.admin.wire.sessions import Challenge
from pbx.config import Config
from pbx.paths import Layout
from pbx.telephony import Ground, Telephony
from storage import keyfiles
from storage.database import Database
from storage.identifiers import new_id, system_clock
from storage.keyholder import acts, protocol
from storage.keyholder.client import KeyHolder
from storage.keyholder.clock import SECOND
from storage.keyholder.edges import REQUESTS, Edge, Place
from storage.keyholder.presence import bound_challenge
from storage.keyholder.proofs import Asker, seal_proof
from storage.keyholder.protocol import Enrolment, HalfCode, Protected
from storage.keyholder.surroundings import Surroundings
from storage.ledger.committer import Committer
from storage.ledger.keeper import HeadKeeper
from storage.models.ledger import ledger
from storage.sealed.fields import FieldKey
from storage.sealed.primitives import hotp
from tests.support import postgres
from tests.support.authorities import authority_in
from tests.support.databases import Urls, sqlite_urls
from tests.support.keyholder import BINDING, FakeTime, House, text

PASSWORD = "correct horse battery staple"


@dataclass
class Member:
    """Somebody who works here, with everything they know."""

    id: UUID
    login: str
    password: str = PASSWORD
    totp: bytes = b""
    recovery: tuple[str, ...] = ()
    token: str = ""
    session: UUID | None = None
    signed_in_at: int = 0


@dataclass
class Clinic:
    layout: Layout
    house: House
    plane: Plane
    http: httpx.AsyncClient
    lifecycle: Lifecycle
    context: AdminContext
    edge: Edge
    edge_place: Place
    answer: Callable[[protocol.Request], Awaitable[protocol.Answer]]
    server: AdminServer
    performed: set[type[acts.Act]]
    """Every kind of act that was asked of the key holder."""
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def telephony(self) -> Telephony:
        assert self.context.telephony is not None
        return self.context.telephony

    # -- time and identifiers

    @property
    def now(self) -> int:
        return self.house.time.wall

    def pass_(self, seconds: float) -> None:
        self.house.time.pass_(seconds)

    def id(self) -> UUID:
        return new_id(lambda: self.now)

    # -- talking to the API

    async def ask(
        self, who: Member | str | None, method: str, path: str, body: Any = None, **query: Any
    ) -> httpx.Response:
        token = who.token if isinstance(who, Member) else who
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        content = None
        if body is not None:
            content = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        return await self.http.request(
            method, path, content=content, headers=headers, params=query or None
        )

    async def do(
        self, who: Member | None, method: str, path: str, body: Any = None, **query: Any
    ) -> Any:
        """The answer of something that must succeed."""
        response = await self.ask(who, method, path, body, **query)
        assert response.is_success, (response.status_code, response.text)
        return response.json()

    async def prove(
        self,
        who: Member | None,
        act: acts.AnyAct,
        signed: Callable[[bytes], dict[str, bytearray]] | None = None,
        **secrets: str,
    ) -> tuple[bytes, Asker]:
        """`signed` is what a security key makes of the bound challenge."""
        answer = await self.do(None, "POST", "/v1/challenge")
        challenge = msgspec.msgpack.decode(
            msgspec.convert(answer, Challenge).message, type=protocol.Challenge
        )
        handle = base64.urlsafe_b64decode(who.token + "=") if who and who.token else b""
        assert self.house.pin is not None
        typed = {name: text(value) for name, value in secrets.items()}
        if isinstance(act, acts.LogIn | acts.ConfirmEnrolment):
            typed["binding"] = bytearray(BINDING)
        if signed is not None:
            typed |= signed(bound_challenge(challenge.challenge, acts.digest(act), handle))
        return seal_proof(
            self.house.pin.signing_key,
            challenge,
            act,
            Protected(**typed),
            now=self.now,
            session=handle,
        )

    def code(self, who: Member) -> str:
        """A fresh time-based code: time moves on by one step."""
        self.pass_(30)
        return hotp(who.totp, self.now // SECOND // 30)

    async def proof(self, who: Member, act: acts.AnyAct, **secrets: str) -> bytes:
        """The second factor, for exactly this act."""
        sealed, _ = await self.prove(who, act, totp=self.code(who), **secrets)
        return sealed

    # -- people

    async def found(self) -> Member:
        """The first administrator, as `pbx init` makes them."""
        first = FirstAdministrator(self.id(), "root", "Rosa Root")
        member = Member(first.id, first.login)
        sealed, asker = await self.prove(None, first.begin_act(), password=member.password)
        self._take(member, asker.open(await bootstrap.begin(self.plane, first, sealed), Enrolment))
        secrets = {"password": member.password, "totp": self.code(member)}
        sealed, _ = await self.prove(None, first.finish_act(), **secrets)
        await bootstrap.finish(self.plane, first, sealed)
        self.members["root"] = member
        await self.sign_in(member)
        return member

    async def sign_in(self, who: Member) -> Any:
        response = await self.try_sign_in(who)
        assert response.is_success, response.text
        answer = response.json()
        self._signed(who, answer)
        return answer

    async def present(self, who: Member) -> Member:
        """Signed in, and not about to idle out."""
        if not who.token or self.now - who.signed_in_at > 200 * SECOND:
            await self.sign_in(who)
        return who

    async def try_sign_in(self, who: Member, **changes: str) -> httpx.Response:
        secrets = {"password": who.password, "totp": self.code(who)} | changes
        sealed, _ = await self.prove(None, acts.LogIn(who.login), **secrets)
        return await self.ask(None, "POST", "/v1/session", {"login": who.login, "proof": sealed})

    async def hire(
        self, login: str, by: Member, kind: str = "staff", until: int | None = None
    ) -> Member:
        """Added, not yet enrolled."""
        member = Member(self.id(), login)
        proof = await self.proof(by, acts.AddPerson(member.id, login, until))
        body = {"id": member.id, "login": login, "name": f"Name of {login}", "kind": kind}
        await self.do(by, "POST", "/v1/people", body | {"until": until, "proof": proof})
        self.members[login] = member
        return member

    async def enrol(self, who: Member, by: Member, approver: Member | None = None) -> None:
        """By a one-time code, of which two people have a half each as soon as there are two."""
        act = acts.IssueEnrolment(who.id)
        sealed, asker = await self.prove(by, act, totp=self.code(by))
        path = f"/v1/people/{who.login}/enrolment"
        answer = await self.do(by, "POST", path, {"proof": sealed})
        halves = [asker.open(base64.b64decode(answer["answer"]), HalfCode).half]
        if answer["proposal"]:
            assert approver is not None
            answer, asker = await self.approve(approver, answer)
            halves.append(asker.open(base64.b64decode(answer["answer"]), HalfCode).half)
        await self.use_code(who, "-".join(halves))

    async def use_code(self, who: Member, code: str) -> None:
        secrets = {"enrolment_code": code, "new_password": who.password}
        sealed, asker = await self.prove(None, acts.Enrol(who.login), **secrets)
        body = {"login": who.login, "proof": sealed}
        answer = await self.do(None, "POST", "/v1/enrolment", body)
        self._take(who, asker.open(base64.b64decode(answer["answer"]), Enrolment))
        secrets = {"password": who.password, "totp": self.code(who)}
        sealed, _ = await self.prove(None, acts.ConfirmEnrolment(who.login), **secrets)
        body = {"login": who.login, "proof": sealed}
        answer = await self.do(None, "POST", "/v1/enrolment/confirmation", body)
        self._signed(who, answer)

    async def grant(
        self, who: Member, role: Role, by: Member, approver: Member | None = None
    ) -> UUID:
        grant, start = self.id(), self.now
        act = acts.GrantRole(grant, who.id, role, start)
        proof = await self.proof(by, act)
        body = {"id": grant, "person": who.id, "role": role, "reason": "needs it", "start": start}
        answer = await self.do(by, "POST", "/v1/grants", body | {"proof": proof})
        if answer["proposal"]:
            assert approver is not None
            await self.approve(approver, answer)
        return grant

    async def approve(self, approver: Member, waiting: Any) -> tuple[Any, Asker]:
        digest = base64.b64decode(waiting["digest"])
        act = acts.Approve(UUID(waiting["proposal"]), digest)
        sealed, asker = await self.prove(approver, act, totp=self.code(approver))
        path = f"/v1/proposals/{waiting['proposal']}/approval"
        return await self.do(approver, "POST", path, {"digest": digest, "proof": sealed}), asker

    async def staffed(self) -> "Clinic":
        """An administrator and a practice manager: two who can approve for each other."""
        root = await self.found()
        manager = await self.hire("manager", root)
        await self.grant(manager, Role.PRACTICE_MANAGER, root)
        await self.enrol(manager, root)
        return self

    async def with_role(self, login: str, *roles: Role) -> Member:
        """Hired, enrolled, signed in and given roles, by the two approvers."""
        root, manager = self.members["root"], self.members["manager"]
        member = await self.hire(login, root)
        for role in roles:
            await self.grant(member, role, root, manager)
        await self.enrol(member, root, manager)
        return member

    # -- what is left behind

    async def row_count(self) -> int:
        async with self.plane.database.read() as connection:
            return await connection.scalar(select(func.max(ledger.c.sequence))) or 0

    async def rows(self, after: int = 0) -> list[Any]:
        async with self.plane.database.read() as connection:
            query = select(ledger).where(ledger.c.sequence > after).order_by(ledger.c.sequence)
            return list((await connection.execute(query)).all())

    def _signed(self, who: Member, answer: Any) -> None:
        who.token, who.session = answer["token"], UUID(answer["session"])
        who.signed_in_at = self.now

    def _take(self, who: Member, enrolment: Enrolment) -> None:
        padding = "=" * (-len(enrolment.totp_secret) % 8)
        who.totp = base64.b32decode(enrolment.totp_secret + padding)
        who.recovery = enrolment.recovery_codes


def answering(
    house: House, performed: set[type[acts.Act]]
) -> Callable[[protocol.Request], Awaitable[protocol.Answer]]:
    """As the process answers: its report is about its surroundings too. Remembers every act."""

    async def answer(request: protocol.Request) -> protocol.Answer:
        if isinstance(request, protocol.KeyStatus):
            return house.holder.report(Surroundings(False, False, False))
        if isinstance(request, protocol.Perform):
            performed.add(type(request.act))
        return await house.holder.answer(request)

    return answer


SETTINGS = msgspec.convert(
    {
        "exchange": {"domain": "pbx.test"},
        "sip": {"listen": ["127.0.0.1"], "port": 0, "md5_port": 0, "certificate_port": 0},
        "certs": {"addresses": ["127.0.0.1"]},
        "media": {"workers": 1},
    },
    Config,
)


def telephony_of(layout: Layout, plane: Plane) -> Telephony:
    """As `pbx.exchange` puts it together; no media worker answers, so no call is carried."""
    (layout.credentials / "directory.key").write_bytes(bytes(range(32)))
    for name in (keyfiles.DEVICE_AUTH, keyfiles.SNAPSHOT, keyfiles.GREETINGS):
        keyfiles.create(layout.credentials, name)
    authority = authority_in(layout.certificates, SETTINGS.exchange.domain, SETTINGS.certs)
    return Telephony(
        Ground(
            layout=layout,
            config=SETTINGS,
            authority=authority,
            database=plane.database,
            committer=plane.committer,
            keyholder=plane.keyholder,
            clock=plane.clock,
            patience=0,
        )
    )


@functools.cache
def application() -> Litestar:
    """Routes and signatures, which take a quarter of a second to look at: nothing of a clinic."""
    return create_app(AdminContext(Layout(Path("/nonexistent")), lambda: SETTINGS, "", lambda: 0))


def application_of(context: AdminContext) -> Litestar:
    """All that an application knows of its exchange is in its state. One clinic at a time."""
    application().state.context = context
    return application()


@pytest.fixture
def field_key() -> FieldKey:
    """What the exchange seals names and numbers with; a test may bring one that watches."""
    return FieldKey(bytes(range(32)), "directory")


@contextmanager
def _urls(request: pytest.FixtureRequest, path: Path) -> Iterator[Urls]:
    """CLINIC_ENGINE=postgresql: on the other engine."""
    if os.environ.get("CLINIC_ENGINE", "sqlite") == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield sqlite_urls(path)
        return
    server: postgres.Cluster = request.getfixturevalue("postgres_cluster")
    with server.database() as name:
        yield Urls(server.url(postgres.SERVICE, name), server.url(postgres.OWNER, name))


@pytest.fixture
async def clinic(
    request: pytest.FixtureRequest, open_path: Path, field_key: FieldKey
) -> AsyncIterator[Clinic]:
    layout = Layout(open_path / "pbx")
    for directory in (
        layout.admin_socket.parent,
        layout.keyholder_exchange_socket.parent,
        layout.config,
        layout.database,
        layout.credentials,
        layout.ledger_spool,
        layout.message_spool,
    ):
        directory.mkdir(parents=True, exist_ok=True)
    layout.config_file.touch()
    stored = ExitStack()
    urls = stored.enter_context(_urls(request, layout.database_file))
    # From the real moment on, because the commands look at the real clock.
    house = House(layout.keys, FakeTime(system_clock()))
    assert house.pin is not None
    house.pin.write(layout.keyholder_pin)
    place = Place(layout.keyholder_exchange_socket, frozenset({os.geteuid()}))
    performed: set[type[acts.Act]] = set()
    answer = answering(house, performed)
    edge = Edge(place, REQUESTS[protocol.Edge.EXCHANGE], answer)
    await edge.start()
    database = await Database.open(urls.service)
    keyholder = KeyHolder(layout.keyholder_exchange_socket, deadline=60)
    clock = house.time.wall_clock
    async with Committer(database, "exchange", clock=clock) as committer:
        plane = Plane(
            database=database,
            committer=committer,
            keyholder=keyholder,
            fields=field_key,
            clock=clock,
            pinned=house.pin.signing_key,
        )
        plane.sign_heads = HeadKeeper(database, "exchange", clock=clock, signer=keyholder).keep
        telephony = telephony_of(layout, plane)
        context = AdminContext(
            layout, lambda: SETTINGS, "test", lambda: 1.0, plane=plane, telephony=telephony
        )
        await telephony.start()
        plane.enders.register("calls", telephony.end_calls_of)
        plane.enders.register("phones", telephony.end_phones_of)
        plane.enders.register("phone log-ins", telephony.sign_ins.end_of)
        plane.enders.register("certificates", withdrawing(telephony.ground.authority))
        server = AdminServer(application_of(context), layout.admin_socket)
        await server.start()
        transport = httpx.AsyncHTTPTransport(uds=str(layout.admin_socket))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://pbx", timeout=60
        ) as http:
            made = Clinic(
                layout, house, plane, http, Lifecycle(plane), context, edge, place, answer, server,
                performed,
            )  # fmt: skip
            yield made
        await server.stop()
        await telephony.stop()
    await keyholder.close()
    await made.edge.stop()
    await asyncio.sleep(0)
    house.close()
    await database.close()
    stored.close()
