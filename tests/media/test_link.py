"""The client's end of the control socket, against peers that are no worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from media import control, link
from media.client import MediaClient, Place
from media.control import LENGTH, Hello
from media.errors import MediaUnavailable
from media.link import Link
from tests.support.media_worker import WorkerProcess
from tests.support.rtp_phone import RtpPhone

GREETING = msgspec.msgpack.encode(Hello(0, "run", 0, 10))


@asynccontextmanager
async def peer(path: Path, octets: bytes) -> AsyncIterator[None]:
    """One that says this and then nothing."""
    talking = []

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking.append(asyncio.current_task())
        writer.write(octets)
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_unix_server(say, str(path)):
        yield
        await asyncio.gather(*filter(None, talking))


async def test_a_peer_that_does_not_speak_our_language_is_left(tmp_path: Path) -> None:
    async with peer(tmp_path / "s", LENGTH.pack(2) + b"\xc1\xc1"):
        async with asyncio.timeout(60):
            await Link(tmp_path / "s", lambda event: None).serve()


async def test_a_worker_that_hangs_is_left_and_its_askers_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "PING_EVERY", 0.05)
    monkeypatch.setattr(link, "REPLY_WITHIN", 0.05)
    greeting = LENGTH.pack(len(GREETING)) + GREETING
    async with peer(tmp_path / "s", greeting):
        one = Link(tmp_path / "s", lambda event: None)
        async with asyncio.timeout(60):
            serving = asyncio.create_task(one.serve())
            await one.arrived.wait()
            with pytest.raises(MediaUnavailable, match="died"):
                await one.ask(control.ListCalls())
            await serving

    assert not one.is_up
    with pytest.raises(MediaUnavailable, match="answer"):
        await one.ask(control.Ping())


async def test_a_reply_nobody_waits_for_is_passed_over(tmp_path: Path) -> None:
    late = msgspec.msgpack.encode(control.Done(99))
    octets = b"".join(LENGTH.pack(len(body)) + body for body in (GREETING, late, GREETING))
    async with peer(tmp_path / "s", octets):
        one = Link(tmp_path / "s", lambda event: None)
        serving = asyncio.create_task(one.serve())
        async with asyncio.timeout(60):
            await one.arrived.wait()
        assert one.is_up
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        assert not one.is_up


async def test_a_call_that_begins_while_its_worker_dies_begins_at_another(tmp_path: Path) -> None:
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(LENGTH.pack(len(GREETING)) + GREETING)
        await reader.read(1)
        writer.close()

    phone = RtpPhone()
    async with (
        await asyncio.start_unix_server(die, str(tmp_path / "s")),
        WorkerProcess(tmp_path / "w", 1) as worker,
    ):
        client = MediaClient({0: tmp_path / "s", 1: worker.socket})
        await client.start()
        where = Place(local="127.0.0.1", peer="127.0.0.1")
        leg = await client.open("call", where, print, phone.sdp())
        assert client.are_near(leg, "1.")
        assert client.knows(leg)
        await client.drop(leg)
        assert not client.knows(leg)
        await client.close()
    phone.close()
