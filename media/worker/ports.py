"""A worker's UDP ports: pairs of an even one for RTP and the odd one above it for RTCP."""

import errno
import random
import secrets
import socket
from collections import deque
from collections.abc import Iterable

from media.errors import MediaFull, Misuse

BUSY = frozenset({errno.EADDRINUSE, errno.EACCES})


class Ports:
    """The free pairs. The one unused for longest goes first, so that stragglers of an ended call
    do not meet the next one; the first round is in random order."""

    def __init__(self, even_ports: Iterable[int]) -> None:
        free = list(even_ports)
        random.Random(secrets.randbits(64)).shuffle(free)  # noqa: S311 - order, not secrecy
        self._free = deque(free)

    def __len__(self) -> int:
        return len(self._free)

    def take(self, local: str) -> tuple[socket.socket, socket.socket]:
        """Bind a pair to a local address."""
        for _ in range(len(self._free)):
            port = self._free.popleft()
            try:
                return _pair(local, port)
            except OSError as refusal:
                self._free.append(port)
                if refusal.errno not in BUSY:
                    raise Misuse("the local address of the flow cannot be bound") from None
        raise MediaFull("no port pair is free")

    def give_back(self, port: int) -> None:
        """The even port of a pair that was closed."""
        self._free.append(port)


def _pair(local: str, port: int) -> tuple[socket.socket, socket.socket]:
    rtp = _bound(local, port)
    try:
        return rtp, _bound(local, port + 1)
    except OSError:
        rtp.close()
        raise


def _bound(local: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.bind((local, port))
    except OSError:
        opened.close()
        raise
    return opened
