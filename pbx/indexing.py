"""Gives telephone numbers to the key holder while their hour's key is in memory (SECURITY.md).

What comes back can only be compared; it goes into a table of its own beside calls and messages.
With the key holder away they wait. An hour that ends meanwhile is counted as not indexed.
"""

import asyncio
from typing import Final

import structlog

from storage.audit import numbers
from storage.database import Database
from storage.errors import StorageError
from storage.identifiers import Clock, new_id
from storage.keyholder.client import KeyHolder, KeyHolderError
from storage.keyholder.protocol import Evidence
from storage.records import HourlyKeys

EVERY_SECONDS: Final = 5.0
LOOK_BACK: Final = 7 * 86_400_000_000
"""Hours older than this were counted by an earlier start."""

log = structlog.get_logger()


class NumberIndexer:
    """The exchange's own round; holds no number longer than a batch takes."""

    def __init__(
        self, database: Database, keyholder: KeyHolder, keys: HourlyKeys, clock: Clock
    ) -> None:
        self._database, self._keyholder = database, keyholder
        self._keys, self._clock = keys, clock

    async def run(self) -> None:
        """For ever; the service cancels it."""
        while True:
            try:
                while await self.once():
                    pass
            except (KeyHolderError, StorageError) as failure:
                log.warning("numbers wait to be indexed", reason=type(failure).__name__)
            except Exception as failure:
                log.error("numbers could not be indexed", exc_info=failure)
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> int:
        """One batch of this hour; the number of calls and messages in it."""
        key = self._keys.current()
        if key is None:
            return 0
        async with self._database.read() as connection:
            found = await numbers.waiting(connection, key.id, key.fields)
        values: dict[str, bytes] = {}
        asked = sorted({number for one in found for number in one.numbers})
        if asked:
            evidence = Evidence(new_id(self._clock))
            given = await self._keyholder.index_numbers(asked, evidence)
            values = dict(zip(asked, given, strict=True))
        async with self._database.begin() as connection:
            await numbers.keep(connection, found, values)
            await numbers.close_hours(connection, key.id, self._clock() - LOOK_BACK)
        return len(found)
