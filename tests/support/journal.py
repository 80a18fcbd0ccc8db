"""A key holder's journal with invented entries, for whoever compares it with the ledger."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from storage.keyholder.journal import Entry, Event, Journal, Position
from storage.ledger.heads import writer_id
from storage.ledger.journalled import Journalled
from storage.ledger.row import Row, leaf


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
