"""Files that are whole or absent: written aside, made durable, renamed into place.

Key material is 0600 from its first byte. When root writes into a service account's directory it
does so as that account: the file is the account's, and a planted link leads root nowhere.
"""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from certs.errors import CertsError
from certs.owner import acting_as_owner_of

SECRET = 0o600
PUBLIC = 0o644


def write_atomically(path: Path, data: bytes, *, mode: int = SECRET) -> None:
    """Replace `path` by `data`; a reader sees the old file or the new one, never a part."""
    with acting_as_owner_of(path.parent):
        _write(path, data, mode)


def _write(path: Path, data: bytes, mode: int) -> None:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, SECRET)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
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
    with acting_as_owner_of(path.parent):
        if not path.is_dir():
            path.mkdir(mode=0o700)


def sync_directory(path: Path) -> None:
    """Make renames and removals in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def erase(path: Path) -> None:
    """Overwrite and remove a file; a flash disk or a snapshot may keep a copy all the same."""
    with acting_as_owner_of(path.parent):
        descriptor = _open_ours(path, os.O_WRONLY)
        with open(descriptor, "wb", buffering=0) as file:
            file.write(bytes(os.fstat(descriptor).st_size))
            os.fsync(descriptor)
        path.unlink()
        sync_directory(path.parent)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One writer at a time: the service renewing and a command revoking wait for each other."""
    with acting_as_owner_of(directory):
        descriptor = _open_ours(directory / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open_ours(path: Path, flags: int) -> int:
    """A plain file with one name, ours: no link, no pipe, nobody else's."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, SECRET)
    except OSError:
        raise CertsError(f"{path} cannot be opened as a file of its own; remove it.") from None
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == os.geteuid():
        return descriptor
    os.close(descriptor)
    raise CertsError(f"{path} is not a plain file of the directory's owner; remove it.")
