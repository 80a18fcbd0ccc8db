"""Serves the admin API on a Unix socket inside the exchange's event loop.

The kernel says who is at the other end (SO_PEERCRED, unix(7)); handlers read it with `terminal_of`.
Where a management address is configured, `management.py` serves the same application there.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import uvicorn
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from pbx.access.sessions import Terminal

AdminRequest = Request[Any, Any, State]
P = TypeVar("P", bound=H11Protocol)

PLACES: Final = 100
"""Connections at a time."""
EACH: Final = 80
"""Of one account, or one operator's certificate: what is left is everybody else's."""
PATIENCE_SECONDS: Final = 5
"""Half a request, or none, has this long, and once more."""

_CREDENTIALS: Final = struct.Struct("=iII")


def terminal_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Terminal:
    terminal: Terminal = connection.scope["state"]["terminal"]
    return terminal


class BoundedProtocol(H11Protocol):
    """Ends connections that hold a place and ask nothing: silent, or with half a request.

    One account's hundred of them would keep everybody out, break-glass too.
    """

    terminal: Terminal | None = None
    _waited_for: object = ()
    _next_look: asyncio.TimerHandle | None = None

    def came_from(self, terminal: Terminal) -> None:
        own = sum(1 for other in self.connections if getattr(other, "terminal", None) == terminal)
        if own >= EACH:
            self.transport.abort()
            return
        self.terminal = terminal
        self.app_state = {**self.app_state, "terminal": terminal}
        self._next_look = self.loop.call_later(self.timeout_keep_alive, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """What was waited for at the last look too has had its time."""
        asked = self.cycle
        is_waiting = asked is None or asked.more_body or asked.response_complete
        if is_waiting and self._waited_for is asked:
            self.transport.abort()
            return
        self._waited_for = asked if is_waiting else ()
        self._next_look = self.loop.call_later(self.timeout_keep_alive, self._look)


class _PeerProtocol(BoundedProtocol):
    """Puts the peer's account beside each request of the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it the same way
        super().connection_made(transport)
        channel = transport.get_extra_info("socket")
        raw = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(raw)
        self.came_from(Terminal(uid))


class _Server(uvicorn.Server):
    """uvicorn, leaving signals to the process that runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class AdminServer:
    """The listening socket and the task that serves it."""

    def __init__(self, app: ASGIApp, path: Path, patience: int = PATIENCE_SECONDS) -> None:
        self._path = path
        self._config = uvicorn.Config(
            app,
            http=_PeerProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=PLACES,
            timeout_keep_alive=patience,
            timeout_graceful_shutdown=5,
        )
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        listener = listen(self._path)
        self._task = asyncio.create_task(self._server.serve([listener]))
        while not self._server.started and not self._task.done():  # noqa: ASYNC110  # uvicorn has only this flag
            await asyncio.sleep(0.005)
        if self._task.done():
            await self._task
            raise OSError(f"{self._path}: the admin interface did not start")

    def protocol(self, kind: type[P]) -> P:
        """For a connection that another listener took: the same application, the same bounds."""
        return kind(self._config, self._server.server_state, self._server.lifespan.state)

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
