"""Directories that other accounts may enter, for tests that run processes under several.

pytest's own `tmp_path` is 0700 from the root down, and long for a Unix socket's 107 bytes.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_path() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="pbx-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
