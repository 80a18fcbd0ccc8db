"""A slow, full or deadly disk for a real process: a small library loaded before libc."""

import atexit
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

SOURCE = Path(__file__).with_suffix(".c")


@cache
def library() -> Path:
    """Compiled once for each run of the tests."""
    directory = Path(mkdtemp(prefix="pbx-disk-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    made = directory / "disk.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return made


def heard(file: Path) -> int:
    """Voice packets that a process with DISK_HEARD has received, whatever became of it."""
    return int.from_bytes(file.read_bytes()[:4], sys.byteorder) if file.exists() else 0


def environment(**settings: int) -> dict[str, str]:
    """`delay_ms=100`, `kill_at=7`, `kill_after=1`, `full_at=3`."""
    named = {f"DISK_{name.upper()}": str(value) for name, value in settings.items()}
    return {**os.environ, **named, "LD_PRELOAD": str(library())}
