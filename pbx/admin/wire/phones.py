"""Bodies about extensions and devices."""

from uuid import UUID

import msgspec

from pbx.admin.wire.fields import Label, Moment, Sealed, Version
from storage.devices import Place


class TenureView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    person: UUID
    mailbox: UUID
    started_at: int
    until: int | None


class ExtensionView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    number: str
    version: int
    tenure: TenureView | None


class Assignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Opens a tenure; version 0 makes the extension."""

    person: UUID
    tenure: UUID
    mailbox: UUID
    version: Version
    until: Moment | None = None
    proof: Sealed


class Versioned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Version


class Undoing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`mailbox` is the one that opens again for its owner, by the proof."""

    version: Version
    mailbox: UUID | None = None
    proof: Sealed | None = None


class UndoView(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo would do: who has the number now, and whose epoch would go on."""

    version: int
    mailbox: UUID | None
    person: UUID | None
    until: int | None


class NewDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UUID
    label: Label
    place: Place = Place.LOBBY


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    label: str
    place: str
    extension: UUID | None
    version: int


class Placement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Version
    place: Place


class DeviceAssignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`extension` is a number; None leaves the phone to nobody."""

    version: Version
    extension: Label | None
