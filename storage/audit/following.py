"""What the ledger has got since somebody looked last: by the places of its chains, not by time.

A row that waited in the spool comes late with an old time; by its place it is not missed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit.rows import Found, found
from storage.audit.search import Question, conditions
from storage.ledger.actions import Action
from storage.ledger.reading import Reader
from storage.models.ledger import ledger

FOLLOWING = frozenset((Action.AUDIT_FOLLOWED,))
"""Who follows is in the ledger; two who follow would else tell each other of it for ever."""


@dataclass(frozen=True, slots=True)
class Ends:
    """How far each chain was when somebody looked."""

    at: Mapping[str, int]

    def __str__(self) -> str:
        return ",".join(f"{writer}:{sequence}" for writer, sequence in sorted(self.at.items()))

    @classmethod
    def parse(cls, text: str) -> "Ends":
        """Raises ValueError for what no answer gave out."""
        at = {}
        for part in text.split(","):
            writer, _, sequence = part.rpartition(":")
            if not (writer and sequence.isascii() and sequence.isdigit() and len(sequence) <= 18):
                raise ValueError("place: is what an earlier look ended with")
            at[writer] = int(sequence)
        return cls(at)


async def ends(connection: AsyncConnection) -> Ends:
    """A step for each chain: the primary key begins with the writer."""
    query = select(func.max(ledger.c.sequence))
    at = {
        writer: await connection.scalar(query.where(ledger.c.writer == writer)) or 0
        for writer in await Reader(connection).writers()
    }
    return Ends(at)


async def since(
    connection: AsyncConnection, question: Question, last: Ends, *, most: int
) -> tuple[list[Found], Ends]:
    """What is new and asked for, oldest first, and where the next look goes on."""
    now = await ends(connection)
    behind = [
        and_(ledger.c.writer == writer, ledger.c.sequence > last.at.get(writer, 0),
             ledger.c.sequence <= end)
        for writer, end in now.at.items()
        if end > last.at.get(writer, 0)
    ]  # fmt: skip
    if not behind:
        return [], last
    asked = replace(question, unseen=question.unseen | FOLLOWING)
    order = (ledger.c.recorded_at, ledger.c.writer, ledger.c.sequence)
    query = select(ledger).where(or_(*behind), *conditions(asked)).order_by(*order)
    rows = [found(row) for row in (await connection.execute(query.limit(most + 1))).all()]
    if len(rows) <= most:
        return rows, now
    rows = rows[:most]
    shown = dict(last.at)
    for row in rows:
        shown[row.place.writer] = max(shown.get(row.place.writer, 0), row.place.sequence)
    return rows, Ends(shown)
