"""Call records: what happened between which devices, and how every leg was protected.

Written when a call ends, in batches; read only with a ledger row (45 CFR 164.312(b)).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound
from storage.models.calls import call, call_leg, records_key
from storage.records import RecordsKey
from storage.sealed.fields import Cell, FieldKey


class CallOutcome(StrEnum):
    """How a call ended for its caller."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    OFFLINE = "offline"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    FAILED = "failed"


class Signalling(msgspec.Struct, frozen=True, kw_only=True):
    """How the SIP of a leg was protected."""

    tls_version: str
    cipher: str
    authentication: str
    """certificate, digest SHA-256, digest MD5; or the flow it was authenticated on before."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The encryption receipt of one leg: no identifier, no number, no key."""

    signalling: Signalling | None = None
    keying: str = ""
    suite: str = ""
    codec: str = ""
    rekeys: int = 0
    received: int = 0
    sent: int = 0
    refused: int = 0
    """Packets that did not authenticate, were replayed, or were no SRTP at all."""
    lost: int = 0
    lost_there: int = 0
    jitter_ms: float = 0.0
    round_trip_ms: float | None = None
    mos: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRecord:
    id: UUID
    role: str
    device: UUID
    person: UUID | None
    """Who was signed in on the device, or holds its extension; None: nobody was."""
    started_at: int
    answered_at: int | None
    ended_at: int
    status: int
    """The final SIP status of the leg's INVITE; 0: none came."""
    receipt: Receipt


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody was put through, or was to be."""

    at: int
    kind: str
    """blind, attended (the target was spoken with), ringing (it rang still), or taken-over."""
    by: UUID
    """The device that asked for it."""
    by_person: UUID | None
    who: UUID | None
    """The device that was put through."""
    number: str
    """To whom, as dialled."""
    status: int
    """200: done; else why the call stayed with, or came back to, who asked."""


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """Who spoke with whom; sealed."""

    caller_number: str = ""
    caller_name: str = ""
    dialled: str = ""
    callee_name: str = ""
    transfers: tuple[Transfer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    id: UUID
    started_at: int
    answered_at: int | None
    ended_at: int
    route: str
    outcome: CallOutcome
    cause: str
    is_emergency: bool
    caller_device: UUID
    caller_person: UUID | None
    callee_tenure: UUID | None
    parties: Parties
    legs: tuple[LegRecord, ...]


@dataclass(frozen=True, slots=True)
class SealedCall:
    """A call as stored; `opened` needs the key of its hour."""

    row: Row[Any]
    legs: tuple[LegRecord, ...]

    @property
    def records_key(self) -> UUID | None:
        key: UUID | None = self.row.records_key_id
        return key

    def opened(self, key: FieldKey | None) -> CallRecord:
        row = self.row
        parties = Parties()
        if key is not None and row.parties_sealed is not None:
            text = key.open_bytes(row.parties_sealed, Cell("call", "parties", row.id))
            parties = msgspec.json.decode(text, type=Parties)
        return CallRecord(
            id=row.id,
            started_at=row.started_at,
            answered_at=row.answered_at,
            ended_at=row.ended_at,
            route=row.route,
            outcome=CallOutcome(row.outcome),
            cause=row.cause,
            is_emergency=row.is_emergency,
            caller_device=row.caller_device_id,
            caller_person=row.caller_person_id,
            callee_tenure=row.callee_tenure_id,
            parties=parties,
            legs=self.legs,
        )


async def write(
    connection: AsyncConnection, records: Sequence[CallRecord], key: RecordsKey | None
) -> None:
    """Store the records of calls that ended; without a key the parties are not stored at all."""
    if not records:
        return
    if key is not None:
        await keep_key(connection, key)
    await connection.execute(insert(call), [_call_row(record, key) for record in records])
    legs = [_leg_row(record.id, leg) for record in records for leg in record.legs]
    if legs:
        await connection.execute(insert(call_leg), legs)


async def read(connection: AsyncConnection, id: UUID) -> SealedCall:
    """One call with its legs; the caller of this writes the ledger row."""
    row = (await connection.execute(select(call).where(call.c.id == id))).one_or_none()
    if row is None:
        raise NotFound("call")
    query = select(call_leg).where(call_leg.c.call_id == id).order_by(call_leg.c.id)
    legs = (await connection.execute(query)).all()
    return SealedCall(row, tuple(_leg_record(leg) for leg in legs))


async def recorded(connection: AsyncConnection, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these calls have their record."""
    found: set[UUID] = set()
    for some in (ids[at : at + 500] for at in range(0, len(ids), 500)):
        found |= set((await connection.scalars(select(call.c.id).where(call.c.id.in_(some)))).all())
    return found


async def of_caller(connection: AsyncConnection, device: UUID) -> list[SealedCall]:
    """Every call that a device made, with its legs; for phones that exist for a test alone."""
    query = select(call.c.id).where(call.c.caller_device_id == device).order_by(call.c.id)
    return [await read(connection, id) for id in (await connection.scalars(query)).all()]


async def recent(
    connection: AsyncConnection, *, before: UUID | None = None, limit: int = 50
) -> list[SealedCall]:
    """Calls newest first (identifiers begin with the time), without their legs."""
    query = select(call).order_by(call.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(call.c.id < before)
    return [SealedCall(row, ()) for row in (await connection.execute(query)).all()]


async def sealed_key(connection: AsyncConnection, id: UUID) -> tuple[bytes, UUID]:
    """The sealed hourly key, and the records key it is sealed to."""
    row = (
        await connection.execute(select(records_key).where(records_key.c.id == id))
    ).one_or_none()
    if row is None:
        raise NotFound("records_key")
    return row.sealed, row.sealed_to


async def keep_key(connection: AsyncConnection, key: RecordsKey) -> None:
    """The sealed key of an hour stands beside the rows it sealed, once."""
    known = select(records_key.c.id).where(records_key.c.id == key.id)
    if await connection.scalar(known) is None:
        await connection.execute(
            insert(records_key).values(
                id=key.id, made_at=key.made_at, sealed=key.sealed, sealed_to=key.sealed_to
            )
        )


def _call_row(record: CallRecord, key: RecordsKey | None) -> dict[str, Any]:
    sealed = None
    if key is not None:
        text = msgspec.json.encode(record.parties)
        sealed = key.fields.seal_bytes(text, Cell("call", "parties", record.id))
    return {
        "id": record.id,
        "started_at": record.started_at,
        "answered_at": record.answered_at,
        "ended_at": record.ended_at,
        "route": record.route,
        "outcome": record.outcome,
        "cause": record.cause,
        "is_emergency": record.is_emergency,
        "caller_device_id": record.caller_device,
        "caller_person_id": record.caller_person,
        "callee_tenure_id": record.callee_tenure,
        "records_key_id": key.id if key is not None else None,
        "parties_sealed": sealed,
    }


def _leg_row(call_id: UUID, leg: LegRecord) -> dict[str, Any]:
    return {
        "id": leg.id,
        "call_id": call_id,
        "role": leg.role,
        "device_id": leg.device,
        "person_id": leg.person,
        "started_at": leg.started_at,
        "answered_at": leg.answered_at,
        "ended_at": leg.ended_at,
        "status": leg.status,
        "receipt": msgspec.json.encode(leg.receipt).decode(),
    }


def _leg_record(row: Row[Any]) -> LegRecord:
    return LegRecord(
        id=row.id,
        role=row.role,
        device=row.device_id,
        person=row.person_id,
        started_at=row.started_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        status=row.status,
        receipt=msgspec.json.decode(row.receipt, type=Receipt),
    )
