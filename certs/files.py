"""Files that are whole or absent: written aside, made durable, renamed into place.

Key material is 0600 from its first byte. When root writes into a service account's directory the
file is given to that account, so that a repair by hand never locks the service out.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECRET = 0o600
PUBLIC = 0o644


def write_atomically(path: Path, data: bytes, *, mode: int = SECRET) -> None:
    """Replace `path` by `data`; a reader sees the old file or the new one, never a part."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, SECRET)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            _give_to_owner_of(path.parent, file.fileno())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def make_directory(path: Path) -> None:
    """A private directory (0700), owned as its parent is."""
    if path.is_dir():
        return
    path.mkdir(mode=0o700)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def sync_directory(path: Path) -> None:
    """Make renames and removals in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def erase(path: Path) -> None:
    """Overwrite and remove a file; a flash disk or a snapshot may keep a copy all the same."""
    with open(path, "r+b", buffering=0) as file:
        file.write(bytes(path.stat().st_size))
        os.fsync(file.fileno())
    path.unlink()
    sync_directory(path.parent)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One writer at a time: the service renewing and a command revoking wait for each other."""
    path = directory / ".lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, SECRET)
    try:
        _give_to_owner_of(directory, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _give_to_owner_of(directory: Path, descriptor: int) -> None:
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
