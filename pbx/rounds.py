"""When a writer writes: a little after news, so that much is written together; at once if urgent.

The writers of call records and of registrations share this: what they write cannot be refused, and
it holds nobody up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from storage.ledger.committer import Committer
from storage.ledger.entry import Entry


class Rounds:
    """`run` writes until `close`."""

    def __init__(self, gather: float, retry: float | None = None, *, apart: float = 0.0) -> None:
        """Seconds that news wait for more, and after which trouble is tried again. Where there is
        always news, rounds begin so many seconds `apart`."""
        self._gather = gather
        self._retry = retry
        self._apart = apart
        self._next_at = 0.0
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()
        self._is_closing = False

    def news(self, *, urgent: bool = False) -> None:
        """There is something to write."""
        if urgent:
            self._urgent.set()
        self._news.set()

    def close(self) -> None:
        """Let `run` return when what waits has been tried once more."""
        self._is_closing = True
        self.news(urgent=True)

    async def run(
        self, write: Callable[[], Awaitable[None]], is_troubled: Callable[[], bool]
    ) -> None:
        """Call `write` after news, again while it is in trouble, and once more at the end."""
        while not self._is_closing:
            await self._pause(self._retry if is_troubled() else None)
            self._news.clear()
            self._urgent.clear()
            self._next_at = asyncio.get_running_loop().time() + self._apart
            await write()
        await write()

    async def _pause(self, at_most: float | None) -> None:
        try:
            async with asyncio.timeout(at_most):
                await self._news.wait()
            now = asyncio.get_running_loop().time()
            async with asyncio.timeout_at(max(now + self._gather, self._next_at)):
                await self._urgent.wait()
        except TimeoutError:
            return


async def note_all(committer: Committer, entries: Sequence[Entry]) -> int:
    """Rows that cannot be refused; how many were lost, for one that has stopped takes none."""
    try:
        await committer.note(*entries)
    except Exception:  # noqa: BLE001 - whatever it was, nobody has them now
        return len(entries)
    return 0
