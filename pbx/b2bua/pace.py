"""How fast phones begin calls: a dialer that has gone mad fills neither ledger nor database."""

from __future__ import annotations

from uuid import UUID

MINUTE = 60_000_000


class Pace:
    """A leaking bucket for each device; times are microseconds."""

    def __init__(self) -> None:
        self._levels: dict[UUID, tuple[float, int]] = {}

    def allows(self, device: UUID, per_minute: int, now: int) -> bool:
        """Count one more, unless there have been so many; what is refused counts for nothing."""
        level, at = self._levels.get(device, (0.0, now))
        level = max(0.0, level - max(0, now - at) * per_minute / MINUTE)
        is_allowed = level < per_minute
        self._levels[device] = (level + is_allowed, now)
        return is_allowed
