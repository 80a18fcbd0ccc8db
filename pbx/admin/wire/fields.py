"""The bounded types every body is made of; a value outside them is answered 400."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

Moment = Annotated[int, Meta(ge=0, le=2**53, description="Microseconds since 1970, UTC")]
Version = Annotated[int, Meta(ge=0, le=2**31 - 1, description="The version that was read")]
PersonName = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Login = Annotated[str, Meta(min_length=2, max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]+$")]
Reason = Annotated[str, Meta(min_length=3, max_length=500, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$")]
Number = Annotated[str, Meta(min_length=1, max_length=20, pattern=r"^[0-9*#]+$")]
Label = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Sealed = Annotated[bytes, Meta(max_length=16_384, description="Sealed to the key holder")]


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A change was made; `operation` names its rows in the ledger."""

    operation: UUID


class Performed(msgspec.Struct, frozen=True, kw_only=True):
    """An act of the key holder: carried out, or waiting for a second person."""

    operation: UUID
    answer: bytes = b""
    """Sealed to whoever asked."""
    proposal: UUID | None = None
    digest: bytes = b""
    until: int | None = None
    by_installation: bool = False
    """Nobody could approve it yet: made by `installation` alone, and flagged."""


class Proved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing but a proof for the act that the path names."""

    proof: Sealed
