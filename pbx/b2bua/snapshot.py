"""A confirmed call as a value: what a returning exchange needs to go on with it.

The worker keeps it, sealed under the call-snapshot key, and cannot read it.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from pbx.sip.dialog import DialogState
from storage.sealed import primitives

_CONTEXT = b"hipaa-pbx call snapshot v1"


class LegSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    role: str
    device: UUID
    person: UUID | None
    media: str
    dialog: DialogState
    started_at: int
    answered_at: int | None
    status: int
    is_held: bool = False
    partner: UUID | None = None
    """The leg it is joined with."""


class CallSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    route: str
    is_emergency: bool
    tenure: UUID | None
    started_at: int
    answered_at: int | None
    caller_number: str
    caller_name: str
    dialled: str
    legs: tuple[LegSnapshot, ...]


class SnapshotKey:
    """Seals and opens snapshots."""

    def __init__(self, key: bytes) -> None:
        self._key = primitives.hkdf(key, "call snapshot")
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(CallSnapshot)

    def seal(self, snapshot: CallSnapshot) -> bytes:
        context = _CONTEXT + snapshot.id.bytes
        return snapshot.id.bytes + primitives.seal(
            self._key, self._encoder.encode(snapshot), context
        )

    def open(self, sealed: bytes) -> CallSnapshot:
        """Raises `OpenError` for anything that this key did not seal for that call."""
        if len(sealed) < 16:
            raise primitives.OpenError("call snapshot is too short")
        return self._decoder.decode(
            primitives.open_sealed(self._key, sealed[16:], _CONTEXT + sealed[:16])
        )
