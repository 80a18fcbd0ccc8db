"""A key holder's journal with invented entries, for whoever compares it with the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from storage.keyholder import journal
from storage.keyholder.journal import Entry, Event, Journal, Position
from storage.ledger.heads import writer_id
from storage.ledger.journalled import Journalled
from storage.ledger.row import Row, leaf


def verified(records: Iterable[bytes]) -> bytes:
    """The chain at the end of pages read from the first entry on, each link computed anew."""
    previous, mark = journal.GENESIS, b"\1"
    for record in records:
        _, body, chain, _ = journal.parse_record(record)
        assert journal.link(previous, mark, body) == chain
        previous, mark = chain, record[-1:]
    return previous


@dataclass
class Notebook:
    """Written like the key holder does; read like it is asked."""

    path: Path
    base: Position = field(default_factory=Position)

    def __post_init__(self) -> None:
        self.journal = Journal(self.path)
        self.journal.start(self.base)

    def write(self, event: Event, **fields: Any) -> Position:
        place = self.journal.append(Entry(event=event, **fields))
        self.journal.settle(applied=True)
        return place

    def opened(self, row: Row, event: Event = Event.MESSAGE_OPENED) -> Position:
        return self.write(
            event, at=row.recorded_at, operation=UUID(bytes=row.operation), ledger_row=leaf(row)
        )

    def signed(self, row: Row) -> Position:
        return self.write(
            Event.HEAD_SIGNED,
            writer=writer_id(row.writer),
            head_sequence=row.sequence,
            head_chain=row.hash,
        )

    def read(self, into: Journalled, start: int = 1) -> Journalled:
        into.take(self.journal.page(start))
        return into
