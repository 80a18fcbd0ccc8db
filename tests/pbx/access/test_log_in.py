"""Phones of our own log in over real TLS: gate, stack and transport together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import pytest

from certs.authority import Authority
from certs.contexts import client_context, identities, mutual_context, server_context
from pbx.access.authenticate import Doors, Failure, Gate, Reason
from pbx.access.lockout import Lockout, LockoutConfig
from pbx.access.nonces import Nonces
from pbx.b2bua.identity import Place
from pbx.directory import DeviceEntry, Directory, Entries
from pbx.sip.digest import Algorithm, ha1
from pbx.sip.events import Acknowledged, Cancelled, Event, FlowClosed, RequestReceived
from pbx.sip.message import Response, response_to
from tests.support.phone import Account, Phone
from tests.support.phone_call import CallFailed
from tests.support.sip_server import DOMAIN, SipServer, new_authority

MODERN, OLD, CARD = (UUID(int=n) for n in range(1, 4))


def entry(number: UUID, name: str, algorithm: Algorithm, **more: object) -> DeviceEntry:
    return DeviceEntry(
        id=number,
        username=name,
        place=Place.LOBBY,
        algorithm=algorithm.value,
        **{"ha1": ha1(algorithm, name, DOMAIN, "right"), **more},
    )


class Exchange:
    """A server that admits devices and then answers as it is told."""

    def __init__(self, authority: Authority) -> None:
        self.failures: list[Failure] = []
        self.admitted: list[UUID] = []
        self.heard: list[Event] = []
        self.answers = [200]
        directory = Directory(
            Entries(
                made_at=0,
                devices=(
                    entry(MODERN, "modern", Algorithm.SHA_256),
                    entry(OLD, "old", Algorithm.MD5, md5_until=2**62),
                    entry(CARD, "card", Algorithm.SHA_256, ha1=b"", certificate="sip:card@x"),
                ),
            )
        )
        self.gate = Gate(
            Doors(
                realm=DOMAIN,
                devices=lambda: directory,
                nonces=Nonces(b"k" * 32),
                lockout=Lockout(LockoutConfig(failures=3)),
                clock=lambda: 0,
                failed=self.failures.append,
            )
        )
        self.server = SipServer(authority)
        self.server.on_event = self._deliver
        found = identities(authority.stock)
        contexts = {
            "sha256": server_context(found),
            "md5": server_context(found),
            "certificate": mutual_context(found, authority.stock),
        }
        self._listeners = {n: self.server.driver.listener(n, c) for n, c in contexts.items()}
        for listener in self._listeners.values():
            listener.open(("127.0.0.1", "::1"), 0)

    def address(self, name: str = "sha256", host: str = "127.0.0.1") -> tuple[str, int]:
        endpoints = self._listeners[name].endpoints
        return next((h, port) for h, port in (e[:2] for e in endpoints) if h == host)

    def _deliver(self, event: Event) -> None:
        match event:
            case RequestReceived(transaction=transaction, flow=flow, request=request, dialog=None):
                now = asyncio.get_running_loop().time()
                facts = self.server.stack.facts(flow)
                assert facts is not None
                verdict = self.gate.admit(flow, facts, request, now)
                if isinstance(verdict, Response):
                    self.server.stack.respond(transaction, verdict, now)
                    return
                self.admitted.append(verdict.device)
                self.server.driver.authenticated(flow)
                for status in self.answers:
                    self.server.stack.respond(transaction, self._answer(request, status), now)
            case RequestReceived(transaction=transaction, request=request):
                self.heard.append(event)
                now = asyncio.get_running_loop().time()
                self.server.stack.respond(transaction, response_to(request, 200), now)
            case FlowClosed(flow=flow):
                self.gate.closed(flow)
            case Acknowledged() | Cancelled():
                self.heard.append(event)

    def _answer(self, request: object, status: int) -> Response:
        response = response_to(request, status)
        response.headers.add("Contact", f"<sip:exchange@{DOMAIN}>")
        return response

    async def stop(self) -> None:
        for listener in self._listeners.values():
            listener.close()
        await self.server.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("log-in") / "certs")


@pytest.fixture
async def exchange(authority: Authority) -> AsyncIterator[Exchange]:
    exchange = Exchange(authority)
    yield exchange
    await exchange.stop()


@pytest.fixture
async def connect(
    authority: Authority, exchange: Exchange
) -> AsyncIterator[Callable[..., asyncio.Future[Phone]]]:
    with_ends = AsyncExitStack()

    async def connect(
        name: str, to: str = "sha256", *, right: bool = True, host: str = "127.0.0.1"
    ) -> Phone:
        phone = Phone(Account(username=name, domain=DOMAIN, password="right" if right else "wrong"))
        await phone.connect(exchange.address(to, host), client_context(authority.stock.root))
        with_ends.callback(phone.close)
        return phone

    async with with_ends:
        yield connect


@pytest.mark.parametrize(
    ("name", "listener", "device"), [("modern", "sha256", MODERN), ("old", "md5", OLD)]
)
async def test_a_phone_registers_and_refreshes_on_one_challenge(
    exchange: Exchange, connect: Callable, name: str, listener: str, device: UUID
) -> None:
    phone = await connect(name, listener)

    statuses = [(await phone.register()).status for _ in range(3)]

    assert statuses == [200, 200, 200]
    assert (phone.challenges, exchange.admitted) == (1, [device] * 3)
    assert exchange.failures == []


async def test_a_phone_registers_over_ipv6(exchange: Exchange, connect: Callable) -> None:
    phone = await connect("modern", host="::1")

    assert (await phone.register()).status == 200


async def test_a_nonce_dies_with_its_flow(exchange: Exchange, connect: Callable) -> None:
    first, second = await connect("modern"), await connect("modern")
    await first.register()
    second._challenge, second._nc = first._challenge, iter([7, 1])

    assert (await second.register()).status == 200

    assert second.challenges == 1
    assert exchange.failures == []


async def test_a_wrong_password_is_refused_and_an_unknown_name_alike(
    exchange: Exchange, connect: Callable
) -> None:
    wrong = await (await connect("modern", right=False)).register()
    unknown = await (await connect("nobody")).register()

    assert (wrong.status, unknown.status) == (401, 401)
    assert [name for name, _ in wrong.headers] == [name for name, _ in unknown.headers]
    assert [f.reason for f in exchange.failures] == [Reason.WRONG_SECRET, Reason.UNKNOWN_NAME]


async def test_a_certificate_is_enough_where_it_is_asked_for(
    authority: Authority, exchange: Exchange, tmp_path: Path
) -> None:
    issued = authority.issue_device("sip:card@x")
    (tmp_path / "card.pem").write_bytes(issued.key_pem + issued.chain_pem)
    context = client_context(authority.stock.root)
    context.load_cert_chain(tmp_path / "card.pem")
    phone = Phone(Account(username="card", domain=DOMAIN))

    await phone.connect(exchange.address("certificate"), context)
    response = await phone.register()

    assert (response.status, phone.challenges, exchange.admitted) == (200, 0, [CARD])
    phone.close()


async def test_a_call_is_made_answered_and_ended(exchange: Exchange, connect: Callable) -> None:
    phone = await connect("modern")
    exchange.answers = [180, 200]
    call = phone.invite("1002", b"v=0\r\n")

    answer = await call.answered()
    ended = await call.bye()

    assert (answer.status, ended.status, phone.challenges) == (200, 200, 1)
    assert [response.status for response in call.provisionals] == [180]
    assert isinstance(exchange.heard[0], Acknowledged)
    assert phone.stray == []


async def test_a_refused_call_fails(exchange: Exchange, connect: Callable) -> None:
    phone = await connect("modern")
    exchange.answers = [486]

    with pytest.raises(CallFailed, match="486"):
        await phone.invite("1002").answered()


async def test_a_call_is_cancelled(exchange: Exchange, connect: Callable) -> None:
    phone = await connect("modern")
    exchange.answers = [180]
    call = phone.invite("1002")
    outcome = asyncio.create_task(call.answered())
    await call.ringing.wait()

    assert (await call.cancel()).status == 200

    with pytest.raises(CallFailed, match="487"):
        await outcome
    assert isinstance(exchange.heard[0], Cancelled)


async def test_keep_alives_are_answered(exchange: Exchange, connect: Callable) -> None:
    phone = await connect("modern")

    await phone.ping()
    await asyncio.gather(phone.ping(), phone.ping(), phone.register())

    phone.close()
    assert phone.closed.is_set()
