"""Phones come back by themselves: after kill -9, after a cut, and with the database away."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import postgres
from tests.support.baresip import BaresipPhone
from tests.support.full_disk import disk
from tests.support.netns import EXCHANGE, PHONES, NatNetwork
from tests.support.phone import Account, Phone
from tests.support.phonebook import SECRET, Line
from tests.support.pjsua import PjsuaPhone
from tests.support.product import DOMAIN, Product
from tests.support.static_sdp import static_answer, static_offer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LINES = (
    Line(number="1001", username="alice"),
    Line(number="1002", username="bob"),
    Line(number="1003", username="carol", md5=True),
    Line(number="1009", username="desk", answers_emergency=True),
)
BACK_WITHIN = 30.0
"""Seconds until a phone is registered again, with its retry interval at 5."""


@pytest.fixture
async def product(open_path: Path) -> AsyncIterator[Product]:
    # baresip does not mind a lost connection; it comes back with its next refresh.
    async with Product(open_path, settings="[registrar]\nmin_expires = 20\n") as made:
        await made.provision(*LINES)
        yield made


async def our_phone(product: Product, name: str) -> Phone:
    phone = Phone(Account(username=name, domain=DOMAIN, password=SECRET))
    await phone.connect((product.address, product.port), product.context())
    assert (await phone.register()).status == 200
    return phone


async def test_phones_come_back_after_kill_9(product: Product, tmp_path: Path) -> None:
    await product.start()
    options = product.phone_options("bob", answer_with=200)
    async with (
        PjsuaPhone(**options) as bob,
        BaresipPhone(
            tmp_path / "carol", user="carol", domain=DOMAIN, host="127.0.0.1",
            port=product.md5_port, username="carol", password=SECRET, register_interval=20,
        ) as carol,
    ):  # fmt: skip
        await bob.registered()
        await carol.wait("REGISTER_OK")
        await product.kill("exchange", signal.SIGKILL)
        await product.start(["exchange"])

        await bob.registered(seconds=BACK_WITHIN)
        await carol.wait("REGISTER_OK", seconds=BACK_WITHIN)
        async with PjsuaPhone(**product.phone_options("alice")) as alice:
            await alice.registered()
            call = await alice.call(f"sip:1002@{DOMAIN}")
            await alice.confirmed(call)
            alice.do("hangup", call=call)
            await alice.disconnected(call)
        await one_that_knows_our_address_alone(product)
    assert "Traceback" not in product.log


async def one_that_knows_our_address_alone(product: Product) -> None:
    """Many a phone asks for a server and takes that for the domain."""
    phone = Phone(Account(username="alice", domain="127.0.0.1", password=SECRET))
    await phone.connect((product.address, product.port), product.context())
    assert (await phone.register()).status == 200
    call = phone.invite("*43", static_offer())
    assert (await call.answered()).status == 200
    assert (await call.bye()).status == 200
    phone.close()


async def test_a_phone_comes_back_after_the_network_was_cut(
    open_path: Path, network: NatNetwork
) -> None:
    product = Product(open_path, address=EXCHANGE, prefix=network.prefix("exchange"))
    async with product:
        await product.provision(*LINES)
        await product.start()
        options = product.phone_options("bob", bind=PHONES, answer_with=200, expires=60, retry=5)
        async with PjsuaPhone(prefix=network.prefix("phones"), **options) as bob:
            await bob.registered()
            network.cut()
            bob.do("register")  # the phone meets the cut
            await bob.wait("registration", lambda event: event["code"] != 200, seconds=60)
            network.mend()

            await bob.registered(seconds=BACK_WITHIN)
            alice = PjsuaPhone(
                prefix=network.prefix("phones"), **product.phone_options("alice", bind=PHONES)
            )
            async with alice:
                await alice.registered()
                call = await alice.call(f"sip:1002@{DOMAIN}")
                await bob.wait("incoming")
                alice.do("hangup", call=call)
                await alice.disconnected(call)


async def internal_and_emergency_calls(product: Product) -> None:
    """Both kinds reach a phone that answers."""
    alice, bob, desk = [await our_phone(product, name) for name in ("alice", "bob", "desk")]
    for number, callee in (("1002", bob), ("911", desk)):
        call = alice.invite(number, static_offer())
        async with asyncio.timeout(60):
            incoming = await callee.incoming.get()
        incoming.answer(static_answer(incoming.request_sent_or_received.body))
        await call.answered()
        await call.bye()
        async with asyncio.timeout(60):
            await incoming.ended.wait()
    for phone in (alice, bob, desk):
        phone.close()


async def test_phones_register_and_call_with_postgresql_stopped_and_at_a_cold_start(
    open_path: Path,
) -> None:
    with postgres.cluster() as cluster, cluster.database() as name:
        roles = (postgres.SERVICE, postgres.OWNER)
        urls = [cluster.url(role, name).render_as_string() for role in roles]
        product = Product(open_path, storage_url=urls[0], owner_url=urls[1])
        async with product:
            await product.provision(*LINES)
            await product.start()
            await internal_and_emergency_calls(product)
            cluster.stop()

            await internal_and_emergency_calls(product)
            await product.kill("exchange")
            await product.start(["exchange"])
            await internal_and_emergency_calls(product)
            cluster.start()
        assert "Traceback" not in product.log


async def test_phones_register_and_call_with_the_databases_disk_full(product: Product) -> None:
    source = product.layout.database
    kept = {path.name: path.read_bytes() for path in source.iterdir()}
    with disk(source) as small:
        for name, data in kept.items():
            (source / name).write_bytes(data)
        await product.start()
        await internal_and_emergency_calls(product)
        small.fill()

        await internal_and_emergency_calls(product)
        await product.kill("exchange")
        await product.start(["exchange"])
        await internal_and_emergency_calls(product)
        await product.kill("exchange")
        small.free()
    assert "Traceback" not in product.log
