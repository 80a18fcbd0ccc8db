"""The directory key: it seals names, numbers and free text of staff, extensions and phones."""

from pathlib import Path

from storage import keyfiles
from storage.sealed.fields import FieldKey

DIRECTORY_KEY = "directory.key"


def create(credentials: Path) -> None:
    """A new random key; made once, by `pbx init`."""
    keyfiles.create(credentials, DIRECTORY_KEY)


def load(credentials: Path) -> FieldKey:
    """Raises `KeyFileError`."""
    return FieldKey(keyfiles.load(credentials, DIRECTORY_KEY), "directory")
