"""Bodies about ring groups."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pbx.admin.wire.fields import Label, Moment, Number, Version
from storage.groups import Strategy

GroupName = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Short enough for a phone's display, with the caller behind it."""
RingSeconds = Annotated[int, Meta(ge=5, le=170, description="How long all ring, or each of them")]
Delay = Annotated[int, Meta(ge=0, le=120, description="Seconds before this member rings")]


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    extension: UUID | None
    person: UUID | None
    number: str | None
    """Of the extension, or None for a person."""
    delay: int
    until: int | None


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    number: str
    name: str
    strategy: str
    members: list[MemberView]
    ring_seconds: int
    mailbox: UUID | None
    onward: str | None
    """The number that rings when nobody answers."""
    until: int | None
    version: int


class NewGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UUID
    number: Number
    name: GroupName
    strategy: Strategy = Strategy.ALL
    ring_seconds: RingSeconds = 20
    mailbox: Label | None = None
    """A shared mailbox's label, or an extension, whose holder's it is."""
    onward: Number | None = None
    until: Moment | None = None


class GroupChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays; None takes it away."""

    version: Version
    name: GroupName | UnsetType = UNSET
    strategy: Strategy | UnsetType = UNSET
    ring_seconds: RingSeconds | UnsetType = UNSET
    mailbox: Label | UnsetType | None = UNSET
    onward: Number | UnsetType | None = UNSET
    until: Moment | UnsetType | None = UNSET


class NewMember(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`who`: an extension's number, or a log-in name."""

    version: Version
    who: Label
    delay: Delay = 0
    until: Moment | None = None


class OldMember(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Version
    who: Label


class GroupUndoing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version that `last-change` named."""

    version: Version


class LastChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo of this number would be about."""

    kind: str
    """assignment, settings (of whoever holds it), group, or nothing."""
    version: int
    """Of the group, where it is about one."""
