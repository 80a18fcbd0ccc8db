"""A media worker's memory while a PIN is typed, a message recorded and heard, and afterwards.

What is sought is found first where it may be: else a search proves nothing.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.database import Database
from storage.keyholder import acts, slots
from storage.keyholder.records import MessageSecret
from tests.support.calling import database
from tests.support.message_exchange import Caller, MessageExchange
from tests.support.needles import Watched, memory_of
from tests.support.voicemail_calls import to_beep

__all__ = ["database"]
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root reads another's memory"),
    pytest.mark.slow,
]
PIN = "739154820617"
SPOKEN = bytes(os.urandom(1)[0] | 1 for _ in range(160)).replace(b"\n", b"\x0b")
"""A frame of noise that is nobody else's bytes."""


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        ben = running.people["ben"]
        await running.house.log_in(ben)
        await running.house.done(ben, acts.SetPin(("1002",)), new_pin=PIN)
        yield running


def needles(**named: bytes) -> Watched:
    watched = Watched()
    watched.needles |= named
    return watched


async def found(exchange: MessageExchange, watched: Watched) -> set[str]:
    process = exchange.workers[0].process
    assert process is not None
    return await asyncio.to_thread(watched.found_in, memory_of(process.pid))


def written(exchange: MessageExchange) -> Iterator[bytes]:
    for path in exchange.folder.rglob("*"):
        if path.is_file() and "keys" not in path.parts:
            yield path.read_bytes()


def everything(exchange: MessageExchange) -> list[bytes]:
    """Spool, keys of ours, database as stored and as rows, write-ahead log."""
    file = str(exchange.database.engine.url.database)
    copy = sqlite3.connect(file)
    rows = "\n".join(copy.iterdump()).encode()
    copy.close()
    stored = [path.read_bytes() for path in map(Path, (file, f"{file}-wal")) if path.exists()]
    return [*written(exchange), rows, *stored]


async def say(caller: Caller, frames: int) -> None:
    caller.quiet()
    for _ in range(frames):
        caller.media.send(SPOKEN)
        await asyncio.sleep(0.02)


async def test_the_worker_forgets_what_was_said_typed_and_opened(
    exchange: MessageExchange,
) -> None:
    audio, typed = needles(audio=SPOKEN[20:84]), needles(pin=PIN.encode())
    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await to_beep(caller)
        await say(caller, 100)
        during = await found(exchange, audio)
        caller.speak()
        await asyncio.sleep(1.2)
        await caller.hang_up()
    [message] = await exchange.kept()
    await exchange.office.chores()
    [message] = await exchange.kept()
    assert during == {"audio"}, "it is there while it is spoken"
    assert await found(exchange, audio) == set()

    secret = exchange.house.core.store.get(MessageSecret, message.id)
    assert secret is not None
    key = slots.open_adopted_slot(secret.secret, message.id, message.content, message.slot or b"")
    async with exchange.calling("bob", "*97") as bob:
        bob.speak()
        await asyncio.sleep(0.5)
        await bob.press_slowly(PIN)
        while_typed = await found(exchange, typed)
        await bob.press_slowly("#")
        await asyncio.sleep(2.5)
        after_typing = await found(exchange, typed)
        while_heard = await found(exchange, needles(key=bytes(key)))
        await bob.hang_up()
    await exchange.kept()
    await asyncio.sleep(1)

    assert while_typed == {"pin"}, "it is there while it is typed"
    assert while_heard == {"key"}, "it is there while the message is heard"
    assert after_typing == set()
    assert await found(exchange, typed) == set()
    assert await found(exchange, needles(key=bytes(key), audio=SPOKEN[20:84])) == set()


async def test_nothing_that_is_written_holds_audio_pin_or_key(exchange: MessageExchange) -> None:
    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await to_beep(caller)
        await say(caller, 100)
        await caller.hang_up()
    await exchange.kept()
    await exchange.office.chores()
    async with exchange.calling("bob", "*97") as bob:
        bob.speak()
        await asyncio.sleep(0.5)
        await bob.press_slowly(PIN + "#")
        await asyncio.sleep(2)
        await bob.hang_up()
    [message] = await exchange.kept()
    secret = exchange.house.core.store.get(MessageSecret, message.id)
    assert secret is not None
    key = slots.open_adopted_slot(secret.secret, message.id, message.content, message.slot or b"")
    watched = needles(audio=SPOKEN[20:84], pin=PIN.encode(), key=bytes(key))

    pieces = await asyncio.to_thread(everything, exchange)

    assert watched.found_in(iter(pieces)) == set()
    planted = [*pieces, *watched.needles.values()]
    assert watched.found_in(iter(planted)) == {"audio", "pin", "key"}
