"""An exchange with two extensions, and two lean phones that talk through it.

Scenarios run on SQLite, whose one writer is the harder case for calls; the stores' own tests
run on both engines.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.database import Database
from tests.support.databases import sqlite_urls
from tests.support.exchange import TestExchange
from tests.support.phone import Phone
from tests.support.phone_call import Incoming, Outgoing
from tests.support.rtp_phone import RtpPhone


@pytest.fixture
async def database(open_path: Path, sqlite_template: Path) -> AsyncIterator[Database]:
    path = open_path / "pbx.db"
    shutil.copy(sqlite_template, path)
    opened = await Database.open(sqlite_urls(path).service)
    yield opened
    await opened.close()


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[TestExchange]:
    """With extensions 1001 (phone alice) and 1002 (phone bob)."""
    async with TestExchange(open_path / "x", database, ring_seconds=60) as running:
        await running.enrol("1001", "alice")
        await running.enrol("1002", "bob")
        yield running


@dataclass
class Talk:
    """Two lean phones in a call."""

    exchange: TestExchange
    alice: Phone
    bob: Phone
    outgoing: Outgoing
    incoming: Incoming
    alice_media: RtpPhone
    bob_media: RtpPhone


@asynccontextmanager
async def talking(
    exchange: TestExchange, *, says: tuple[tuple[str, str], ...] = ()
) -> AsyncIterator[Talk]:
    """Alice has called Bob, who answered (and said so much more); nobody sends any sound."""
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        ours, theirs = RtpPhone(), RtpPhone()
        outgoing = alice.invite("1002", ours.sdp())
        async with asyncio.timeout(60):
            incoming = await bob.incoming.get()
            theirs.read(incoming.invite.body)
            incoming.says = says
            incoming.answer(theirs.sdp())
            ours.read((await outgoing.answered()).body)
            await incoming.confirmed.wait()
            await outgoing.ask(outgoing.message("INFO"))  # behind the ACK on the same flow
        try:
            yield Talk(exchange, alice, bob, outgoing, incoming, ours, theirs)
        finally:
            ours.close()
            theirs.close()
