"""Who ends what of a person: a registry, so that `person leave` ends everything there is.

Each part of the exchange that keeps something alive for a person (flows, calls, mailbox sessions,
phone log-ins) registers an ender. They run side by side, each within a bound, after the accounts
themselves have ended, and each says what it ended and when.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

ENDER_SECONDS: Final = 4.0
"""Everything ends within five seconds; one part that hangs must not hide the others."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ended:
    """One kind of thing that was ended, and how many."""

    kind: str
    count: int
    complete: bool = True
    """False: this part did not answer in time; it is asked again until it does."""


Ender = Callable[[UUID], Awaitable[int]]
"""Ends everything of one kind that a person has; answers how many there were. Idempotent."""


@dataclass(slots=True)
class Enders:
    """The registry: kind of thing → what ends it."""

    seconds: float = ENDER_SECONDS
    """What each part has."""
    _enders: dict[str, Ender] = field(default_factory=dict)

    def register(self, kind: str, ender: Ender) -> None:
        self._enders[kind] = ender

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self._enders)

    async def end_all(self, person: UUID) -> list[Ended]:
        """Everything registered, at once."""
        return list(
            await asyncio.gather(
                *(self._end(kind, ender, person) for kind, ender in self._enders.items())
            )
        )

    async def _end(self, kind: str, ender: Ender, person: UUID) -> Ended:
        try:
            async with asyncio.timeout(self.seconds):
                return Ended(kind, await ender(person))
        except Exception as failure:
            log.error("a part did not end what a person had", kind=kind, exc_info=failure)
            return Ended(kind, 0, complete=False)
