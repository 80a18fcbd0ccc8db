"""Directories that other accounts may enter, for tests that run processes under several.

pytest's own `tmp_path` is 0700 from the root down, and long for a Unix socket's 107 bytes. They
lie in memory where there is plenty: most tests wait for the disk more than they work.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there has a name that is drawn
PLENTY = 2 << 30


def roomy() -> Path | None:
    """Where files are kept in memory, if that is as good as a disk; else pytest's choice."""
    try:
        there = os.statvfs(MEMORY)
    except OSError:
        return None
    is_plain = not there.f_flag & (os.ST_NOEXEC | os.ST_RDONLY)
    has_room = there.f_bavail * there.f_frsize > PLENTY
    return MEMORY if is_plain and has_room and os.access(MEMORY, os.W_OK) else None


@pytest.fixture
def open_path() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="pbx-", dir=roomy()))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
