"""The process: one loop, one control socket, no long-lived key, no database."""

import gc
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Mapping
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
from media.worker.recorder import Studio
from media.worker.roster import Roster
from media.worker.server import Server
from media.worker.sounds import Sounds
from media.worker.srtp import Packet
from media.worker.vault import Vault

SOCKET_NAME = "control.sock"
SWITCH = 0.0005
"""Seconds that a thread which seals or decodes keeps the relay waiting for the interpreter."""
LOOK_FOR_ORPHANS = 10.0
"""Seconds."""


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
) -> None:
    """Serve one worker's slice of ports until SIGTERM; `peers` are the accounts that may ask.

    `messages` is the directory of sealed files, and `vault` seals and opens them. SIGHUP reads the
    prompts again, then `reloaded` is called. `watch` has descriptors of whoever started us and
    what to do when one is readable; what that raises ends the worker.
    """
    limits.raise_files(config)
    limits.forbid_dumps()
    loop = Loop()
    told: list[Server] = []

    def tell(event: MediaEvent) -> None:
        told[0].tell(event)

    sounds = Sounds(prompts)
    around = Surroundings(loop, Packet(), config, sounds, tell)
    run_id = secrets.token_hex(4)
    crossing = Crossing(loop)
    room: MessageRoom | None = None
    if messages is not None and vault is not None:
        files = MessageFiles(messages, config.messages_low, config.messages_reserve)
        studio = Studio(loop, crossing, files, vault, sounds, tell)
        room = MessageRoom(studio, lambda: told[0].later())
    roster = Roster(index, around, f"{run_id}-", room)

    def hello() -> Hello:
        return Hello(index, run_id, len(roster), roster.capacity)

    server = Server(loop, directory / SOCKET_NAME, peers, roster.act, hello)
    told.append(server)

    def look_for_orphans() -> None:
        if loop.now() - server.asked_at >= config.orphan_limit:
            roster.end_orphans()
        loop.at(loop.now() + LOOK_FOR_ORPHANS, look_for_orphans)

    def reload() -> None:
        sounds.reload()
        if reloaded is not None:
            reloaded()

    look_for_orphans()
    wakeup = _obey_signals(loop, reload if reloaded is not None else None)
    for descriptor, act in (watch or {}).items():
        loop.watch(descriptor, act)
    coder.warm()
    # Legs free themselves; a full collection among thousands of them would be an audible click.
    gc.collect()
    gc.freeze()
    gc.disable()
    ready()
    if room is not None:
        room.warm()
        sys.setswitchinterval(SWITCH)
    try:
        loop.run()
    finally:
        roster.close()
        if room is not None:
            room.close()
        server.close()
        crossing.close()
        loop.close()
        signal.set_wakeup_fd(-1)
        for end in wakeup:
            end.close()
        gc.enable()


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
