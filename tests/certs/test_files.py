"""Files of a directory that another account owns: root is not led out of it by a link."""

import os
from pathlib import Path

import pytest

from certs.errors import CertsError
from certs.files import erase, locked, make_directory, write_atomically

OTHER = 54321
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A directory of another account (when root), which it can reach."""
    for directory in (tmp_path, *tmp_path.parents):
        if os.geteuid() == 0 and directory.stat().st_uid == 0:
            directory.chmod(directory.stat().st_mode | 0o011)
    directory = tmp_path / "theirs"
    directory.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(directory, OTHER, OTHER)
    return directory


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    file = tmp_path / "precious"
    file.write_text("root's own")
    file.chmod(0o600)
    return file


def is_untouched(file: Path) -> bool:
    return file.read_text() == "root's own" and file.stat().st_uid == os.geteuid()


def test_a_lock_that_is_a_link_is_refused_and_gives_nothing_away(
    theirs: Path, precious: Path
) -> None:
    (theirs / ".lock").symlink_to(precious)
    with pytest.raises(CertsError, match="remove it"), locked(theirs):
        pytest.fail("locked through a link")
    assert is_untouched(precious)


def test_a_lock_that_is_a_link_to_nothing_makes_nothing(theirs: Path, tmp_path: Path) -> None:
    (theirs / ".lock").symlink_to(tmp_path / "made")
    with pytest.raises(CertsError), locked(theirs):
        pytest.fail("locked through a link")
    assert not (tmp_path / "made").exists()


def test_a_lock_that_is_a_second_name_is_refused(theirs: Path, precious: Path) -> None:
    os.link(precious, theirs / ".lock")
    with pytest.raises(CertsError), locked(theirs):
        pytest.fail("locked through a second name")
    assert is_untouched(precious)


def test_a_lock_that_is_a_pipe_is_refused_without_waiting(theirs: Path) -> None:
    os.mkfifo(theirs / ".lock")
    with pytest.raises(CertsError), locked(theirs):
        pytest.fail("locked a pipe")


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_nothing_is_erased_through_a_link(theirs: Path, precious: Path, plant) -> None:
    plant(precious, theirs / "root.key")
    with pytest.raises(CertsError):
        erase(theirs / "root.key")
    assert is_untouched(precious)


@AS_ROOT
def test_what_root_writes_is_the_owners(theirs: Path) -> None:
    with locked(theirs):
        write_atomically(theirs / "server.pem", b"x")
        make_directory(theirs / "issued")
    assert {entry.stat().st_uid for entry in theirs.iterdir()} == {OTHER}
    assert {entry.name for entry in theirs.iterdir()} == {".lock", "server.pem", "issued"}
    erase(theirs / "server.pem")
    assert os.geteuid() == 0


@AS_ROOT
def test_a_directory_that_became_a_link_is_not_written_as_root(
    theirs: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir(mode=0o755)
    (theirs / "certificates").symlink_to(elsewhere)
    with pytest.raises(PermissionError):
        write_atomically(theirs / "certificates" / "ca.pem", b"x")
    assert not list(elsewhere.iterdir())
