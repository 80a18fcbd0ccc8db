"""Bodies about messages."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from pbx.admin.wire.fields import Label, Reason, Sealed, Version

Days = Annotated[int, Meta(ge=1, le=3650)]
Voucher = Annotated[bytes, Meta(min_length=32, max_length=32)]
PublicKey = Annotated[bytes, Meta(min_length=32, max_length=4096)]


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """A message without who left it, and without a word of it."""

    id: UUID
    mailbox: UUID
    state: str
    received_at: int
    milliseconds: int
    codec: str
    is_urgent: bool
    is_private: bool
    is_complete: bool
    is_forwarded: bool
    heard_at: int | None
    state_at: int


class NewOpening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What for, and the ephemeral key of the command that asks; only it opens the answer. With
    the voucher the key holder knows that it is the command in which the person signed in."""

    purpose: Reason
    suite: Annotated[str, Meta(max_length=40)]
    public: PublicKey
    voucher: Voucher


class NewExport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same for a file that leaves; `plain` says that it will lie there unencrypted."""

    purpose: Reason
    suite: Annotated[str, Meta(max_length=40)]
    public: PublicKey
    voucher: Voucher


class SealedCopy(msgspec.Struct, frozen=True, kw_only=True):
    """The message, sealed anew to whoever asked."""

    operation: UUID
    content: bytes
    slot: bytes
    codec: str
    milliseconds: int
    digest: bytes
    file: bytes


class HoldView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    mailbox: UUID
    reason: str
    placed_by: UUID
    placed_at: int


class NewHold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UUID
    mailbox: UUID
    reason: Reason
    proof: Sealed


class PurgeWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    is_dry_run: bool = True
    most: Annotated[int, Meta(ge=1, le=1_000)] = 1_000
    """Messages; whoever wants to see how it goes asks for a few at a time."""


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """How voicemail is doing: counts, never of one person."""

    new: int
    saved: int
    deleted: int
    destroyed: int
    interrupted: int
    not_adopted: int
    waiting: int
    on_hold: int
    megabytes: int
    free_megabytes: int | None
    purge_done: int
    purge_total: int


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The key holder's signed statement that a message is destroyed."""

    message: UUID
    kind: str
    text: str
    signature: bytes


class RetentionView(msgspec.Struct, frozen=True, kw_only=True):
    mailbox: UUID
    days: int | None
    version: int


class NewRetention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Version
    days: Days | None


class LampDuty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    shows: bool


__all__ = [
    "Certificate",
    "HoldView",
    "Label",
    "LampDuty",
    "MessageView",
    "NewExport",
    "NewHold",
    "NewOpening",
    "NewRetention",
    "PurgeWish",
    "RetentionView",
    "SealedCopy",
    "Statistics",
]
