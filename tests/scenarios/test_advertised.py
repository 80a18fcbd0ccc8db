"""An exchange that phones reach by another address than its own, as in every rented machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from storage.database import Database
from tests.support.exchange import DOMAIN, TestExchange
from tests.support.pjsua import PjsuaPhone

pytestmark = pytest.mark.slow

LOCAL, PUBLIC = "127.0.0.1", "127.0.0.2"
ADVERTISE = {LOCAL: PUBLIC}


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await reader.read(65_536):
            writer.write(octets)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def translated(port: int) -> AsyncIterator[None]:
    """The same port at the public address leads to the local one."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(LOCAL, port)
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    server = await asyncio.start_server(connected, PUBLIC, port)
    try:
        yield
    finally:
        server.close()


async def test_phones_stay_on_the_connection_that_leads_to_us(
    open_path: Path, database: Database
) -> None:
    """PJSIP looks for a connection to where our Contact is, and makes one if there is none: the
    ACK and the BYE of a phone outside would go nowhere."""
    async with TestExchange(open_path / "x", database, advertise=ADVERTISE) as exchange:
        await exchange.enrol("1001", "alice")
        await exchange.enrol("1002", "bob")
        where = {"host": PUBLIC, "verify": False}
        async with (
            translated(exchange.port),
            PjsuaPhone(**exchange.phone_options("alice", **where)) as alice,
            PjsuaPhone(**exchange.phone_options("bob", answer_with=200, **where)) as bob,
        ):
            await alice.registered()
            await bob.registered()
            for hangs_up, other in ((alice, bob), (bob, alice)):
                call = await alice.call(f"sip:1002@{DOMAIN}")
                await alice.confirmed(call)
                incoming = (await bob.wait("incoming"))["call"]
                await bob.confirmed(incoming)
                hangs_up.do("hangup", call=call if hangs_up is alice else incoming)
                await other.disconnected(incoming if hangs_up is alice else call)
                await exchange.calls.idle()
            assert len(exchange.driver.snapshot()) == 2

    causes = [record.cause for record in await exchange.records()]
    assert causes == ["caller-hung-up", "callee-hung-up"]
