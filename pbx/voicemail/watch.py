"""What voicemail depends on, watched: is the key holder there, does the disk of messages have room.

The key holder may be away for a while and nobody notices. When it is away for longer, callers hear
that messages cannot be heard at present, and the practice manager is alarmed.
"""

from __future__ import annotations

import asyncio

import structlog

from media.client import MediaClient, MediaError, Spool
from storage.identifiers import Clock
from storage.keyholder.client import KeyHolder, KeyHolderError
from storage.keyholder.protocol import State

log = structlog.get_logger()

EVERY = 15.0
MINUTE = 60_000_000


class Watch:
    """`look` once in a while."""

    def __init__(self, keyholder: KeyHolder, media: MediaClient, clock: Clock) -> None:
        self._keyholder, self._media, self._clock = keyholder, media, clock
        self.away_since: int | None = None
        self.spool: Spool | None = None

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        try:
            is_open = (await self._keyholder.ping()).state is State.READY
        except KeyHolderError:
            is_open = False
        if is_open:
            self.away_since = None
        elif self.away_since is None:
            self.away_since = self._clock()
        await self.look_at_disk()

    async def look_at_disk(self) -> None:
        try:
            self.spool = await self._media.spool()
        except MediaError:
            self.spool = None

    def is_away(self, minutes: int) -> bool:
        """Whether the key holder has been away for as long as that."""
        return self.away_since is not None and (self._clock() - self.away_since >= minutes * MINUTE)

    @property
    def is_full(self) -> bool:
        """No message can be taken."""
        return self.spool is not None and self.spool.is_full

    @property
    def is_low(self) -> bool:
        """Soon no message can be taken."""
        return self.spool is not None and self.spool.is_low
