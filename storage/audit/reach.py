"""What lay within somebody's reach in a span of time: messages, phones, sessions."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit.rows import Found
from storage.messages import MessageState
from storage.models.extensions import device, tenure
from storage.models.messages import message
from storage.models.people import session


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody was somewhere, or somewhere was used."""

    kind: str
    """account, certificate, phone or command."""
    place: str
    first_at: int
    last_at: int
    count: int


async def messages_of_time(connection: AsyncConnection, since: int, until: int) -> dict[UUID, int]:
    """By mailbox, how many messages had their sound at any time of the span."""
    kept = or_(message.c.state != MessageState.DESTROYED, message.c.state_at > since)
    query = (
        select(message.c.mailbox_id, func.count())
        .where(message.c.received_at < until, kept)
        .group_by(message.c.mailbox_id)
    )
    return {row[0]: row[1] for row in (await connection.execute(query)).all()}


async def messages_in(connection: AsyncConnection, mailboxes: Collection[UUID]) -> set[UUID]:
    query = select(message.c.id).where(message.c.mailbox_id.in_(mailboxes))
    return set(await connection.scalars(query)) if mailboxes else set()


async def holders_of(connection: AsyncConnection, phone: UUID, since: int, until: int) -> set[UUID]:
    """Whose extension a phone rings for; whoever held it in the span."""
    query = (
        select(tenure.c.person_id)
        .join(device, device.c.extension_id == tenure.c.extension_id)
        .where(device.c.id == phone, tenure.c.started_at < until)
        .where(or_(tenure.c.ended_at.is_(None), tenure.c.ended_at > since))
    )
    return set(await connection.scalars(query))


async def sessions_of(
    connection: AsyncConnection, person: UUID, since: int, until: int
) -> list[Seen]:
    """From which accounts and certificates somebody was signed in."""
    query = select(session).where(
        session.c.person_id == person,
        session.c.started_at < until,
        or_(session.c.ended_at.is_(None), session.c.ended_at > since),
    )
    found: dict[tuple[str, str], list[int]] = {}
    for row in (await connection.execute(query)).all():
        place = (
            ("certificate", row.certificate)
            if row.certificate
            else ("account", f"uid {row.os_uid}")
        )
        found.setdefault(place, []).extend((row.started_at, max(row.seen_at, row.started_at)))
    return [_seen(*place, times, len(times) // 2) for place, times in sorted(found.items())]


def phones_of(rows: Iterable[Found]) -> list[Seen]:
    """At which phones somebody did what the rows say."""
    found: dict[UUID, list[int]] = {}
    for row in rows:
        if (phone := row.named("device")) is not None:
            found.setdefault(phone, []).append(row.place.occurred_at)
    return [_seen("phone", str(id), times, len(times)) for id, times in sorted(found.items())]


def _seen(kind: str, place: str, times: list[int], count: int) -> Seen:
    return Seen(kind, place, min(times), max(times), count)
