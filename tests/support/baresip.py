"""A real phone for tests: Debian's baresip over TLS, driven through its ctrl_tcp module."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

Event = dict[str, Any]

CONFIG = """\
poll_method epoll
sip_listen {listen}:0
sip_certificate {certificate}
sip_trans_def tls
audio_player aubridge,nowhere
audio_source ausine,{tone}
audio_alert ausine,{tone}
ausrc_srate 48000
ausrc_channels 2
auplay_channels 1
rtp_ports {rtp}
rtcp_mux {rtcp_mux}
jitter_buffer_delay 5-10
module_path /usr/lib/baresip/modules
module_app account.so
module_app contact.so
module_app menu.so
module_app mwi.so
module ausine.so
module aubridge.so
module sndfile.so
snd_path {folder}
{codecs}
module srtp.so
module dtls_srtp.so
module stun.so
module ice.so
module uuid.so
module ctrl_tcp.so
ctrl_tcp_listen {control}
call_max_calls 4
net_interface {interface}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class BaresipPhone:
    """One baresip process with one account; `events` keeps all it said."""

    def __init__(
        self,
        folder: Path,
        *,
        user: str,
        domain: str,
        host: str,
        port: int,
        username: str,
        password: str,
        answer: str = "auto",
        mediaenc: str = "srtp-mand",
        medianat: str = "",
        tone_hz: int = 700,
        codecs: tuple[str, ...] = ("g711", "g722"),
        rtcp_mux: bool = False,
        certificate: Path | None = None,
        bind: str = "127.0.0.1",
        register_interval: int = 300,
        mwi: bool = False,
        sip_trace: bool = False,
        sipnat: str = "",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._flags = ["-v", "-s"] if sip_trace else ["-v"]
        self.folder, self.codecs = folder, codecs
        self._control = free_port()
        rtp = 20_000 + free_port() % 20_000 // 20 * 20
        (folder / "config").write_text(
            CONFIG.format(
                bind=bind,
                listen=f"[{bind}]" if ":" in bind else bind,
                certificate=certificate or "",
                folder=folder,
                tone=tone_hz,
                rtp=f"{rtp}-{rtp + 18}",
                rtcp_mux="yes" if rtcp_mux else "no",
                codecs="\n".join(f"module {codec}.so" for codec in codecs),
                control=f"127.0.0.1:{self._control}",
                interface=bind,
            )
        )
        lamp, names = "yes" if mwi else "no", ",".join(self._names(codecs))
        (folder / "accounts").write_text(
            f"<sip:{user}@{domain};transport=tls>;auth_user={username};auth_pass={password}"
            f';outbound="sip:{host}:{port};transport=tls";answermode={answer};mediaenc={mediaenc}'
            f"{f';medianat={medianat}' if medianat else ''}"
            f";regint={register_interval};mwi={lamp};audio_codecs={names}"
            + (f";sipnat={sipnat}\n" if sipnat else "\n")
        )
        (folder / "contacts").write_text("")
        self.events: list[Event] = []
        self._seen: dict[str, int] = {}
        self._news = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    @staticmethod
    def _names(codecs: tuple[str, ...]) -> list[str]:
        names = {"g711": ["pcmu", "pcma"], "g722": ["g722/16000/1"], "opus": ["opus/48000/2"]}
        return [name for codec in codecs for name in names[codec]]

    async def __aenter__(self) -> BaresipPhone:
        with (self.folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                "baresip",
                "-f",
                str(self.folder),
                *self._flags,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        reader, self._writer = await self._connect()
        self._reader = asyncio.create_task(self._read(reader))
        return self

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(60):
            while True:
                try:
                    return await asyncio.open_connection("127.0.0.1", self._control)
                except ConnectionRefusedError:
                    assert self._process and self._process.returncode is None, self.log()
                    await asyncio.sleep(0)

    async def __aexit__(self, *_: object) -> None:
        assert self._process and self._reader and self._writer
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._writer.close()
        await self._reader

    def kill(self) -> None:
        """The phone vanishes without a word."""
        assert self._process
        self._process.kill()

    @property
    def heard(self) -> Path:
        """What the phone decoded, as its sndfile module writes it."""
        return next(iter(sorted(self.folder.glob("dump-*-dec.wav"))), self.folder / "not-yet.wav")

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def do(self, command: str, params: str = "") -> None:
        """Commands of the menu module: dial, accept, hangup, hold, resume, sndcode, …"""
        assert self._writer
        text = json.dumps({"command": command, "params": params, "token": command})
        self._writer.write(f"{len(text)}:{text},".encode())

    async def wait(
        self,
        kind: str,
        matches: Callable[[Event], bool] = lambda _: True,
        *,
        seconds: float = 60.0,
    ) -> Event:
        """The next event of this type (REGISTER_OK, CALL_INCOMING, CALL_ESTABLISHED, …)."""

        def position() -> int | None:
            for index in range(self._seen.get(kind, 0), len(self.events)):
                if self.events[index].get("type") == kind and matches(self.events[index]):
                    return index
            return None

        async def found() -> Event:
            async with self._news:
                while (index := position()) is None:
                    await self._news.wait()
                self._seen[kind] = index + 1
                return self.events[index]

        try:
            return await asyncio.wait_for(found(), seconds)
        except TimeoutError:
            said = [event.get("type") for event in self.events]
            raise AssertionError(f"no {kind} in {seconds} s: {said}\n{self.log()}") from None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                size = int((await reader.readuntil(b":"))[:-1])
                text = await reader.readexactly(size + 1)
                async with self._news:
                    self.events.append(json.loads(text[:-1]))
                    self._news.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
