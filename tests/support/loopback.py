"""A network of a test's own: a namespace with nothing in it but a loopback.

What another test sends meanwhile is not seen here, so a capture judges this test alone. It holds
for the calling thread and for what it starts from then on.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000


@contextmanager
def private_loopback() -> Iterator[None]:
    """Needs root; leaves the thread where it was."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _succeeded(libc.unshare(CLONE_NEWNET))
        try:
            subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
            yield
        finally:
            _succeeded(libc.setns(before, CLONE_NEWNET))
    finally:
        os.close(before)


def _succeeded(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
