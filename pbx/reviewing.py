"""Looks for what somebody should look at, and knows how much of it is overdue (SECURITY.md).

Each look takes whole days; what was found before, or by an exchange that has been restarted since,
is the same item and not opened again.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog

from pbx.admin.models import Fact
from pbx.admin.plane import Plane
from storage.audit import reviews
from storage.audit.anomalies import Finding, Known, findings, local_midnight, sampled
from storage.errors import StorageError
from storage.policies import value_of

EVERY_SECONDS: Final = 300.0
DAYS: Final = 3
FIRST_DAYS: Final = 30
"""After a start: what happened while nobody looked."""
DAY: Final = 86_400_000_000

log = structlog.get_logger()


class Reviewer:
    """The exchange's own rounds through its ledger."""

    def __init__(self, plane: Plane, every_seconds: float = EVERY_SECONDS) -> None:
        self._plane = plane
        self._every_seconds = every_seconds
        self._days = FIRST_DAYS
        self._open = self._overdue = 0

    async def run(self) -> None:
        """For ever; the service cancels it."""
        while True:
            await asyncio.sleep(self._every_seconds)
            try:
                await self.once()
            except StorageError as failure:
                log.warning("the ledger waits to be reviewed", reason=type(failure).__name__)
            except Exception as failure:
                log.error("the ledger could not be reviewed", exc_info=failure)

    async def once(self) -> int:
        """One look; the number of new items."""
        plane, now = self._plane, self._plane.clock()
        since = local_midnight(now, Known(), self._days)
        async with plane.database.read() as connection:
            limits = await reviews.thresholds(connection, now)
            rows = await reviews.span(connection, since, now + 1)
            known = await reviews.known(connection, rows, since)
            found = [one for one in findings(rows, limits, known) if one.begins >= since]
            for first in _weeks(since, now):
                week = await reviews.samples(
                    connection, first, first + 7 * DAY, limits.samples_a_week
                )
                found += [sampled(row) for row in week]
        opened = await self._kept(found)
        self._days = DAYS
        await self.count()
        return opened

    async def _kept(self, found: list[Finding]) -> int:
        return await self._plane.run(reviews.open_items, self._plane.deed(), found) if found else 0

    async def count(self) -> None:
        """For `pbx status`."""
        plane, now = self._plane, self._plane.clock()
        async with plane.database.read() as connection:
            days = await value_of(connection, "review-days", now)
            waiting = [one for one in await reviews.items(connection) if one.signed_at is None]
        self._open = len(waiting)
        self._overdue = sum(one.opened_at + days * DAY <= now for one in waiting)

    def alarms(self) -> list[str]:
        if not self._overdue:
            return []
        return [f"Review items are overdue: {self._overdue}; see: pbx audit review list"]

    def section(self) -> dict[str, Fact]:
        return {"open": self._open, "overdue": self._overdue}


def _weeks(since: int, now: int) -> list[int]:
    """The beginnings (Mondays, UTC) of weeks that are over and end within the span."""
    monday = datetime.fromtimestamp(since / 1_000_000, UTC)
    first = since - since % DAY - monday.weekday() * DAY
    return [begin for begin in range(first, now, 7 * DAY) if begin + 7 * DAY <= now]
