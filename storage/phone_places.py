"""From where phones have ever registered, and as what: enough to tell that something is new.

Kept are keyed hashes, each of one phone with one value, so that the table shows no address and
no two phones at the same one. What comes first is the phone's own; of what it never had before,
whoever reviews hears.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.models.phones import phone_place as table
from storage.sealed.fields import FieldKey

MOST: Final = 100
"""Of one kind that a phone is known by; the oldest are forgotten, and are new again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A registration of a phone."""

    device: UUID
    at: int
    address: str
    program: str
    """What it says it is (User-Agent)."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a phone never had before: its address, its program, or both."""

    device: UUID
    at: int
    kinds: frozenset[str]


class PhonePlaces:
    """Learns where phones are."""

    def __init__(self, key: FieldKey) -> None:
        self._key = key

    async def learn(self, connection: AsyncConnection, seen: Sequence[Seen]) -> list[Moved]:
        """Keep what is new; those phones that had something else before."""
        values = {
            self._key.index(f"{one.device} {text}", "phone_place", kind): (one, kind)
            for one in seen
            for kind, text in (("address", one.address), ("program", one.program))
            if text
        }
        if not values:
            return []
        query = select(table.c.value).where(table.c.value.in_(values))
        known = set(await connection.scalars(query))
        new = {value: found for value, found in values.items() if value not in known}
        return await self._keep(connection, new) if new else []

    async def _keep(
        self, connection: AsyncConnection, new: dict[bytes, tuple[Seen, str]]
    ) -> list[Moved]:
        devices = {one.device for one, _ in new.values()}
        query = select(table.c.device_id, table.c.kind).where(table.c.device_id.in_(devices))
        had: dict[tuple[UUID, str], int] = defaultdict(int)
        for device, kind in (await connection.execute(query)).all():
            had[device, kind] += 1
        rows = [
            {"value": value, "device_id": one.device, "kind": kind, "first_seen_at": one.at}
            for value, (one, kind) in new.items()
        ]
        await connection.execute(insert(table), rows)
        moved: dict[Seen, set[str]] = defaultdict(set)
        for one, kind in new.values():
            if had[one.device, kind]:
                moved[one].add(kind)
            if had[one.device, kind] >= MOST:
                await _forget_oldest(connection, one.device, kind)
        return [Moved(one.device, one.at, frozenset(kinds)) for one, kinds in moved.items()]


async def _forget_oldest(connection: AsyncConnection, device: UUID, kind: str) -> None:
    of_phone = (table.c.device_id == device, table.c.kind == kind)
    newest = select(table.c.value).where(*of_phone)
    kept = newest.order_by(table.c.first_seen_at.desc(), table.c.value).limit(MOST)
    values = list(await connection.scalars(kept))
    await connection.execute(delete(table).where(*of_phone, table.c.value.not_in(values)))
