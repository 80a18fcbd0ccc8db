"""A disk that is full on demand: a small tmpfs for root, else a limit on file sizes."""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

MEGABYTES = 16


class Disk(Protocol):
    """Where to put things, and how to run out of space."""

    path: Path

    def fill(self) -> None: ...

    def free(self) -> None: ...


class SmallDisk:
    """A file system of its own; a filler takes every last block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def leave(self, mebibytes: float) -> None:
        """Take all but so much."""
        found = os.statvfs(self.path)
        size = found.f_bavail * found.f_frsize - int(mebibytes * (1 << 20))
        with self._filler.open("ab") as file:
            file.write(bytes(max(size, 0)))

    def fill(self) -> None:
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            for size in (1 << 16, 512, 1):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def free(self) -> None:
        self._filler.unlink()


class LimitedFiles:
    """Without root: no file of this process may grow beyond its size now (EFBIG)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        size = max(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, self._before[1]))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@contextmanager
def disk(path: Path, megabytes: int = MEGABYTES) -> Iterator[Disk]:
    if os.getuid() != 0:
        limited = LimitedFiles(path)
        try:
            yield limited
        finally:
            limited.free()
        return
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(path)]
    subprocess.run(mount, check=True)
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
