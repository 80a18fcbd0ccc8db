"""Bodies about break-glass."""

from uuid import UUID

import msgspec

from pbx.admin.wire.fields import Reason, Sealed
from storage.keyholder.signing import SignedStatement


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """The one open mailbox that somebody's words mean."""

    mailbox: UUID
    owner: str
    """Log-in name as the key holder has it; empty for a shared mailbox."""


class Breaking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    mailbox: UUID
    reason: Reason
    proof: Sealed


class Mending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    person: UUID
    proof: Sealed


class GlassView(msgspec.Struct, frozen=True, kw_only=True):
    """What is open now, or waits for the second person."""

    mailbox: UUID
    owner: str
    person: UUID
    login: str
    state: str
    """open, or waiting."""
    until: int
    proposal: UUID | None = None
    statement: SignedStatement | None = None
    """For whoever approves: the key holder's own words."""
