"""Walking one chain: each row recomputed, each known mark compared, the first fault named."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from storage.ledger.actions import Action
from storage.ledger.report import Fault, Finding, LostRows
from storage.ledger.row import GENESIS, Row, chain, leaf


@dataclass(frozen=True, slots=True)
class Mark:
    """What somebody else remembers: that the chain had this value at this row."""

    sequence: int
    hash: bytes
    source: str


@dataclass(slots=True)
class Walk:
    """Fed with the rows of one writer in order; stops at the first fault."""

    writer: str
    sequence: int = 0
    hash: bytes = GENESIS
    marks: dict[int, list[Mark]] = field(default_factory=lambda: defaultdict(list))
    fault: Finding | None = None
    gaps: list[LostRows] = field(default_factory=list)
    rows: int = 0
    agreed: int = 0
    """The last row that a mark vouched for."""

    def expect(self, marks: Iterable[Mark]) -> None:
        for mark in marks:
            self.marks[mark.sequence].append(mark)

    def feed(self, rows: Sequence[Row]) -> None:
        for row in rows:
            expected = self.sequence + 1
            if row.sequence < expected:
                self._find(Fault.ALTERED, row.sequence, f"row {row.sequence} cannot exist")
                return
            if row.sequence != expected:
                self._missing(expected, f"row {expected} is missing: row {row.sequence} follows")
                return
            value = chained(self.hash, row)
            if value != row.hash:
                self._find(Fault.ALTERED, expected, f"row {expected} was altered")
                return
            self.sequence, self.hash = expected, row.hash
            self.rows += 1
            if expected in self.marks and not self._agree(expected):
                return
            if row.action == Action.LEDGER_GAP:
                self.gaps.append(_lost(row))

    def finish(self) -> None:
        """No row follows: whatever a mark knows beyond this is missing."""
        beyond = [marks[0] for sequence, marks in self.marks.items() if sequence > self.sequence]
        if self.fault is None and beyond:
            mark = max(beyond, key=lambda mark: mark.sequence)
            first = self.sequence + 1
            self._missing(
                first, f"rows {first} to {mark.sequence} are missing: {mark.source} knows them"
            )

    def reordered(self, later: Sequence[Row], stored: Row) -> bool:
        """Was the altered row's place taken by a row that stands elsewhere? Corrects the fault."""
        if self.fault is None or self.fault.fault is not Fault.ALTERED:
            return False
        place = self.fault.sequence
        for row in later:
            value = chained(self.hash, row._replace(sequence=place))
            if value is not None and value in (row.hash, stored.hash):
                sentence = f"row {place} was reordered: it stands at row {row.sequence}"
                self.fault = Finding(Fault.REORDERED, self.writer, place, sentence)
                return True
        return False

    def _agree(self, sequence: int) -> bool:
        for mark in self.marks[sequence]:
            if mark.hash != self.hash:
                first = self.agreed + 1
                sentence = f"rows {first} to {sequence} were rewritten: {mark.source} disagrees"
                self.fault = Finding(Fault.ALTERED, self.writer, first, sentence, sequence)
                return False
        self.agreed = sequence
        return True

    def _missing(self, sequence: int, sentence: str) -> None:
        self._find(Fault.MISSING, sequence, sentence)

    def _find(self, fault: Fault, sequence: int, sentence: str) -> None:
        self.fault = Finding(fault, self.writer, sequence, sentence)


def chained(previous: bytes, row: Row) -> bytes | None:
    """The chain value this row should carry; None if it holds what can never have been written."""
    try:
        return chain(previous, leaf(row))
    except (UnicodeEncodeError, TypeError, OverflowError):
        return None


class _GapDetails(msgspec.Struct, frozen=True):
    count: int
    kinds: dict[str, int]
    first: int = msgspec.field(name="from")
    last: int = msgspec.field(name="to")


def _lost(row: Row) -> LostRows:
    gap = msgspec.json.decode(row.after or "{}", type=_GapDetails)
    return LostRows(row.writer, row.sequence, gap.count, gap.kinds, gap.first, gap.last)
