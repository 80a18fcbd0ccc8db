"""What a thief of messages opens: with the key holder's store everything, without it nothing.

A script tries every 32 octets of all that is left as the key of every file, and every private key
it finds on every slot. It succeeds first, with the store present and its root key known.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from media.client import MessageRefused, Recorded, Recording, Stored
from storage.keyholder import slots
from storage.keyholder.keystores.file import FileKeyStore
from storage.keyholder.protocol import (
    AdoptMessage,
    DestroyDepositKey,
    DestroyMessage,
    Done,
    Refusal,
    Statement,
)
from storage.keyholder.records import KeyRow, MessageSecret
from storage.keyholder.signing import SignedKey
from storage.keyholder.store import Store, StoreError, read_wrapped
from storage.sealed import primitives
from storage.sealed.file import HEADER, LABEL, LAST, Header
from storage.sealed.primitives import OpenError, SealedError
from tests.support.keyholder import evidence
from tests.support.mailroom import Kept, Mailroom, mailroom, speak
from tests.support.rtp_phone import RtpPhone

pytestmark = pytest.mark.phoneless


@pytest.fixture
async def room(open_path: Path) -> AsyncIterator[Mailroom]:
    async with mailroom(open_path) as made:
        yield made


@dataclass
class Loot:
    """A copy of everything that lies about, as a thief has it."""

    directory: Path

    def octets(self) -> bytes:
        files = sorted(path for path in self.directory.rglob("*") if path.is_file())
        return b"".join(path.read_bytes() for path in files)

    def sealed(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.directory.rglob("*.sealed"))]

    def rows(self) -> list[tuple[bytes, bytes, bytes]]:
        """(message, content, slot) of the database."""
        text = (self.directory / "database").read_bytes()
        return msgspec.msgpack.decode(text, type=list[tuple[bytes, bytes, bytes]])

    def beside(self) -> Iterator[tuple[bytes, SignedKey, bytes]]:
        """(content, deposit key, slot) of files not settled."""
        for path in self.directory.rglob("*.slot"):
            found = msgspec.msgpack.decode(path.read_bytes())
            key = msgspec.msgpack.decode(found["key"], type=SignedKey)
            yield bytes.fromhex(path.stem), key, found["slot"]


def opens(data: bytes, key: bytes) -> bool:
    """Whether a key opens the first second of a file."""
    header = Header.decode(data)
    length, numbered, _ = LABEL.unpack_from(data, HEADER.size)
    start = HEADER.size + LABEL.size
    head, last = data[: HEADER.size], bool(numbered & LAST)
    try:
        sealed = data[start : start + length]
        primitives.open_segment(key, header.prefix, 0, last, sealed, head)
    except OpenError:
        return False
    return True


def keys_of(loot: Loot) -> Iterator[bytes]:
    """Every key of a file that can be had by whoever has all of this."""
    store = _store(loot)
    if store is not None:
        for message, content, slot in loot.rows():
            secret = next((s for s in store.all(MessageSecret) if s.id.bytes == message), None)
            if secret is not None:
                with suppress(SealedError):
                    yield slots.open_adopted_slot(secret.secret, secret.id, content, slot)
        for row in store.all(KeyRow):
            for content, _, slot in loot.beside():
                with suppress(SealedError):
                    yield bytes(slots.open_deposit_slot(row.signed, row.private, content, slot))
    octets = loot.octets()
    yield from {octets[at : at + 32] for at in range(len(octets) - 31)}


def _store(loot: Loot) -> Store | None:
    root = FileKeyStore(loot.directory / "root.key")
    with suppress(StoreError, SealedError, OSError, Exception):
        path = loot.directory / "keys" / "store"
        return Store(path, root.unwrap(read_wrapped(path)))
    return None


def opened(loot: Loot) -> int:
    """How many of the files open."""
    waiting = loot.sealed()
    for key in keys_of(loot):
        waiting = [data for data in waiting if not opens(data, key)]
        if not waiting:
            break
    return len(loot.sealed()) - len(waiting)


async def taken(room: Mailroom, legs: int = 2) -> list[Recorded]:
    """Short messages, of which the thief will have the files."""
    told = []
    for number in range(legs):
        phone = RtpPhone()
        leg = await room.desk.alone(phone, f"call-{number}")
        talking = asyncio.create_task(speak(phone, 5))
        await room.desk.client.record(leg, Recording(seal=room.deposit(), beep=False))
        await room.desk.event(Stored)
        await room.desk.client.drop(leg)
        told.append(await room.desk.event(Recorded))
        talking.cancel()
    return told


def rows_of(*kept: Kept) -> bytes:
    return msgspec.msgpack.encode([(each.id.bytes, each.content, each.slot) for each in kept])


def stolen(room: Mailroom, to: Path, rows: bytes) -> Loot:
    """Sealed files, slots, key store and root key; sockets are nothing to steal."""
    for name in ("messages", "keys"):
        shutil.copytree(room.directory / name, to / name)
    for path in room.directory.glob("*.key"):
        shutil.copy(path, to)
    (to / "database").write_bytes(rows)
    return Loot(to)


async def test_without_the_key_holders_store_nothing_opens_that_opened_with_it(
    room: Mailroom, tmp_path: Path
) -> None:
    adopted, waiting = await taken(room)
    kept = await room.adopt(adopted)
    await room.desk.client.settle([adopted.content])
    loot = stolen(room, tmp_path / "loot", rows_of(kept))

    assert await asyncio.to_thread(opened, loot) == 2, "the adopted and the waiting one"
    (loot.directory / "root.key").rename(tmp_path / "root.key")
    assert await asyncio.to_thread(opened, loot) == 0, "the store without its root key"
    shutil.rmtree(loot.directory / "keys")
    assert await asyncio.to_thread(opened, loot) == 0, "files, slots and rows"
    assert waiting.is_complete


async def test_a_key_that_lies_about_would_be_found(room: Mailroom, tmp_path: Path) -> None:
    """The search itself: a planted key opens its file, wherever it stands."""
    [told] = await taken(room, 1)
    row = room.house.core.store.get(KeyRow, room.signed.id)
    assert row is not None
    key = slots.open_deposit_slot(row.signed, row.private, told.content, told.slot)
    loot = stolen(room, tmp_path / "loot", rows_of())
    shutil.rmtree(loot.directory / "keys")
    (loot.directory / "root.key").unlink()
    assert await asyncio.to_thread(opened, loot) == 0
    (loot.directory / "planted").write_bytes(b"some text " + key + b" and more")

    assert await asyncio.to_thread(opened, loot) == 1


async def test_yesterdays_data_with_todays_key_store_opens_no_shredded_message(
    room: Mailroom, tmp_path: Path
) -> None:
    told, other = await taken(room)
    kept, alive = await room.adopt(told), await room.adopt(other)
    yesterday = tmp_path / "yesterday"
    shutil.copytree(room.messages, yesterday)
    house, phone = room.house, RtpPhone()
    leg = await room.desk.alone(phone, "later")
    await room.play(leg, kept)
    house.time.pass_(86_400)
    await house.log_in(room.doctor)
    await house.ask(DestroyMessage(kept.id, "retention", None, evidence()), Statement)
    await room.desk.client.remove([told.content])

    shutil.copytree(yesterday, room.messages, dirs_exist_ok=True)
    assert {each.content for each in await room.desk.client.left_behind()} == {
        told.content,
        other.content,
    }
    with pytest.raises(AssertionError, match="Refusal"):
        await room.play(leg, kept)
    for message in (kept.id, uuid4()):
        again = AdoptMessage(
            message, room.mailbox, told.content, room.signed.id, told.slot, evidence()
        )
        assert await house.holder.answer(again) == Refusal()
    stolen_now = Kept(alive.id, told.content, kept.slot, kept.expect)
    with pytest.raises(MessageRefused, match="refused"):
        await room.play(leg, stolen_now)
    await room.play(leg, alive)

    # With root on the key holder's machine too: its week's deposit key has to be gone.
    rows = rows_of(kept, alive)
    assert await asyncio.to_thread(opened, stolen(room, tmp_path / "soon", rows)) == 2
    house.time.pass_(15 * 86_400)
    await house.ask(DestroyDepositKey(room.signed.id, evidence()), Done)
    assert await asyncio.to_thread(opened, stolen(room, tmp_path / "later", rows)) == 1
