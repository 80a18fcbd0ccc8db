"""The key holder's journal between two moments, for questions about what was opened.

The journal is in the order it was written; its times are the key holder's own clock. The place to
begin at is found by halving, so that a question about a day does not read years.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from storage.keyholder.journal import Entry, parse_record
from storage.keyholder.protocol import JournalPage

BACKWARDS = 3_600_000_000
"""A clock may have been set back by so much in between."""
NEAR = 1_000
"""Entries that are read rather than halved again."""


class Journal(Protocol):
    """The key holder's client, as far as it is asked here."""

    async def journal(self, start: int) -> JournalPage: ...


async def between(journal: Journal, since: int, until: int) -> AsyncIterator[Entry]:
    """What took effect from `since` on and before `until`."""
    start = await _start(journal, since - BACKWARDS)
    while records := (await journal.journal(start)).entries:
        for record in records:
            entry, _, _, took_effect = parse_record(record)
            start = entry.sequence + 1
            if entry.at >= until + BACKWARDS:
                return
            if took_effect and since <= entry.at < until:
                yield entry


async def _start(journal: Journal, since: int) -> int:
    """A sequence before which nothing is as late as `since`."""
    low, high = 1, (await journal.journal(1)).end
    while high - low > NEAR:
        middle = (low + high) // 2
        entry, *_ = parse_record((await journal.journal(middle)).entries[0])
        if entry.at < since:
            low = middle
        else:
            high = middle
    return low
