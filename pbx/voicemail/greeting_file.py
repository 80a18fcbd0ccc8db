"""The sealed copy of what callers hear, for a start without the database.

It lies in the exchange's credential directory, under a key made from the greetings key; the
recordings themselves are sealed files that need no database.
"""

from pathlib import Path
from uuid import UUID

import msgspec

from pbx import copies
from storage.greetings import Greeting, MailboxSetting
from storage.sealed import primitives

_CONTEXT = b"hipaa-pbx greeting copy v1"


class Kept(msgspec.Struct, frozen=True):
    """Everything that decides what a caller hears."""

    greetings: tuple[Greeting, ...] = ()
    settings: dict[UUID, MailboxSetting] = {}


class GreetingFile:
    """Replaced atomically."""

    def __init__(self, path: Path, greetings_key: primitives.Bytes) -> None:
        self._path = path
        self._key = primitives.hkdf(greetings_key, "greeting copy")

    def write(self, kept: Kept) -> None:
        """Raises OSError where it cannot be written; the old copy is whole then."""
        sealed = primitives.seal(self._key, msgspec.msgpack.encode(kept), _CONTEXT)
        copies.replace(self._path, sealed)

    def read(self) -> Kept:
        """Nothing where there is no copy; raises `OpenError` for one that was altered."""
        try:
            sealed = self._path.read_bytes()
        except FileNotFoundError:
            return Kept()
        opened = primitives.open_sealed(self._key, sealed, _CONTEXT)
        return msgspec.msgpack.decode(opened, type=Kept)
