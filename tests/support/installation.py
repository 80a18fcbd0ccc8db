"""A real installation in a temporary directory, and a supervisor that serves it in this process.

Single-account mode, whoever runs the tests: so coverage is measured in the children too. Tests of
the three accounts start the real command instead.
"""

import asyncio
import atexit
import contextlib
import functools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pbx.config import load
from pbx.installation import Plan, initialise
from pbx.paths import Layout
from pbx.processes import accounts
from pbx.processes.notify import Systemd
from pbx.supervisor import Supervisor

SETTINGS = """
[metrics]
port = 0
[sip]
listen = ["127.0.0.1"]
port = 0
md5_port = 0
certificate_port = 0
[media]
workers = 1
"""
"""Ports of the kernel's choice, so that installations do not meet."""


@functools.cache
def _made(*addresses: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="made-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    layout = Layout(folder / "pbx")
    initialise(Plan(layout=layout, domain="pbx.test", addresses=addresses), owners=accounts.own())
    return layout.root


def copied(root: Path, *addresses: str) -> Layout:
    """What `pbx init` makes, made once in this process: database, keys and certificates take a
    second, and the disk is waited for."""
    shutil.copytree(_made(*addresses), root)
    return Layout(root)


def install(root: Path, settings: str = SETTINGS) -> Layout:
    layout = copied(root, "127.0.0.1")
    with layout.config_file.open("a") as file:
        file.write(settings)
    return layout


@pytest.fixture
def installation(open_path: Path) -> Iterator[Layout]:
    yield install(open_path / "pbx")


@dataclass(slots=True)
class Served:
    """A supervisor at work, and what it announced."""

    supervisor: Supervisor
    running: asyncio.Task[None]
    facts: dict[str, str] = field(default_factory=dict)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        os.kill(os.getpid(), number)
        await self.running


@contextlib.asynccontextmanager
async def serving(layout: Layout, systemd: Systemd | None = None) -> AsyncIterator[Served]:
    """Serves until the block ends; enters it when everything is ready."""
    announced: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
    supervisor = Supervisor(
        layout,
        load(layout.config_file),
        accounts.own(),
        systemd or Systemd(None, None),
        announced.set_result,
    )
    running = asyncio.create_task(supervisor.run())
    await asyncio.wait((announced, running), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running
    served = Served(supervisor, running, await announced)
    try:
        yield served
    finally:
        if not running.done():
            await served.stop()
