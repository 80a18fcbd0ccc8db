"""The listening sockets: one per edge, the peer's account checked by the kernel (SO_PEERCRED)."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from storage.keyholder import protocol
from storage.keyholder.framing import BadFrame, Codec, frame
from storage.keyholder.protocol import Answer, Request

log = structlog.get_logger()

IN_FLIGHT = 64
"""Questions of one connection answered at a time; further ones wait in the socket."""
PROOFS = 512
"""Proofs of one connection under way: argon2id takes a while for each, and however many are being
guessed, no other question waits behind them."""
CONNECTIONS = 128

Answering = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Place:
    """A socket and who may connect to it."""

    path: Path
    peers: frozenset[int]


class Edge:
    """One socket, one closed union of requests."""

    def __init__(self, place: Place, requests: object, answer: Answering) -> None:
        self._place = place
        self._codec: Codec[Request] = Codec(requests)
        self._answer = answer
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        listener = _listen(self._place.path)
        self._server = await asyncio.start_unix_server(self._connected, sock=listener)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= CONNECTIONS or not self._is_peer(writer):
            writer.close()
            return
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    def _is_peer(self, writer: asyncio.StreamWriter) -> bool:
        uid = peer_uid(writer.get_extra_info("socket"))
        if uid in self._place.peers:
            return True
        log.error("an account that may not was refused by the key holder")
        return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        others, proofs = asyncio.Semaphore(IN_FLIGHT), asyncio.Semaphore(PROOFS)
        async with asyncio.TaskGroup() as group:
            while (pair := await self._next(reader)) is not None:
                room = proofs if isinstance(pair[1], protocol.Perform) else others
                await room.acquire()
                group.create_task(self._one(room, writer, *pair))

    async def _next(self, reader: asyncio.StreamReader) -> tuple[int, Request] | None:
        try:
            return await self._codec.read(reader)
        except BadFrame as bad:
            log.warning("the key holder was sent something else", reason=str(bad))
            return None

    async def _one(
        self,
        room: asyncio.Semaphore,
        writer: asyncio.StreamWriter,
        number: int,
        request: Request,
    ) -> None:
        try:
            answer = await self._answer(request)
            writer.write(frame(number, answer))
            await writer.drain()  # raises where the peer has gone meanwhile
        except ConnectionError:
            return  # the peer is gone; what was done is in the journal
        except Exception as failure:  # noqa: BLE001 - one answer's failure ends no other question
            log.error("a question could not be answered", reason=type(failure).__name__)
            writer.write(frame(number, protocol.Shut(protocol.State.ALARMED)))
        finally:
            room.release()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._place.path.unlink(missing_ok=True)


def peer_uid(connection: socket.socket) -> int:
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", data)
    return int(uid)


def _listen(path: Path) -> socket.socket:
    """In place of a socket that a killed process left behind."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        os.chmod(path, 0o660)  # the directory is open to one peer group; the account is checked
        listener.listen(128)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


REQUESTS = {
    protocol.Edge.EXCHANGE: protocol.ExchangeRequest,
    protocol.Edge.WORKER: protocol.WorkerRequest,
    protocol.Edge.OPERATOR: protocol.OperatorRequest,
}
