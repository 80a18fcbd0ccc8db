"""A call as a value: what a returning exchange needs to go on with it, or to record its end.

The worker keeps it, sealed under the call-snapshot key, and cannot read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import msgspec

from pbx.sip.dialog import DialogState
from storage.calls import CallOutcome, LegRecord, Signalling, Transfer
from storage.sealed import primitives

_CONTEXT = b"hipaa-pbx call snapshot v1"


class LegSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    role: str
    device: UUID
    person: UUID | None
    media: str
    """Its name in the worker, also after it ended there; empty: it never had any."""
    dialog: DialogState | None
    started_at: int
    answered_at: int | None
    status: int
    is_held: bool = False
    partner: UUID | None = None
    """The leg it is joined with."""
    phase: str = "confirmed"
    ended_at: int | None = None
    contact: str = ""
    """Ours, as written."""
    signalling: Signalling | None = None


class JourneySnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is being put through; legs by their ids."""

    kind: str
    by: UUID
    who: UUID
    number: str
    to: UUID | None = None
    refer: int | None = None
    """CSeq of the REFER, where its phone was asked more than once."""
    wants_news: bool = False


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
    callee_name: str = ""
    transfers: tuple[Transfer, ...] = ()
    trunk: tuple[str, ...] = ()
    """Our own legs between two workers."""
    ended_at: int = 0
    """When it was over; 0: it goes on."""
    outcome: CallOutcome = CallOutcome.ANSWERED
    cause: str = "internal"
    max_forwards: int = 70
    place: int = 0
    """Where it is parked; 0: nowhere."""
    parked_by: UUID | None = None
    """The device that gets it back."""
    journey: JourneySnapshot | None = None
    caller: LegSnapshot | None = None
    """Where it is none of the legs any more: it goes on in another call."""
    given: tuple[LegRecord, ...] = ()
    """What is kept of legs that do."""
    exchange: str = ""
    """Which run of the exchange has written this."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """In place of the route of a call that this exchange did not begin."""

    name: str
    is_emergency: bool


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
        encoded = primitives.open_sealed(self._key, sealed[16:], _CONTEXT + sealed[:16])
        try:
            return self._decoder.decode(encoded)
        except msgspec.DecodeError:
            raise primitives.OpenError("call snapshot is of another version") from None
