"""Serves the admin API on a Unix socket inside the exchange's event loop.

The kernel says who is at the other end (SO_PEERCRED, unix(7)); handlers read it with `peer_of`.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

AdminRequest = Request[Any, Any, State]

_CREDENTIALS: Final = struct.Struct("=iII")


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end of the socket."""

    pid: int
    uid: int
    gid: int


def peer_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Peer:
    peer: Peer = connection.scope["state"]["peer"]
    return peer


class _PeerProtocol(H11Protocol):
    """Puts the peer's credentials beside each request of the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it the same way
        super().connection_made(transport)
        channel = transport.get_extra_info("socket")
        raw = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        peer = Peer(*_CREDENTIALS.unpack(raw))
        self.app_state = {**self.app_state, "peer": peer, "peer_uid": peer.uid}


class _Server(uvicorn.Server):
    """uvicorn, leaving signals to the process that runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class AdminServer:
    """The listening socket and the task that serves it."""

    def __init__(self, app: ASGIApp, path: Path) -> None:
        self._path = path
        self._server = _Server(
            uvicorn.Config(
                app,
                http=_PeerProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=100,
                timeout_graceful_shutdown=5,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        listener = listen(self._path)
        self._task = asyncio.create_task(self._server.serve([listener]))
        while not self._server.started and not self._task.done():  # noqa: ASYNC110  # uvicorn has only this flag
            await asyncio.sleep(0.005)
        if self._task.done():
            await self._task
            raise OSError(f"{self._path}: the admin interface did not start")

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._path.unlink(missing_ok=True)


def listen(path: Path, mode: int = 0o660) -> socket.socket:
    """A listening Unix socket at `path`, in place of one a dead process left behind."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        os.chmod(path, mode)
        listener.listen(64)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
