"""Whether the index of mentions says what the rows say.

The index is in no chain: whoever owns the database could hide a row from a search by it. Spans of
rows and of index entries are compared by sums of hashes, so that a million rows take no memory;
where a sum differs, the span is read again and the first row named.
"""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256

from storage.ledger.mentions import Mention, mentions
from storage.ledger.reading import Reader
from storage.ledger.report import Fault, Finding
from storage.ledger.row import Row

SPAN = 5_000
ROUND = 1 << 256


class Compared:
    """Fed with the rows that are walked, then with the whole index."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int], int] = defaultdict(int)
        self._walked: dict[str, tuple[int, int | None]] = {}

    def walked(self, rows: Iterable[Row]) -> None:
        self._add(mentions(rows), 1)

    def covers(self, writer: str, first: int, last: int | None) -> None:
        """Which rows were walked; None: to the chain's end, behind which there is nothing."""
        self._walked[writer] = (first, last)

    async def findings(self, reader: Reader) -> list[Finding]:
        """At most one for each chain."""
        async for entries in reader.mentions():
            self._add((one for one in entries if self._is_walked(one)), -1)
        first: dict[str, int] = {}
        for (writer, span), total in sorted(self._sums.items()):
            if total % ROUND and writer in self._walked:
                first.setdefault(writer, span)
        return [await self._finding(reader, writer, span) for writer, span in first.items()]

    def _add(self, found: Iterable[Mention], sign: int) -> None:
        sums = self._sums  # for each of millions: nothing is looked up twice
        for id, at, writer, sequence in found:
            value = int.from_bytes(sha256(b"%b %d %d" % (id, at, sequence)).digest(), "big")
            sums[writer, sequence // SPAN] += sign * value

    def _is_walked(self, one: Mention) -> bool:
        first, last = self._walked.get(one.writer, (0, -1))
        return one.sequence >= first and (last is None or one.sequence <= last)

    async def _finding(self, reader: Reader, writer: str, span: int) -> Finding:
        """The first row of the span about which rows and index disagree."""
        rows = await _rows(reader, writer, span)
        said = {one for one in mentions(rows) if self._is_walked(one)}
        kept: set[Mention] = set()
        async for entries in reader.mentions():
            kept |= {
                one
                for one in entries
                if (one.writer, one.sequence // SPAN) == (writer, span) and self._is_walked(one)
            }
        row = min(one.sequence for one in said ^ kept)
        is_hidden = any(one.sequence == row for one in said - kept)
        sentence = (
            f"the index lacks what row {row} names: a search by it does not show the row"
            if is_hidden
            else f"the index says of row {row} what that row does not name"
        )
        return Finding(Fault.INDEX, writer, row, sentence)


async def _rows(reader: Reader, writer: str, span: int) -> list[Row]:
    found: list[Row] = []
    async for rows in reader.after(writer, span * SPAN - 1):
        found += [row for row in rows if row.sequence // SPAN == span]
        if rows[-1].sequence // SPAN > span:
            break
    return found
