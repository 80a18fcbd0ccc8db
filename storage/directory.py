"""The directory key: it seals names, numbers and free text of staff, extensions and phones.

It lives in the exchange's credential directory, on another volume than the database
(a stolen database opens no name), and is made once, by `pbx init`.
"""

import os
from pathlib import Path

from storage.sealed import primitives
from storage.sealed.fields import FieldKey

DIRECTORY_KEY = "directory.key"


class DirectoryKeyError(Exception):
    """The directory key is missing or is not 32 bytes; names no byte of it."""


def create(credentials: Path) -> None:
    """A new random key, readable by its owner alone; never over an existing one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(credentials / DIRECTORY_KEY, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(primitives.random(primitives.KEY))
        file.flush()
        os.fsync(file.fileno())


def load(credentials: Path) -> FieldKey:
    try:
        key = (credentials / DIRECTORY_KEY).read_bytes()
    except OSError:
        raise DirectoryKeyError("directory key: missing or not readable") from None
    if len(key) != primitives.KEY:
        raise DirectoryKeyError("directory key: exactly 32 bytes")
    return FieldKey(key, "directory")
