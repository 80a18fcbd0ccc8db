"""A real media worker process for tests (`python -m tests.support.media_worker`)."""

import asyncio
import atexit
import functools
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from media.config import MediaConfig
from media.worker.process import run
from media.worker.sounds import keep_tones
from pbx.worker_vault import WorkerVault
from storage.identifiers import system_clock
from storage.keyholder.line import Line
from storage.sealed.primitives import secret
from storage.sealed.vault import Vault

ROOT = Path(__file__).parents[2]


def free_range(count: int) -> tuple[int, int]:
    """Ports of our own below the ephemeral ones, by process, so that parallel tests do not meet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        seed = probe.getsockname()[1]
    first = 10_000 + (seed * 2) % (32_000 - 10_000 - count)
    return first - first % 2, first - first % 2 + count - 1


@functools.cache
def kept_tones() -> str:
    """Tones encoded once for all workers of this test run, as an installation has them. Prompts
    are not there: each is the tone that stands for it, for a second and a half."""
    directory = tempfile.mkdtemp(prefix="tones-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    keep_tones(Path(directory))
    return directory


class WorkerProcess:
    """Starts it, waits until it is ready, ends it."""

    def __init__(
        self, directory: Path, index: int = 0, *, messages: Path | None = None, **config: Any
    ) -> None:
        first, last = free_range(400)
        self.config = {"workers": 1, "first_port": first, "last_port": last, **config}
        self.directory, self.index = directory, index
        self.environment = dict(os.environ)
        if messages is not None:
            (messages / "messages").mkdir(parents=True, exist_ok=True)
            self.environment["TEST_MESSAGES"] = str(messages)
        self.process: asyncio.subprocess.Process | None = None

    @property
    def socket(self) -> Path:
        """Where the client connects."""
        return self.directory / "control.sock"

    async def start(self, *prefix: str) -> None:
        """Run it; `prefix` is a command to run it under, such as taskset."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.process = await asyncio.create_subprocess_exec(
            *prefix,
            sys.executable,
            "-m",
            "tests.support.media_worker",
            str(self.directory),
            str(self.index),
            json.dumps(self.config),
            cwd=ROOT,
            env={"TEST_PROMPTS": kept_tones(), **self.environment},
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert await self.process.stdout.readline() == b"ready\n"

    async def kill(self) -> None:
        """-9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """As the supervisor does."""
        await self._end(signal.SIGTERM)

    async def __aenter__(self) -> "WorkerProcess":
        await self.start()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(how)
            await process.wait()


def vault_in(directory: Path) -> WorkerVault:
    """As `pbx.service` makes it."""
    line = Line(directory / "keyholder.sock")
    draw = secret
    if known := os.environ.get("TEST_BINDING"):  # of whoever signs in without a phone
        draw = lambda length: bytearray.fromhex(known)[:length]  # noqa: E731
    return WorkerVault(Vault(directory / "keyholder.pin", line, system_clock, draw))


def main() -> None:
    """The child."""
    directory, index, text = sys.argv[1:]
    config = msgspec.json.decode(text.encode(), type=MediaConfig)
    prompts, messages = os.environ.get("TEST_PROMPTS"), os.environ.get("TEST_MESSAGES")
    run(
        Path(directory),
        int(index),
        config,
        peers=frozenset({os.getuid()}),
        prompts=Path(prompts) if prompts else None,
        messages=Path(messages) / "messages" if messages else None,
        vault=vault_in(Path(messages)) if messages else None,
        ready=lambda: print("ready", flush=True),
        reloaded=lambda: print("reloaded", flush=True),
    )


if __name__ == "__main__":
    main()
