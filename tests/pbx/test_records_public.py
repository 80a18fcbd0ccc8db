"""The records key the exchange seals to: asked for, and kept for a start without the key holder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from pbx.records_public import RecordsPublicKey
from storage.keyholder import protocol
from storage.keyholder.client import KeyHolder
from storage.keyholder.edges import REQUESTS, Edge, Place
from storage.keyholder.protocol import Answer, Request
from storage.keyholder.signing import SignedKey
from storage.sealed.primitives import Suite


def key(start: int, generation: int = 1) -> SignedKey:
    return SignedKey(
        id=UUID(int=start * 10 + generation), public=b"p", purpose="records", mailbox=None,
        tenure=None, suite=next(iter(Suite)), start=start, until=start + 9, generation=generation,
    )  # fmt: skip


@dataclass
class Holder:
    """The key holder's end of a real socket, with the keys it has."""

    edge: Edge
    client: KeyHolder
    file: Path
    keys: tuple[SignedKey, ...] = ()

    async def __call__(self, request: Request) -> Answer:
        assert request == protocol.PublicKeys("records", None)
        return protocol.KeyList(self.keys)

    def records_key(self) -> RecordsPublicKey:
        return RecordsPublicKey(self.client, self.file)


@pytest.fixture
async def holder(open_path: Path) -> AsyncIterator[Holder]:
    async def late(request: Request) -> Answer:
        return await holder(request)

    path = open_path / "keyholder.sock"
    place = Place(path, frozenset({os.geteuid()}))
    edge = Edge(place, REQUESTS[protocol.Edge.EXCHANGE], late)
    holder = Holder(edge, KeyHolder(path, deadline=5), open_path / "records.public")
    await edge.start()
    yield holder
    await holder.client.close()
    await edge.stop()


async def test_the_newest_key_is_taken_and_kept_for_a_start_alone(holder: Holder) -> None:
    holder.keys = (key(5, 2), key(5, 1), key(3, 9))
    known = holder.records_key()
    assert known.current() is None
    assert await known.refresh()
    assert known.current() == key(5, 2)

    await holder.edge.stop()
    alone = holder.records_key()

    assert alone.current() == key(5, 2)
    assert not await alone.refresh()
    assert alone.current() == key(5, 2)
    assert [path.name for path in holder.file.parent.glob("records*")] == ["records.public"]


async def test_no_key_is_no_answer_and_takes_none_away(holder: Holder) -> None:
    holder.keys = (key(1),)
    known = holder.records_key()
    assert await known.refresh()

    holder.keys = ()

    assert not await known.refresh()
    assert known.current() == key(1)


@pytest.mark.parametrize("content", [b"", b"\xc1junk", b"\x01"])
async def test_a_damaged_copy_is_no_key(holder: Holder, content: bytes) -> None:
    holder.file.write_bytes(content)
    assert holder.records_key().current() is None


async def test_a_copy_that_cannot_be_written_costs_the_copy_alone(holder: Holder) -> None:
    holder.keys = (key(1),)
    holder.file = holder.file.parent / "absent" / "records.public"
    known = holder.records_key()
    assert await known.refresh()
    assert known.current() == key(1)


async def test_it_asks_by_itself(holder: Holder) -> None:
    holder.keys = (key(1),)
    known = holder.records_key()
    asking = asyncio.create_task(known.run())
    async with asyncio.timeout(60):
        while known.current() is None:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.01)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
