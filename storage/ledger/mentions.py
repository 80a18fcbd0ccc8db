"""Whom and what a row names in `before` and `after`: kept beside the row, so that it is found.

Mentions follow from the rows: an index, appended with them and in no hash.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import column, table

from storage.ledger.row import Row

NAMED = re.compile(
    r"(?<![0-9a-f-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f-])"
)


class Mention(NamedTuple):
    """A mention as stored, in the order of its columns."""

    id: bytes
    occurred_at: int
    writer: str
    sequence: int


MENTIONS = table("ledger_mention", *(column(name) for name in Mention._fields))


def mentions(rows: Iterable[Row]) -> Iterator[Mention]:
    """Each identifier once a row; not the row's own actor and subject, which are columns."""
    for row in rows:
        found = {
            bytes.fromhex(name.replace("-", ""))
            for text in (row.before, row.after)
            if text
            for name in NAMED.findall(text)
        }
        for id in sorted(found - {row.actor_id, row.subject_id}):
            yield Mention(id, row.occurred_at, row.writer, row.sequence)
