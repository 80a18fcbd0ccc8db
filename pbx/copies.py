"""Copies on disk of what the exchange must know at a start without what they were made from."""

import os
from pathlib import Path


def replace(path: Path, data: bytes) -> None:
    """Whole, durable, private; raises OSError, and the old copy is whole then."""
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
