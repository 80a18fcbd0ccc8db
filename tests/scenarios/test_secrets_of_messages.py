"""Memory of exchange and worker, and everything written, while a PIN is typed and messages live.

Root reads both processes during recording, PIN entry and playing, and afterwards, and every file
of the installation: for the audio in each spelling, the PIN, the message's key and its secret.
What is planted in each process and in each kind of file is found by the same search.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from media.worker.codecs import g711
from storage.keyholder.records import MessageSecret
from storage.messages import Message
from tests.support.message_exchange import Caller
from tests.support.needles import Watched, half_a_request, memory_of
from tests.support.rtp_phone import RtpPhone
from tests.support.voicemail_calls import to_beep
from tests.support.ward import ALL, Ward, random_bytes, ward

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root reads another's memory"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
PIN = "739154820617"
VOICE, WIDE = random_bytes(160), random_bytes(160)
"""Noise that is nobody else's bytes: 20 ms of G.711, and of G.722."""
G722 = ((9, "G722/8000"), (101, "telephone-event/8000"))


@pytest.fixture
async def clinic(open_path: Path) -> AsyncIterator[Ward]:
    async with ward(open_path, pin=PIN) as made:
        await made.serve()
        yield made


def needles(message: Message | None = None, clinic: Ward | None = None) -> Watched:
    """The sound as it came, as samples (of which a WAV file is made), in the other law."""
    watched = Watched()
    samples = b"".join(one.to_bytes(2, "little", signed=True) for one in g711.decode_ulaw(VOICE))
    watched.needles = {
        "G.711": VOICE[20:84], "A-law": VOICE.translate(g711.ULAW_TO_ALAW)[20:84],
        "samples": samples[40:168], "G.722": WIDE[20:84],
    }  # fmt: skip
    watched.add("PIN", PIN.encode())
    if message is not None and clinic is not None:
        with clinic.key_store() as store:
            secret = store.get(MessageSecret, message.id)
            assert secret is not None
            watched.add("key", clinic.key_of(message, store))
            watched.add("secret", bytes(secret.secret))
    return watched


async def found(clinic: Ward, name: str, watched: Watched) -> set[str]:
    return await asyncio.to_thread(watched.found_in, memory_of(clinic.pid(name)))


Memory = dict[str, list[bytes]]


async def taken(clinic: Ward) -> Memory:
    """Both at once, to be searched later: a PIN's entry does not wait for ever."""
    names = ("exchange", "worker")
    copies = [asyncio.to_thread(list, memory_of(clinic.pid(name))) for name in names]
    return dict(zip(names, await asyncio.gather(*copies), strict=True))


async def searched(memory: Memory, watched: Watched) -> tuple[set[str], set[str]]:
    """Exchange and worker."""
    both = (memory["exchange"], memory["worker"])
    one, other = [await asyncio.to_thread(watched.found_in, iter(each)) for each in both]
    return one, other


async def in_both(clinic: Ward, watched: Watched) -> tuple[set[str], set[str]]:
    return await searched(await taken(clinic), watched)


async def say(caller: Caller, frame: bytes, seconds: float, kind: int = 0) -> None:
    caller.quiet()
    for _ in range(round(50 * seconds)):
        caller.media.send(frame, kind)
        await asyncio.sleep(0.02)


async def test_the_exchange_never_holds_what_is_said_or_typed_and_the_worker_forgets_it(
    clinic: Ward,
) -> None:
    sound = needles()
    async with clinic.calling("alice", "*981002") as caller:
        caller.speak()
        await to_beep(caller)
        await say(caller, VOICE, 1.5)
        speaking = asyncio.create_task(say(caller, VOICE, 60))
        while_said = await in_both(clinic, sound)
        speaking.cancel()
        caller.speak()
        await asyncio.sleep(1.2)
        await caller.hang_up()
    await clinic.settled()
    [message] = await clinic.rows()
    watched = needles(message, clinic)
    after_recording = await in_both(clinic, watched)
    await leave_wide(clinic)

    while_typed, while_heard = await listened(clinic)
    await asyncio.sleep(1)
    afterwards = await in_both(clinic, watched)

    assert while_said == (set(), {"G.711"}), "in the worker while it is spoken"
    assert after_recording == (set(), set())
    typed = await searched(while_typed, watched)
    assert typed == (set(), {"PIN, raw"}), "in the worker while it is typed"
    exchange, worker = await searched(while_heard, watched)
    assert exchange == set()
    assert "key, raw" in worker, "it is there while the message is heard"
    assert not {name for name in worker if name.startswith(("PIN", "secret"))}
    assert afterwards == (set(), set())
    await everything_planted_is_found(clinic, watched)
    await nothing_is_written(clinic, watched)


async def leave_wide(clinic: Ward) -> None:
    """A message in G.722."""
    async with clinic.calling("alice", "*981002", RtpPhone(formats=G722)) as caller:
        caller.press("1")
        await say(caller, WIDE, 4, kind=9)
        assert await found(clinic, "worker", needles()) == {"G.722"}
        await say(caller, b"\x55" * 160, 1, kind=9)
        await caller.hang_up()
    await clinic.settled()


async def listened(clinic: Ward) -> tuple[Memory, Memory]:
    """Memory before a PIN's last key, and while a message stands still in the middle."""
    for _ in range(3):
        async with clinic.calling("bob", "*97") as caller:
            caller.speak()
            await asyncio.sleep(0.5)
            await caller.press_slowly(PIN)
            while_typed = await taken(clinic)
            await caller.press_slowly("#")
            try:
                await until_played(caller)
            except TimeoutError:
                continue  # a slow machine: its PIN was not typed in time
            caller.press("5")
            while_heard = await taken(clinic)
            await caller.hang_up()
        return while_typed, while_heard
    raise AssertionError("not heard")


async def until_played(caller: Caller) -> None:
    """The noise comes back."""
    async with asyncio.timeout(60):
        while VOICE not in b"".join(one.payload for one in caller.media.heard):
            await asyncio.sleep(0.05)
            caller.media.take()


async def everything_planted_is_found(clinic: Ward, watched: Watched) -> None:
    """In the exchange a request that never ends, in the worker words of a phone."""
    planted = list(watched.needles.values())
    with half_a_request(clinic.product.layout, b"\n".join(planted)):
        assert await found(clinic, "exchange", watched) == set(watched.needles)
    async with clinic.calling("alice", "*981002") as caller:
        caller.speak()
        await to_beep(caller)
        speaking = asyncio.create_task(say_all(caller, planted))
        seen: set[str] = set()
        async with asyncio.timeout(60):
            while seen != set(watched.needles):
                seen |= await found(clinic, "worker", watched)
        speaking.cancel()
        await caller.hang_up()


async def say_all(caller: Caller, words: list[bytes]) -> None:
    """Again and again: a recording has half a second in hand."""
    caller.quiet()
    while True:
        for word in words:
            caller.media.send(word.ljust(160, b"\xff"))
            await asyncio.sleep(0.02)


async def nothing_is_written(clinic: Ward, watched: Watched) -> None:
    """Data directory with spool and key store, database as stored and as rows, logs."""
    for name in reversed(ALL):
        await clinic.product.kill(name)
    places = {path: list(files) for path, files in kinds(clinic).items()}
    for path, files in places.items():
        assert files, path
        assert watched.found_in(iter(files)) == set(), path
    canary = Watched()
    canary.add("canary", random_bytes(32))
    text = b"\n".join(canary.needles.values())
    for path in kinds(clinic):
        if path.is_dir():
            (path / "planted").write_bytes(text)
        elif path.suffix == ".log":
            path.write_bytes(path.read_bytes() + text)
    database = clinic.product.layout.database_file
    with closing(sqlite3.connect(database)) as own, own:
        own.execute("CREATE TABLE planted (text BLOB)")
        own.execute("INSERT INTO planted VALUES (?)", (text,))
        own.commit()
        for path, files in kinds(clinic).items():
            assert canary.found_in(files) == set(canary.needles), path


def kinds(clinic: Ward) -> dict[Path, Iterator[bytes]]:
    """Each directory of the installation, each log, and what a dump of the database shows."""
    layout = clinic.product.layout
    parts = [path for path in layout.root.iterdir() if path.is_dir() and path != layout.run]
    parts += [layout.message_spool, layout.ledger_spool]
    found = {path: contents(path) for path in parts}
    found |= {path: iter([path.read_bytes()]) for path in clinic.product.folder.glob("*.log")}
    with closing(sqlite3.connect(layout.database_file)) as own:
        values = [v for row in own.iterdump() for v in (row.encode(),)]
        for (table,) in own.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            for row in own.execute(f"SELECT * FROM {table}"):  # noqa: S608 - its own names
                values += [value for value in row if isinstance(value, bytes)]
    found[layout.database_file] = iter(values)
    return found


def contents(directory: Path) -> Iterator[bytes]:
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield path.read_bytes()
