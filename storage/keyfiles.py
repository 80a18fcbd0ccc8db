"""Keys of the exchange's own: files in its credential directory, 32 bytes each.

That directory is on another volume than the database, so that a stolen database opens nothing.
"""

import os
from pathlib import Path

from storage.sealed import primitives

DEVICE_AUTH = "device-auth.key"
"""Seals the HA1s of phones and the directory's copy outside the database."""
GREETINGS = "greetings.key"
"""Seals the greetings of mailboxes: callers hear them while the key holder is away."""
SNAPSHOT = "call-snapshot.key"
"""Seals live calls while a media worker keeps them."""


class KeyFileError(Exception):
    """A key is missing or is not 32 bytes; names the file, no byte of it."""


def create(credentials: Path, name: str) -> None:
    """A new random key, readable by its owner alone; never over an existing one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(credentials / name, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(primitives.random(primitives.KEY))
        file.flush()
        os.fsync(file.fileno())


def load(credentials: Path, name: str) -> bytes:
    try:
        key = (credentials / name).read_bytes()
    except OSError:
        raise KeyFileError(f"{name}: missing or not readable") from None
    if len(key) != primitives.KEY:
        raise KeyFileError(f"{name}: exactly 32 bytes")
    return key


def load_or_create(credentials: Path, name: str) -> tuple[bytes, bool]:
    """The key, and whether it had to be made: a directory of an older version has none."""
    try:
        create(credentials, name)
    except FileExistsError:
        return load(credentials, name), False
    except OSError:
        raise KeyFileError(f"{name}: missing, and cannot be made") from None
    return load(credentials, name), True
