"""storage/keyholder/edges.py"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.keyholder import acts, edges, protocol
from storage.keyholder.client import KeyHolder, KeyHolderUnavailable, WorkerKeyHolder
from storage.keyholder.edges import REQUESTS, Edge, Place
from storage.keyholder.framing import frame
from storage.keyholder.protocol import (
    MAX_FRAME,
    Answer,
    Origin,
    Ping,
    Pong,
    Proof,
    Refusal,
    Request,
    State,
)
from tests.support.keyholder import evidence

OWN = frozenset({os.geteuid()})


class Slow:
    """Answers when told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = self.proofs = 0
        self.first = asyncio.Event()

    async def answer(self, request: Request) -> Answer:
        self.asked += 1
        self.proofs += isinstance(request, protocol.Perform)
        self.first.set()
        if isinstance(request, Ping):
            return Pong(State.READY, 1)
        if isinstance(request, protocol.PublicKeys):
            return protocol.JournalPage((bytes(MAX_FRAME // 2),), 1)
        await self.go.wait()
        return Refusal()


@pytest.fixture
async def slow(open_path: Path) -> AsyncIterator[tuple[Slow, Path]]:
    one, path = Slow(), open_path / "s"
    edge = Edge(Place(path, OWN), REQUESTS[protocol.Edge.WORKER], one.answer)
    await edge.start()
    yield one, path
    one.go.set()
    await edge.stop()
    assert not path.exists()


async def test_a_slow_answer_does_not_hold_up_the_next(slow: tuple[Slow, Path]) -> None:
    one, path = slow
    client = WorkerKeyHolder(path)
    waiting = asyncio.create_task(client.ask(protocol.AskChallenge(), protocol.Challenge))
    await one.first.wait()

    assert await client.ping() == Pong(State.READY, 1)

    one.go.set()
    with pytest.raises(Exception, match="refused"):
        await waiting
    await client.close()


async def test_another_account_is_refused_before_a_byte_is_read(open_path: Path) -> None:
    one = Slow()
    edge = Edge(
        Place(open_path / "s", frozenset({65_533})), REQUESTS[protocol.Edge.WORKER], one.answer
    )
    await edge.start()
    client = WorkerKeyHolder(open_path / "s")

    with pytest.raises(KeyHolderUnavailable):
        await client.ping()

    assert one.asked == 0
    await client.close()
    await edge.stop()


async def test_what_is_no_message_of_the_edge_closes_the_connection_alone(
    slow: tuple[Slow, Path],
) -> None:
    _, path = slow
    client = WorkerKeyHolder(path)
    await client.ping()
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(frame(1, protocol.KeyStatus()))

    assert await reader.read() == b""

    writer.close()
    assert await client.ping() == Pong(State.READY, 1)
    await client.close()


async def test_connections_are_counted(slow: tuple[Slow, Path]) -> None:
    _, path = slow
    clients = [WorkerKeyHolder(path) for _ in range(edges.CONNECTIONS + 1)]
    for client in clients[:-1]:
        await client.ping()

    with pytest.raises(KeyHolderUnavailable):
        await clients[-1].ping()
    for client in clients:
        await client.close()


async def test_questions_of_one_connection_wait_for_room(slow: tuple[Slow, Path]) -> None:
    one, path = slow
    reader, writer = await asyncio.open_unix_connection(str(path))
    for number in range(edges.IN_FLIGHT + 5):
        writer.write(frame(number, protocol.AskChallenge()))
    await writer.drain()
    client = WorkerKeyHolder(path)
    await client.ping()
    while one.asked < edges.IN_FLIGHT + 1:
        await client.ping()
    one.go.set()
    for _ in range(edges.IN_FLIGHT + 5):
        length = int.from_bytes(await reader.readexactly(4), "big")
        await reader.readexactly(length)
    writer.close()
    await client.close()


async def test_no_other_question_waits_behind_proofs(open_path: Path) -> None:
    """More than are answered at a time, as when many guess at once; they have a bound too."""
    one, path = Slow(), open_path / "s"
    edge = Edge(Place(path, OWN), REQUESTS[protocol.Edge.EXCHANGE], one.answer)
    await edge.start()
    proof = Proof(b"sealed", Origin("phone", "10.0.0.1"), b"")
    guess = protocol.Perform(acts.StepUp("export", b""), proof, evidence())
    client, many = KeyHolder(path), edges.PROOFS + 5
    guesses = [asyncio.create_task(client.ask(guess, Answer)) for _ in range(edges.IN_FLIGHT + 5)]
    while one.asked < len(guesses):
        assert await client.ping() == Pong(State.READY, 1)
    guesses += [asyncio.create_task(client.ask(guess, Answer)) for _ in range(many - len(guesses))]
    other = KeyHolder(path)
    while one.proofs < edges.PROOFS:
        await other.ping()
    for _ in range(3):
        await other.ping()
    assert one.proofs == edges.PROOFS

    one.go.set()
    answers = await asyncio.gather(*guesses, return_exceptions=True)
    assert {type(answer).__name__ for answer in answers} == {"Refused"}
    assert one.proofs == many
    for each in (client, other):
        await each.close()
    await edge.stop()


async def test_a_peer_that_left_is_not_answered(slow: tuple[Slow, Path]) -> None:
    one, path = slow
    _, writer = await asyncio.open_unix_connection(str(path))
    writer.write(frame(1, protocol.AskChallenge()))
    await writer.drain()
    await one.first.wait()
    writer.transport.abort()
    client = WorkerKeyHolder(path)
    await client.ping()
    one.go.set()

    assert await client.ping() == Pong(State.READY, 1)
    await client.close()


async def test_a_peer_that_leaves_in_the_middle_of_an_answer_is_let_go(
    slow: tuple[Slow, Path],
) -> None:
    one, path = slow
    _, writer = await asyncio.open_unix_connection(str(path), limit=1)
    writer.write(frame(1, protocol.PublicKeys("records")))
    await one.first.wait()

    writer.transport.abort()

    client = WorkerKeyHolder(path)
    for _ in range(5):
        assert await client.ping() == Pong(State.READY, 1)
    await client.close()


async def test_stopping_ends_the_connections_that_are_open(open_path: Path) -> None:
    edge = Edge(Place(open_path / "s", OWN), REQUESTS[protocol.Edge.WORKER], Slow().answer)
    await edge.start()
    reader, writer = await asyncio.open_unix_connection(str(open_path / "s"))
    writer.write(frame(1, Ping()))
    assert await reader.readexactly(4)

    await edge.stop()

    assert (await reader.read()).startswith(b"\x92")
    assert await reader.read() == b""
    writer.close()


async def test_a_place_that_cannot_be_bound_is_an_error(open_path: Path) -> None:
    edge = Edge(Place(open_path / "none" / "s", OWN), REQUESTS[protocol.Edge.WORKER], Slow().answer)

    with pytest.raises(OSError, match="No such file"):
        await edge.start()


async def test_an_answer_that_fails_ends_no_other_question(open_path: Path) -> None:
    """What went wrong is no refusal: whoever asked may ask again."""

    async def breaks(_: protocol.Request) -> protocol.Answer:
        raise ZeroDivisionError

    edge = Edge(Place(open_path / "s", OWN), REQUESTS[protocol.Edge.WORKER], breaks)
    await edge.start()
    reader, writer = await asyncio.open_unix_connection(str(open_path / "s"))
    for number in (1, 2):
        writer.write(frame(number, protocol.Ping()))
        size = int.from_bytes(await reader.readexactly(4), "big")
        answer = await reader.readexactly(size)
        assert b"shut" in answer
    writer.close()
    await edge.stop()


async def test_an_edge_that_never_started_stops_in_peace(open_path: Path) -> None:
    edge = Edge(Place(open_path / "s", OWN), REQUESTS[protocol.Edge.WORKER], Slow().answer)

    await edge.stop()

    assert not (open_path / "s").exists()
