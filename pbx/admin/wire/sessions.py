"""Bodies about signing in, one's own factors, and sessions."""

from uuid import UUID

import msgspec

from pbx.admin.wire.fields import Label, Login, Sealed


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """The key holder's challenge with its signed key, as MessagePack."""

    message: bytes


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Password and second factor are in the proof, readable by the key holder alone."""

    login: Login
    proof: Sealed


class NewSecurityKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UUID
    label: Label
    proof: Sealed


class SecurityKeyView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    label: str
    added: int


class PinChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    extensions: list[Label] = msgspec.field(default_factory=list)
    proof: Sealed


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something the owner of an account is told at sign-in."""

    kind: str
    at: int


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A session; the token is for the terminal that asked and nobody else."""

    token: str
    session: UUID
    person: UUID
    roles: list[str]
    idle_seconds: int
    ends_at: int
    displaced: int
    """Older sessions that had to give way."""
    notices: list[Notice]


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    person: UUID
    login: str
    name: str
    session: UUID
    roles: list[str]
    may: list[str]


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    person: UUID
    os_uid: int
    certificate: str
    """Serial number of the operator's certificate it was opened with, if it was."""
    started_at: int
    seen_at: int
    is_this: bool
