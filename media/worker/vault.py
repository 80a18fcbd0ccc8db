"""What recording and playing need of sealed files; `pbx.service` gives it, nobody here has a key.

Everything here may block and is called from threads, never from the relay's loop. What cannot be
done raises `MessageRefused` with its fault.
"""

from collections.abc import Mapping
from typing import Protocol

from media.recordings import (
    Asker,
    AudioCodec,
    Deposit,
    Greeting,
    Interrupted,
    Ticketed,
    Whole,
)

By = bytearray | Asker
"""Who vouches for an opening: the leg where somebody signed in (its binding), or their command."""

SEGMENT_MS = 500
"""Of audio in each segment of a file but the last, which may be shorter."""
SPACE = 1 << 17
"""Octets that hold any segment of audio while it is opened."""


class Opened(Protocol):
    """A file that is what its ledger row says."""

    @property
    def codec(self) -> AudioCodec: ...

    @property
    def started(self) -> int: ...

    @property
    def milliseconds(self) -> int: ...

    def __len__(self) -> int:
        """In segments."""

    def open(self, number: int, space: bytearray) -> int:
        """A segment's audio into the space, which the caller wipes; how many octets it has."""

    def forget(self) -> None:
        """The key is gone."""


class Sealed(Protocol):
    """A file about to be written."""

    @property
    def head(self) -> bytes: ...

    @property
    def slot(self) -> bytes: ...

    def segment(self, audio: bytearray, milliseconds: int, *, last: bool = False) -> bytes:
        """The next octets of the file."""

    def reread(self, data: bytes, expect: Whole | Interrupted) -> Opened:
        """What was just sealed, for a review."""

    def forget(self) -> None:
        """The key is gone."""


class Counted(Protocol):
    """What is known of a file without its key."""

    @property
    def codec(self) -> AudioCodec: ...

    @property
    def started(self) -> int: ...

    @property
    def segments(self) -> int: ...

    @property
    def digest(self) -> bytes: ...

    @property
    def size(self) -> int:
        """Of what is whole: whatever stands behind it was torn."""

    @property
    def milliseconds(self) -> int: ...

    @property
    def is_complete(self) -> bool: ...


class Vault(Protocol):
    """Seals to public keys, opens on tickets, proves what was typed."""

    def seal(self, to: Deposit | Asker | Greeting, codec: AudioCodec, started: int) -> Sealed: ...

    def open(
        self, data: bytes, opening: Ticketed | Greeting, expect: Whole | Interrupted, by: By
    ) -> Opened: ...

    def count(self, data: bytes) -> Counted: ...

    def binding(self) -> bytearray:
        """A new secret, which one leg vouches with once somebody has signed in there."""

    def prove(
        self, act: bytes, session: bytes, secrets: Mapping[str, bytearray], binding: bytearray
    ) -> bytes: ...
