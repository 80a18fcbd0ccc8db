"""Bodies about calls: live, recorded, and the encryption receipt of each leg."""

from uuid import UUID

import msgspec

from pbx.admin.wire.phones import PhoneSecret
from storage.calls import Parties, Receipt


class LiveCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is up; no number, no name of a person."""

    id: UUID
    route: str
    state: str
    started_at: int
    answered_at: int | None
    phones: tuple[str, ...]
    """What they are called, the caller's first."""


class CallSummary(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    started_at: int
    answered_at: int | None
    ended_at: int
    route: str
    outcome: str
    cause: str
    is_emergency: bool


class LegView(msgspec.Struct, frozen=True, kw_only=True):
    """One leg with its encryption receipt."""

    role: str
    device: UUID
    phone: str
    person: UUID | None
    answered_at: int | None
    ended_at: int
    status: int
    receipt: Receipt


class CallView(CallSummary, frozen=True, kw_only=True):
    legs: tuple[LegView, ...]


class PartiesView(msgspec.Struct, frozen=True, kw_only=True):
    """Who spoke with whom; None: it was recorded without."""

    call: UUID
    parties: Parties | None


class HungUp(msgspec.Struct, frozen=True, kw_only=True):
    operation: UUID
    was_live: bool


class TrialLine(msgspec.Struct, frozen=True, kw_only=True):
    """Two phones that exist for one test call, and the number that the second one has."""

    id: UUID
    caller: PhoneSecret
    callee: PhoneSecret
    number: str
    until: int
