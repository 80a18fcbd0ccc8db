"""The process: one loop, one control socket, no long-lived key, no database."""

import gc
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from media.config import MediaConfig
from media.control import Hello
from media.values import MediaEvent
from media.worker import limits
from media.worker.codecs import coder
from media.worker.crossing import Crossing
from media.worker.leg import Surroundings
from media.worker.loop import Loop
from media.worker.message_files import MessageFiles
from media.worker.message_room import MessageRoom
from media.worker.orphans import Orphans
from media.worker.recorder import Studio
from media.worker.roster import Roster
from media.worker.server import Server
from media.worker.sounds import Sounds
from media.worker.srtp import Packet
from media.worker.vault import Vault

SOCKET_NAME = "control.sock"
SWITCH = 0.0005
"""Seconds that a thread which seals or decodes keeps the relay waiting for the interpreter."""


def run(
    directory: Path,
    index: int,
    config: MediaConfig,
    *,
    peers: frozenset[int],
    prompts: Path | None = None,
    messages: Path | None = None,
    vault: Vault | None = None,
    ready: Callable[[], None] = lambda: None,
    reloaded: Callable[[], None] | None = None,
    watch: Mapping[int, Callable[[], None]] | None = None,
    beat: tuple[float, Callable[[], None]] | None = None,
) -> None:
    """Serve one worker's slice of ports until SIGTERM; `peers` are the accounts that may ask.

    `messages` is the directory of sealed files, and `vault` seals and opens them. SIGHUP reads the
    prompts again, then `reloaded` is called. `watch` has descriptors of whoever started us and
    what to do when one is readable; what that raises ends the worker. `beat` is called every so
    many seconds by the loop that relays.
    """
    limits.raise_files(config)
    limits.forbid_dumps()
    parts = _made(directory, index, config, peers, prompts, _secrecy(messages, vault))
    loop = parts.loop

    def reload() -> None:
        parts.sounds.reload()
        if reloaded is not None:
            reloaded()

    server, roster = parts.server, parts.roster
    Orphans(loop, lambda: server.asked_at, config.orphan_limit, roster.end_orphans)
    wakeup = _obey_signals(loop, reload if reloaded is not None else None)
    for descriptor, act in (watch or {}).items():
        loop.watch(descriptor, act)
    coder.warm()
    _settle_memory()
    ready()
    if beat is not None:
        _keep_beating(loop, *beat)
    if parts.room is not None:
        parts.room.warm()
        sys.setswitchinterval(SWITCH)
    try:
        loop.run()
    finally:
        parts.close()
        signal.set_wakeup_fd(-1)
        for end in wakeup:
            end.close()
        gc.enable()


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker consists of."""

    loop: Loop
    sounds: Sounds
    crossing: Crossing
    room: MessageRoom | None
    roster: Roster
    server: Server

    def close(self) -> None:
        self.roster.close()
        if self.room is not None:
            self.room.close()
        self.server.close()
        self.crossing.close()
        self.loop.close()


def _secrecy(messages: Path | None, vault: Vault | None) -> tuple[Path, Vault] | None:
    """Nothing is recorded or played where either is missing."""
    return None if messages is None or vault is None else (messages, vault)


def _made(
    directory: Path,
    index: int,
    config: MediaConfig,
    peers: frozenset[int],
    prompts: Path | None,
    secrecy: tuple[Path, Vault] | None,
) -> Parts:
    loop = Loop()
    crossing = Crossing(loop)
    told: list[Server] = []

    def tell(event: MediaEvent) -> None:
        told[0].tell(event)

    sounds = Sounds(prompts)
    room: MessageRoom | None = None
    if secrecy is not None:
        messages, vault = secrecy
        files = MessageFiles(messages, config.messages_low, config.messages_reserve)
        studio = Studio(loop, crossing, files, vault, sounds, tell)
        room = MessageRoom(studio, lambda: told[0].later())
    run_id = secrets.token_hex(4)
    around = Surroundings(loop, Packet(), config, sounds, tell)
    roster = Roster(index, around, f"{run_id}-", room)

    def hello() -> Hello:
        return Hello(index, run_id, len(roster), roster.capacity)

    told.append(Server(loop, directory / SOCKET_NAME, peers, roster.act, hello))
    return Parts(loop, sounds, crossing, room, roster, told[0])


def _keep_beating(loop: Loop, every: float, beat: Callable[[], None]) -> None:
    beat()
    loop.at(loop.now() + every, lambda: _keep_beating(loop, every, beat))


def _settle_memory() -> None:
    """Legs free themselves; a full collection among thousands of them would be an audible click."""
    gc.collect()
    gc.freeze()
    gc.disable()


def _obey_signals(
    loop: Loop, reload: Callable[[], None] | None
) -> tuple[socket.socket, socket.socket]:
    """A signal becomes a readable socket: it is obeyed between two packets."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def woken() -> None:
        signals = reader.recv(64)
        if signal.SIGTERM in signals or signal.SIGINT in signals:
            loop.stop()
        elif signal.SIGHUP in signals and reload is not None:
            reload()

    for number in (signal.SIGTERM, signal.SIGINT, *((signal.SIGHUP,) if reload else ())):
        signal.signal(number, lambda *_: None)
    loop.watch(reader.fileno(), woken)
    return reader, writer
