"""storage/keyholder/line.py: against the real edge of a key holder, and against broken ones."""

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from storage.keyholder import protocol
from storage.keyholder.client import KeyHolderUnavailable, Refused
from storage.keyholder.edges import REQUESTS, Edge, Place
from storage.keyholder.framing import frame
from storage.keyholder.line import Line
from storage.keyholder.protocol import (
    Answer,
    MessageKey,
    OpenMessage,
    Refusal,
    Request,
    Shut,
    State,
)
from storage.keyholder.vouchers import Vouched
from tests.support.keyholder import House

Answering = Callable[[Request], Awaitable[Answer]]


async def asked(path: Path, answer: Answering, ask: Callable[[Line], object]) -> object:
    """What a worker's thread is answered by an edge on this loop."""
    edge = Edge(Place(path, frozenset({os.getuid()})), REQUESTS[protocol.Edge.WORKER], answer)
    await edge.start()
    try:
        return await asyncio.to_thread(ask, Line(path))
    finally:
        await edge.stop()


@pytest.fixture
def path(open_path: Path) -> Path:
    return open_path / "keyholder.sock"


async def test_a_ticket_is_redeemed_and_a_challenge_given(house: House, path: Path) -> None:
    seen: list[Request] = []

    async def answer(request: Request) -> Answer:
        seen.append(request)
        if isinstance(request, OpenMessage):
            return MessageKey(bytearray(b"k" * 32))
        return await house.holder.answer(request)

    key = await asked(
        path, answer, lambda line: line.open_message(b"t", b"c", b"s", Vouched(b"v", b"a"))
    )
    challenge = await asked(path, answer, lambda line: line.challenge())

    assert key == bytearray(b"k" * 32)
    assert isinstance(key, bytearray)
    assert seen[0] == OpenMessage(b"t", b"c", b"s", b"v", b"a")
    assert isinstance(challenge, protocol.Challenge)


async def test_what_is_no_answer_is_an_error(path: Path) -> None:
    for given, error in (
        (Refusal(), Refused),
        (Shut(State.LOCKED), KeyHolderUnavailable),
        (protocol.Pong(State.READY, 1), KeyHolderUnavailable),
    ):

        async def answer(request: Request, given: Answer = given) -> Answer:
            return given

        for ask in (
            lambda line: line.open_message(b"", b"", b"", Vouched(b"")),
            lambda line: line.challenge(),
        ):
            with pytest.raises(error):
                await asked(path, answer, ask)


@pytest.fixture
def broken(path: Path) -> Iterator[list[bytes]]:
    """A peer that answers with these octets and hangs up."""
    octets: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(octets[0])
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield octets
    thread.join()
    listener.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"\0\0",
        (1 << 21).to_bytes(4, "big"),
        b"\0\0\0\3abc",
        frame(1, protocol.Ping()),
        frame(1, Refusal())[:-1],
    ],
)
def test_a_broken_answer_is_no_answer(path: Path, broken: list[bytes], answer: bytes) -> None:
    broken.append(answer)
    with pytest.raises(KeyHolderUnavailable, match="does not answer"):
        Line(path).challenge()


def test_nobody_there_is_no_answer(path: Path) -> None:
    with pytest.raises(KeyHolderUnavailable):
        Line(path).challenge()
