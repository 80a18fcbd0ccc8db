"""Bodies about policy values, exceptions, history and keys."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from pbx.admin.wire.fields import Moment, Reason, Sealed, Version
from storage.exceptions import ExceptionKind


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    meaning: str
    value: int
    default: int
    least: int
    most: int
    until: int | None
    version: int


class PolicyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Version
    value: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    until: Moment | None = None
    proof: Sealed


class ExceptionView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    kind: str
    subject: UUID
    owner: UUID
    reason: str
    granted_at: int
    expires_at: int
    closed_at: int | None


class NewException(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UUID
    kind: ExceptionKind
    subject: UUID
    owner: UUID
    reason: Reason
    expires_at: Moment


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    operation: UUID
    occurred_at: int
    action: str
    outcome: str
    actor_kind: str
    actor: UUID | None
    before: Any
    after: Any


class KeysView(msgspec.Struct, frozen=True, kw_only=True):
    state: str
    keystore: str
    generation: int
    journal: int
    last_backup: int | None
    recovery: str
    same_device: bool
    same_account: bool
    root_beside: bool
    memory: str
    """Whether the key holder's memory is locked, in words."""
    alarms: list[str]


class Backup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    directory: Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"^/[^\x00]*$")]
    force: bool = False
    proof: Sealed


class Recovery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two passphrases, or shares for named holders of whom `threshold` are needed."""

    threshold: Annotated[int, Meta(ge=0, le=16)] = 0
    holders: Annotated[list[UUID], Meta(max_length=16)] = msgspec.field(default_factory=list)
    proof: Sealed
