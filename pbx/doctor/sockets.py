"""Nobody listens but who should: every socket of our processes, as the kernel lists them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pbx.doctor.finding import Broken, CannotTell, Finding, judged

LISTEN, UNCONNECTED = "0A", "07"
LOCAL = ("0100007F", "00000000000000000000000001000000")
"""127.0.0.1 and ::1, as /proc/net writes them."""


@dataclass(frozen=True, slots=True)
class Open:
    """A socket that takes what comes."""

    kind: str
    port: int
    is_local: bool
    inode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What may be open."""

    tls: frozenset[int]
    """Phones, and the management address where there is one."""
    media: range
    local: frozenset[int] = frozenset()
    """Ports for this machine alone: metrics."""

    def allows(self, found: Open) -> bool:
        if found.kind == "tcp":
            return found.port in self.tls or (found.is_local and found.port in self.local)
        return found.port in self.media


def findings(pids: Sequence[int] | None, known: Known) -> Iterator[Finding]:
    promise = "only the known sockets are open"
    yield judged(promise, partial(only_known, pids, known))


def only_known(pids: Sequence[int] | None, known: Known) -> str:
    if not pids:
        raise CannotTell("the exchange is not running")
    owned = {inode for pid in pids for inode in _inodes(pid)}
    found = [socket for socket in sockets(pids[0]) if socket.inode in owned]
    strange = sorted({f"{one.kind} {one.port}" for one in found if not known.allows(one)})
    if strange:
        raise Broken(f"not known: {', '.join(strange)}")
    tcp = sorted({socket.port for socket in found if socket.kind == "tcp"})
    udp = sum(socket.kind == "udp" for socket in found)
    return f"TCP {', '.join(map(str, tcp)) or 'none'}; {udp} UDP, all for media"


def sockets(pid: int) -> Iterator[Open]:
    """Listening TCP and unconnected UDP of the network that a process lives in."""
    for name, wanted in (("tcp", LISTEN), ("udp", UNCONNECTED)):
        for file in (Path(f"/proc/{pid}/net/{name}"), Path(f"/proc/{pid}/net/{name}6")):
            with contextlib.suppress(FileNotFoundError):
                for line in file.read_text().splitlines()[1:]:
                    words = line.split()
                    host, port = words[1].split(":")
                    if words[3] == wanted:
                        yield Open(name, int(port, 16), host in LOCAL, words[9])


def _inodes(pid: int) -> Iterator[str]:
    directory = f"/proc/{pid}/fd"
    try:
        names = os.listdir(directory)
    except PermissionError:
        raise CannotTell("needs root, to see the sockets of other accounts") from None
    except FileNotFoundError:
        raise CannotTell("a process ended meanwhile; try again") from None
    for name in names:
        with contextlib.suppress(OSError):
            link = os.readlink(f"{directory}/{name}")
            if link.startswith("socket:["):
                yield link[len("socket:[") : -1]
