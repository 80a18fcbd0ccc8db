"""What the key holder's journal says that the ledger is compared with (SECURITY.md, the ledger).

Fed with records in order; keeps the openings, the last checkpoint of each ledger chain, and what
was asked for: the journal's own chain at some places, and the answers to some operations.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from storage.keyholder.journal import Entry, Event, JournalError, parse_record
from storage.keyholder.segments import walk

OPENINGS = frozenset((Event.MESSAGE_OPENED, Event.RECORDS_OPENED, Event.NUMBER_LOOKED_UP))
"""What lets protected content out: each needs a ledger row of its own, committed before."""
DESTRUCTIONS = frozenset((Event.MESSAGE_DESTROYED, Event.KEY_DESTROYED))
"""What nobody brings back, and what the exchange may ask for without anybody's proof."""
PAGE = 1_000
BREAK_GLASS = "break-glass"
UNRECORDED = frozenset((BREAK_GLASS, "end-break-glass", "decline", "enrol", "confirm-enrolment"))
"""Acts that may be done without a row: break-glass while the ledger is away, its end, and what a
stranger does in a flood of refusals. Their entries are their record."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Something protected left the key holder, was destroyed, or changed on somebody's proof."""

    sequence: int
    at: int
    event: Event
    operation: UUID | None
    ledger_row: bytes
    person: UUID | None = None
    subject: UUID | None = None
    act: str = ""

    @property
    def stands_alone(self) -> bool:
        """Break-glass while the ledger could not be written: the journal is its record."""
        return self.act == BREAK_GLASS and not self.ledger_row


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A ledger head as the journal remembers signing it."""

    writer: UUID
    sequence: int
    chain: bytes
    place: int
    """The entry's own sequence in the journal."""


@dataclass(slots=True)
class Journalled:
    """A journal, or the part of it since the last look."""

    places: frozenset[int] = frozenset()
    """Sequences whose chain value is wanted."""
    operations: frozenset[UUID] = frozenset()
    """Operations whose answers are wanted."""
    first: int | None = None
    end: int = 0
    """The last sequence seen, or the one to go on after."""
    restored_at: int | None = None
    """When the key store was last restored from a backup, if the journal says so."""
    chains: dict[int, bytes] = field(default_factory=dict)
    openings: list[Opening] = field(default_factory=list)
    checkpoints: dict[UUID, Checkpoint] = field(default_factory=dict)
    answers: dict[tuple[UUID, bytes], Event] = field(default_factory=dict)

    @property
    def begins(self) -> int:
        """What stands before this is of an earlier look, or behind a restore."""
        return self.end + 1 if self.first is None else self.first

    def take(self, records: Iterable[bytes]) -> None:
        """Records as `Journal.page` gives them, going on from the last ones."""
        for record in records:
            entry, _, chain, took_effect = parse_record(record)
            if self.first is None:
                self.first = entry.sequence
            elif entry.sequence != self.end + 1:
                raise JournalError("journal: a sequence is missing")
            self.end = entry.sequence
            if self.end in self.places:
                self.chains[self.end] = chain
            if took_effect:
                self._note(entry)

    def _note(self, entry: Entry) -> None:
        opening = Opening(
            entry.sequence,
            entry.at,
            entry.event,
            entry.operation,
            entry.ledger_row,
            entry.person,
            entry.subject,
            entry.act,
        )
        is_change = entry.event is Event.CHANGED and (
            opening.stands_alone or _is_proved_change(entry)
        )
        if entry.event in OPENINGS or entry.event in DESTRUCTIONS or is_change:
            self.openings.append(opening)
        if entry.event is Event.HEAD_SIGNED and entry.writer is not None:
            self.checkpoints[entry.writer] = Checkpoint(
                entry.writer, entry.head_sequence, entry.head_chain, entry.sequence
            )
        if entry.event is Event.RESTORED:
            self.restored_at = entry.at
        if entry.operation is not None and entry.operation in self.operations:
            self.answers[entry.operation, entry.ledger_row] = entry.event


def _is_proved_change(entry: Entry) -> bool:
    """Told by somebody, not ended by the key holder's own table and clock (those have a reason)."""
    is_recorded = bool(entry.ledger_row) or entry.act not in UNRECORDED
    return entry.person is not None and not entry.reason and is_recorded


def read_file(path: Path, into: Journalled, pinned: bytes | None = None) -> None:
    """From the journal's own files, every closed part too, chain (and with the pin signatures)
    verified, nothing changed; raises `JournalError`."""
    for part in walk(path, pinned):
        start = part.base.sequence + 1
        while records := part.page(start, PAGE):
            into.take(records)
            start += len(records)
        if into.first is None:
            into.end = part.base.sequence
