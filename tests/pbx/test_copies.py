"""A copy is private and whole: the old one, or the new one."""

from pathlib import Path
from stat import S_IMODE

import pytest

from pbx import copies


def test_the_new_copy_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "directory.sealed"
    copies.replace(path, b"old")

    copies.replace(path, b"new")

    assert path.read_bytes() == b"new"
    assert S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "directory.sealed"
    copies.replace(path, b"old")
    path.with_suffix(".new").mkdir()

    with pytest.raises(OSError, match="directory"):
        copies.replace(path, b"new")

    assert path.read_bytes() == b"old"
