"""The exchange is killed while a group rings, and while a call is parked: nothing is left over."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import select

from media.client import MediaClient
from storage.calls import CallOutcome
from storage.config import database_url
from storage.database import Database
from storage.models.calls import call as call_table
from tests.support.phone import Account, Phone
from tests.support.phone_call import CallFailed, Outgoing
from tests.support.phonebook import SECRET, Line
from tests.support.product import DOMAIN, Product
from tests.support.rtp_phone import RtpPhone
from tests.support.transfers import hear_each_other, refer

NAMES = {"1001": "alice", "1002": "bob", "1003": "carol"}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


@pytest.fixture
async def product(open_path: Path) -> AsyncIterator[Product]:
    lines = [Line(number=number, username=name) for number, name in NAMES.items()]
    async with Product(open_path) as made:
        await made.provision(*lines, groups={"2000": ("1002", "1003")})
        await made.start()
        yield made


async def connect(product: Product, phones: dict[str, Phone]) -> None:
    for phone in phones.values():
        await phone.connect((product.address, product.port), product.context())
        assert (await phone.register()).status == 200


async def restart(product: Product, phones: dict[str, Phone]) -> None:
    await product.kill("exchange", signal.SIGKILL)
    await product.start(["exchange"])
    await connect(product, phones)


async def answered(call: Outgoing, media: RtpPhone) -> RtpPhone:
    media.read((await call.answered(60)).body)
    return media


async def outcomes(product: Product) -> list[tuple[str, str]]:
    database = await Database.open(database_url(f"sqlite:///{product.layout.database_file}"))
    try:
        async with database.read() as connection:
            query = select(call_table.c.outcome, call_table.c.cause).order_by(
                call_table.c.started_at
            )
            return [tuple(row) for row in (await connection.execute(query)).all()]
    finally:
        await database.close()


async def nothing_is_left(product: Product) -> None:
    """Asked of the worker itself, with the exchange gone."""
    await product.kill("exchange", signal.SIGTERM)
    client = MediaClient({0: product.layout.worker_socket(0)})
    await client.start()
    try:
        assert await client.calls() == []
    finally:
        await client.close()


async def test_a_group_that_rang_and_a_call_that_is_parked(product: Product) -> None:
    phones = {
        name: Phone(Account(username=name, domain=DOMAIN, password=SECRET))
        for name in NAMES.values()
    }
    alice, bob, carol = phones.values()
    await connect(product, phones)

    rung = alice.invite("2000", (media := RtpPhone()).sdp())
    waiting = asyncio.create_task(rung.answered())
    for phone in (bob, carol):
        (await asyncio.wait_for(phone.incoming.get(), 60)).ring()
    await asyncio.wait_for(rung.ringing.wait(), 60)
    await restart(product, phones)
    waiting.cancel()
    with suppress(asyncio.CancelledError, CallFailed, TimeoutError):
        await waiting

    placed = alice.invite("2000", media.sdp())
    incoming = await asyncio.wait_for(bob.incoming.get(), 60)
    (theirs := RtpPhone()).read(incoming.invite.body)
    incoming.answer(theirs.sdp())
    await answered(placed, media)
    await asyncio.wait_for(incoming.confirmed.wait(), 60)
    assert (await refer(incoming, f"<sip:*70@{DOMAIN}>")).status == 202
    await asyncio.wait_for(incoming.ended.wait(), 60)  # it was told the place
    await restart(product, phones)
    taken = carol.invite("*701", (third := RtpPhone()).sdp())
    await answered(taken, third)
    await hear_each_other(media, third)
    assert (await taken.bye()).status == 200
    await asyncio.wait_for(placed.ended.wait(), 60)
    again = carol.invite("*701", third.sdp())
    with pytest.raises(CallFailed, match="404"):
        await again.answered()
    for phone in phones.values():
        phone.close()
    for one in (media, theirs, third):
        one.close()
    await nothing_is_left(product)

    found = await outcomes(product)
    assert [outcome for outcome, _ in found] == [
        CallOutcome.FAILED, CallOutcome.ANSWERED, CallOutcome.REFUSED,
    ]  # fmt: skip
    assert found[0][1] == "exchange-restarted"
    assert "Traceback" not in product.log
