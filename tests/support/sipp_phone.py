"""SIPp behind stunnel: it speaks TCP, stunnel puts TLS around it, as many phones as wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.baresip import free_port

SCENARIOS = Path(__file__).with_name("sipp")


@dataclass
class Tunnel:
    """`async with Tunnel(folder, target port) as tunnel:`; `tunnel.port` takes TCP."""

    folder: Path
    target: int
    ca_file: Path
    name: str
    port: int = 0
    _process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Tunnel:
        self.port = free_port()
        config = self.folder / f"stunnel-{self.port}.conf"
        config.write_text(
            f"foreground = yes\npid =\n[sip]\nclient = yes\naccept = 127.0.0.1:{self.port}\n"
            f"connect = 127.0.0.1:{self.target}\nverifyChain = yes\nCAfile = {self.ca_file}\n"
            f"checkHost = {self.name}\nsni = {self.name}\n"
        )
        self._process = await asyncio.create_subprocess_exec(
            "stunnel4", str(config), stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stderr
        async with asyncio.timeout(60):
            while b"Configuration successful" not in await self._process.stderr.readline():
                assert self._process.returncode is None, "stunnel ended"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process
        self._process.terminate()
        await self._process.communicate()


class Sipp:
    """One SIPp process."""

    def __init__(self, folder: Path, tunnel: Tunnel) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._tunnel = folder, tunnel
        self._process: asyncio.subprocess.Process | None = None

    def inject(self, rows: Sequence[Sequence[str]]) -> Path:
        """username, secret and whatever else; the fields of a scenario."""
        file = self._folder / "phones.csv"
        lines = [
            ";".join((name, f"[authentication username={name} password={secret}]", *more))
            for name, secret, *more in rows
        ]
        file.write_text("\n".join(["SEQUENTIAL", *lines]) + "\n")
        return file

    async def start(self, scenario: str, rows: Sequence[Sequence[str]], *more: str) -> None:
        command = [
            "sipp", f"127.0.0.1:{self._tunnel.port}", "-sf", str(SCENARIOS / f"{scenario}.xml"),
            "-inf", str(self.inject(rows)), "-t", "t1", "-i", "127.0.0.1", "-nostdin",
            "-s", self._tunnel.name, "-auth_uri", self._called(scenario, rows),
            "-trace_err", "-error_file", str(self._folder / "errors"),
            *more,
        ]  # fmt: skip
        with (self._folder / "screen").open("wb") as screen:
            self._process = await asyncio.create_subprocess_exec(
                *command, cwd=self._folder, stdout=screen, stderr=screen,
                stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip

    def _called(self, scenario: str, rows: Sequence[Sequence[str]]) -> str:
        """The Request-URI; by itself SIPp would prove another."""
        name = self._tunnel.name
        return f"{rows[0][2]}@{name}" if scenario == "caller" else name

    async def finished(self, seconds: float = 60) -> int:
        """SIPp's exit code: 0 when every call of its own went well."""
        assert self._process
        async with asyncio.timeout(seconds):
            return await self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()

    @property
    def said(self) -> str:
        errors = self._folder / "errors"
        text = errors.read_text(errors="replace") if errors.exists() else ""
        return text[-3000:] + (self._folder / "screen").read_text(errors="replace")[-1500:]
