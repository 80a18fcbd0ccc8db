"""Bodies about mailboxes and their members."""

from uuid import UUID

import msgspec

from pbx.admin.wire.fields import Label, Moment, Sealed


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    person: UUID
    kind: str
    """member, or break-glass."""
    starts_at: int
    until: int | None


class MailboxView(msgspec.Struct, frozen=True, kw_only=True):
    """`label` is a shared mailbox's; every other one has an owner."""

    id: UUID
    label: str | None
    owner: UUID | None
    opened_at: int
    closed_at: int | None
    members: list[MemberView]
    version: int = 0
    """Of a shared mailbox that is shown alone."""


class NewMailbox(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UUID
    tenure: UUID
    label: Label
    proof: Sealed


class NewMember(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    person: UUID
    start: Moment
    until: Moment | None = None
    proof: Sealed


class FormerMember(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    person: UUID
    proof: Sealed
