"""Sign-ins on shared phones: one person at a time on each, with a row of the ledger for both ends.

What is kept says who worked on which phone; it opens nothing. What opens something is a session of
the key holder's, whose handle is in the exchange's memory alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Entry, Subject
from storage.ledger.unit import Unit
from storage.models.sign_ins import sign_in as table


class Why(StrEnum):
    """What ended a sign-in."""

    CODE = "code"
    """Dialled by whoever was at the phone."""
    IDLE = "idle"
    OTHER = "other"
    """Somebody else signed in on the phone."""
    MOVED = "moved"
    """The same person signed in on another phone."""
    RENEWED = "renewed"
    """The same person proved themselves again on the same phone."""
    ADMIN = "admin"
    LEFT = "left"
    """The person's access ended, or is suspended."""
    GONE = "gone"
    """The phone is not shared any more, or the extension is somebody else's."""
    EXPIRED = "expired"
    """It had lasted as long as any session may."""
    RESTART = "restart"
    """The exchange started anew, and remembers nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody on a phone that is nobody's."""

    id: UUID
    """Of the key holder's session."""
    device: UUID
    person: UUID
    tenure: UUID
    since: int


async def begin(unit: Unit, deed: Deed, new: SignedIn) -> None:
    """The database refuses a second person on the phone, and a second phone for the person."""
    await unit.connection.execute(
        insert(table).values(
            id=new.id,
            device_id=new.device,
            person_id=new.person,
            tenure_id=new.tenure,
            started_at=new.since,
        )
    )
    after = {"person": str(new.person), "tenure": str(new.tenure), "session": str(new.id)}
    unit.record(deed.entry(Action.PHONE_SIGNED_IN, _subject(new), after=after))


async def end(unit: Unit, deed: Deed, held: SignedIn, why: Why, *, has_row: bool = False) -> None:
    """`has_row`: the ledger has it already, from a time when the database was away."""
    ended = max(deed.at, held.since)  # whatever the clock says
    changed = await unit.connection.execute(
        update(table)
        .where(table.c.id == held.id, table.c.ended_at.is_(None))
        .values(ended_at=ended, reason=why)
    )
    if changed.rowcount and not has_row:  # else somebody was faster, and has said so
        unit.record(ended_entry(deed, held, why))


def ended_entry(deed: Deed, held: SignedIn, why: Why) -> Entry:
    """The row that says so; one that cannot be refused."""
    after = {
        "person": str(held.person),
        "session": str(held.id),
        "reason": why.value,
        "seconds": max(0, deed.at - held.since) // 1_000_000,
    }
    return deed.entry(Action.PHONE_SIGNED_OUT, _subject(held), after=after)


async def open_(connection: AsyncConnection) -> list[SignedIn]:
    """Those that nothing has ended yet."""
    rows = await connection.execute(select(table).where(table.c.ended_at.is_(None)))
    return [_signed_in(row) for row in rows.all()]


async def beside(connection: AsyncConnection, new: SignedIn) -> list[SignedIn]:
    """What has to end before this one begins: on its phone, and of its person."""
    same = or_(table.c.device_id == new.device, table.c.person_id == new.person)
    rows = await connection.execute(select(table).where(table.c.ended_at.is_(None), same))
    return [_signed_in(row) for row in rows.all()]


def _signed_in(row: Row[Any]) -> SignedIn:
    return SignedIn(
        id=row.id,
        device=row.device_id,
        person=row.person_id,
        tenure=row.tenure_id,
        since=row.started_at,
    )


def _subject(held: SignedIn) -> Subject:
    return Subject("device", held.device)
