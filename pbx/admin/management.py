"""The management plane over TLS, for operators at another machine; off unless configured.

Only certificates of our own authority made for operators are let in (`Authority.issue_operator`),
never a phone's; the revocation list counts for every handshake, and an open connection ends with
its certificate. A certificate opens the door and no more: password and second factor are asked for
as on the Unix socket, and the session that begins belongs to this certificate.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from typing import Final
from weakref import WeakSet

import structlog
from cryptography import x509

from certs.authority import Authority
from certs.contexts import ServerIdentity, mutual_context
from certs.errors import CertsError
from certs.issue import serial_text
from certs.names import operator_of
from pbx.access.floods import network_of
from pbx.access.sessions import Terminal
from pbx.admin.config import AdminConfig
from pbx.admin.server import AdminServer, BoundedProtocol

HANDSHAKE_SECONDS: Final = 10
HANDSHAKES: Final = 32
"""At once; a stranger beyond that is hung up on."""
HANDSHAKES_EACH: Final = 8
"""Of those, from one address: whoever holds eight open has taken no operator's place."""
REFRESH_SECONDS: Final = 1.0

log = structlog.get_logger()


class OperatorProtocol(BoundedProtocol):
    """Puts the certificate's holder beside each request of the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it the same way
        super().connection_made(transport)
        found: ssl.SSLObject = transport.get_extra_info("ssl_object")
        certificate = x509.load_der_x509_certificate(found.getpeercert(binary_form=True) or b"")
        person = operator_of(certificate)
        self.came_from(Terminal(certificate=serial_text(certificate), person=person))
        if person is None:
            log.warning("a certificate that is no operator's was refused at the management address")
            transport.abort()

    def end(self) -> None:
        self.transport.abort()


class ManagementServer:
    """Takes TLS connections and hands them to the application of the Unix socket."""

    def __init__(
        self,
        config: AdminConfig,
        authority: Authority,
        admin: AdminServer,
        patience: float = HANDSHAKE_SECONDS,
    ) -> None:
        self._config, self._authority, self._admin = config, authority, admin
        self._patience = patience
        self._handshakes: dict[asyncio.Task[None], str] = {}
        """Those that are not done, and from where."""
        self._open: WeakSet[OperatorProtocol] = WeakSet()
        self._context = self._made()
        self._listener: socket.socket | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.alarm = ""
        """One sentence while the certificate does not name the address, or cannot be read."""

    def start(self) -> str:
        """Listens from now on; answers where."""
        host, port = self._config.endpoint()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=64)
        self._listener.setblocking(False)
        self._check_name(host)
        self._tasks = [
            asyncio.create_task(self._accept(self._listener)),
            asyncio.create_task(self._follow()),
        ]
        bound = self._listener.getsockname()[1]
        return f"[{host}]:{bound}" if family == socket.AF_INET6 else f"{host}:{bound}"

    async def stop(self) -> None:
        for task in (*self._tasks, *self._handshakes):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._handshakes, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        for protocol in list(self._open):
            protocol.end()

    def alarms(self) -> list[str]:
        return [self.alarm] if self.alarm else []

    def refresh(self) -> None:
        """New certificates and revocations count; connections of revoked ones end."""
        try:
            self._context = self._made()
            revoked = self._authority.revocations()
        except (CertsError, OSError, ssl.SSLError):
            self.alarm = "The certificate files cannot be read; see `pbx cert list`."
            return
        self._check_name(self._config.endpoint()[0])
        for protocol in list(self._open):
            if protocol.terminal is not None and protocol.terminal.certificate in revoked:
                protocol.end()

    def _made(self) -> ssl.SSLContext:
        stock = self._authority.stock
        return mutual_context([ServerIdentity.load(stock.server)], stock)

    def _check_name(self, host: str) -> None:
        named = ServerIdentity.load(self._authority.stock.server).names.addresses
        missing = ipaddress.ip_address(host) not in named
        self.alarm = (
            f"The server's certificate does not name {host}, where management listens: add it to "
            "certs.addresses and run: pbx cert renew"
            if missing
            else ""
        )

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(REFRESH_SECONDS)  # out of descriptors: let some end first
                continue
            source = network_of(address[0])
            if not self._has_room_for(source):
                connection.close()
                continue
            task = asyncio.create_task(self._shake_hands(connection))
            self._handshakes[task] = source
            task.add_done_callback(self._handshakes.pop)

    def _has_room_for(self, source: str) -> bool:
        begun = list(self._handshakes.values())
        return len(begun) < HANDSHAKES and begun.count(source) < HANDSHAKES_EACH

    async def _shake_hands(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(self._patience):
                _, protocol = await loop.connect_accepted_socket(
                    lambda: self._admin.protocol(OperatorProtocol), connection, ssl=self._context
                )
                self._open.add(protocol)

    async def _follow(self) -> None:
        stock, seen = self._authority.stock, None
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with contextlib.suppress(OSError):
                files = (stock.server, stock.revoked, stock.revocation_list, stock.root)
                mark = tuple((path.stat().st_mtime_ns, path.stat().st_ino) for path in files)
                if mark != seen:
                    seen = mark
                    self.refresh()
