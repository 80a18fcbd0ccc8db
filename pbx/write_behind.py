"""Where devices were seen, written to the store behind the registrar's back.

Registering never waits for the database: each device has at most one row waiting, the latest,
so what waits is bounded by the number of devices however long the store is away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from pbx.location import Bound, Change


class Sighting(Struct, frozen=True):
    """The latest that is known of one device, for the device inventory."""

    device: str
    node: str
    source: str
    user_agent: str
    seen_at: int
    """Microseconds UTC."""
    is_registered: bool
    cause: str | None = None
    """Why the last binding ended."""


class SightingStore(Protocol):
    """Keeps sightings; writing one again is harmless."""

    async def save(self, sightings: Sequence[Sighting]) -> None:
        """Insert or update one row per device; all or none."""


class WriteBehind:
    """Collects changes of the location service until somebody flushes them."""

    __slots__ = ("_store", "_waiting")

    def __init__(self, store: SightingStore) -> None:
        self._store = store
        self._waiting: dict[str, Sighting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, changes: Iterable[Change], at: int) -> None:
        """Remember what changed; costs no I/O."""
        for change in changes:
            binding = change.binding
            if isinstance(change, Bound):
                is_registered, cause = True, None
            else:
                is_registered, cause = not change.is_last, change.cause.value
            self._waiting[binding.device] = Sighting(
                binding.device,
                binding.node,
                binding.source,
                binding.user_agent,
                at,
                is_registered,
                None if is_registered else cause,
            )

    async def flush(self, most: int = 500) -> int:
        """Write up to so many; what a failing store did not take waits on, unless newer came."""
        batch = dict(list(self._waiting.items())[:most])
        if not batch:
            return 0
        for device in batch:
            del self._waiting[device]
        try:
            await self._store.save([*batch.values()])
        except BaseException:
            self._waiting = batch | self._waiting
            raise
        return len(batch)
