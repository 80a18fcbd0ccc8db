"""A phone keyed by a handshake is called like that still when the exchange has been away."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from storage.config import database_url
from storage.database import Database
from storage.models.phones import phone_identity
from tests.support.dtls_phone import DtlsPhone
from tests.support.phone import Account, Phone
from tests.support.phonebook import SECRET, Line
from tests.support.product import DOMAIN, Product
from tests.support.rtp_phone import RtpPhone

LINES = (Line(number="1001", username="alice"), Line(number="1002", username="bob"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


@pytest.fixture
async def product(open_path: Path) -> AsyncIterator[Product]:
    async with Product(open_path) as made:
        await made.provision(*LINES)
        await made.start()
        yield made


async def connect(product: Product, phone: Phone) -> None:
    await phone.connect((product.address, product.port), product.context())
    assert (await phone.register()).status == 200


async def manner_of(product: Product, username: str) -> str:
    """From the row, once it is written."""
    database = await Database.open(database_url(f"sqlite:///{product.layout.database_file}"))
    query = select(phone_identity.c.manner).where(phone_identity.c.username == username)
    try:
        async with asyncio.timeout(60):
            while True:
                async with database.read() as connection:
                    if (found := await connection.scalar(query)) is not None:
                        return str(found)
                await asyncio.sleep(0.1)
    finally:
        await database.close()


async def keyed(phone: DtlsPhone) -> None:
    async with asyncio.timeout(60):
        while not (phone.pump() or phone.failure):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.005)


async def test_what_a_phone_offered_outlives_the_exchange(product: Product) -> None:
    alice, bob = [
        Phone(Account(username=name, domain=DOMAIN, password=SECRET)) for name in ("alice", "bob")
    ]
    ours, first, second = RtpPhone(), DtlsPhone(), DtlsPhone()
    for phone in (alice, bob):
        await connect(product, phone)
    echo = bob.invite("*43", first.sdp())
    first.read((await echo.answered()).body)
    await echo.bye()
    assert (await manner_of(product, "bob")).startswith("dtls feedback")

    await product.kill("exchange", signal.SIGKILL)
    await product.start(["exchange"])
    for phone in (alice, bob):
        await connect(product, phone)
    call = alice.invite("1002", ours.sdp())
    incoming = await asyncio.wait_for(bob.incoming.get(), 60)
    assert b"a=fingerprint:sha-256" in incoming.invite.body
    assert b"a=crypto" not in incoming.invite.body
    second.read(incoming.invite.body)
    incoming.answer(second.sdp())
    ours.read((await call.answered()).body)
    await keyed(second)
    async with asyncio.timeout(60):
        while not second.heard:
            ours.send()
            second.take()
            await asyncio.sleep(0.02)
    await call.bye()
    for phone in (alice, bob):
        phone.close()
    for media in (ours, first, second):
        media.close()
    assert "Traceback" not in product.log
