"""The product itself for scenarios and load: its processes started one by one, on fixed ports.

Unlike `tests.support.exchange` everything is real down to the process; a test may kill any of them
and start it again over the same data directory, or inside a network namespace.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from certs.contexts import client_context
from pbx.config import load
from storage.config import database_url
from storage.database import Database
from tests.support.bytecode import environment
from tests.support.installation import copied
from tests.support.phonebook import SECRET, Line, Phonebook

DOMAIN = "pbx.test"
SETTINGS = """
[metrics]
port = 0
[sip]
listen = ["{address}"]
port = {port}
md5_port = {md5_port}
certificate_port = {certificate_port}
{sip}
[media]
workers = 1
{more}
"""


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Below the ephemeral ports, so that no connection takes one before its server does.

    Each of pytest's processes has a range of its own: what one has found is not yet bound.
    """
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    start = 10_000 + process % 4 * 1_500 + os.getpid() % 1_000
    found: list[int] = []
    for port in range(start, 16_000):
        with closing(socket.socket()) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


@dataclass
class Product:
    """`product = Product(folder); await product.provision(lines); await product.start()`."""

    folder: Path
    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    """What to put before each command: a network namespace, a processor."""
    settings: str = ""
    sip: str = ""
    """More of the [sip] table."""
    storage_url: str = ""
    owner_url: str = ""
    ports: list[int] = field(default_factory=list)
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    """More of the environment, by process."""

    def __post_init__(self) -> None:
        self.ports = self.ports or free_ports(3)
        addresses = dict.fromkeys(("127.0.0.1", self.address))
        self.layout = copied(self.folder / "pbx", *addresses)
        storage = f'[storage]\nurl = "{self.storage_url}"\nowner_url = "{self.owner_url}"\n'
        more = storage if self.storage_url else ""
        port, md5_port, certificate_port = self.ports
        with self.layout.config_file.open("a") as file:
            file.write(
                SETTINGS.format(
                    address=self.address, port=port, md5_port=md5_port, sip=self.sip,
                    certificate_port=certificate_port, more=more + self.settings,
                )
            )  # fmt: skip
        load(self.layout.config_file)
        self.ca_file = self.layout.certificates / "root.pem"

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def md5_port(self) -> int:
        return self.ports[1]

    @property
    def certificate_port(self) -> int:
        return self.ports[2]

    @property
    def log(self) -> str:
        return (self.folder / "exchange.log").read_text(errors="replace")

    def context(self) -> ssl.SSLContext:
        return client_context(self.ca_file)

    async def provision(
        self, *lines: Line, groups: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Lines, and groups of them by number."""
        url = database_url(self.storage_url or f"sqlite:///{self.layout.database_file}")
        database = await Database.open(url)
        try:
            book = Phonebook(self.layout, DOMAIN)
            await book.write(database, lines)
            for number, members in (groups or {}).items():
                await book.group(database, number, *members)
        finally:
            await database.close()

    async def __aenter__(self) -> Product:
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in list(self.processes):
            await self.kill(name, signal.SIGTERM)

    async def start(self, names: Sequence[str] = ("worker", "exchange")) -> None:
        for name in names:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = await asyncio.create_subprocess_exec(
                    *self.prefix, sys.executable, "-P", "-m", "pbx.service", name,
                    "--data", str(self.layout.root), stdout=log, stderr=log,
                    env=environment() | self.variables.get(name, {}),
                )  # fmt: skip
        if "exchange" in names:
            await self.ready()

    async def ready(self, seconds: float = 240.0) -> None:
        """Until the port of the phones is open, which comes last."""
        process = self.processes["exchange"]
        async with asyncio.timeout(seconds):
            while not await self._listens():
                assert process.returncode is None, self.log[-3000:]
                await asyncio.sleep(0.05)

    async def whole(self, seconds: float = 240.0) -> None:
        """Until the admin interface is open too: nothing more is imported beside the phones."""
        async with asyncio.timeout(seconds):
            while not self.layout.admin_socket.exists():  # noqa: ASYNC110  # of another process
                await asyncio.sleep(0.05)

    async def _listens(self) -> bool:
        if self.prefix[:2] == ("ip", "netns"):
            probe = await asyncio.create_subprocess_exec(
                *self.prefix[:4], sys.executable, "-S", "-c", KNOCK, self.address, str(self.port)
            )
            return await probe.wait() == 0
        with closing(socket.socket()) as knock:
            return knock.connect_ex((self.address, self.port)) == 0

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        process = self.processes.pop(name)
        if process.returncode is None:
            process.send_signal(number)
            try:
                await asyncio.wait_for(process.wait(), 20)
            except TimeoutError:
                process.kill()
                await process.wait()

    def phone_options(self, username: str, **more: Any) -> dict[str, Any]:
        """For PjsuaPhone."""
        return {
            "user": username, "username": username, "password": SECRET, "domain": DOMAIN,
            "host": self.address, "port": self.port, "ca_file": str(self.ca_file),
            "bind": "127.0.0.1", "codecs": ["PCMU"], "record_to": str(self.folder), **more,
        }  # fmt: skip


KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close()
except OSError:
    sys.exit(1)
"""
