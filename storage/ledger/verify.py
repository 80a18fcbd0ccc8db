"""`verify` walks every chain and names the first row of each that is altered, missing or reordered.

Besides the rows it compares heads, segments, anchors and the spool, each of which remembers where a
chain stood; the index of mentions with what the rows name; checks that the tables still refuse
changes; and lists gaps as gaps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.errors import StorageError
from storage.keyholder.signing import SignedHead
from storage.ledger import guards, segments, spool_file
from storage.ledger.anchors import Anchor
from storage.ledger.heads import Head, signed
from storage.ledger.index import Compared
from storage.ledger.reading import Reader
from storage.ledger.report import Fault, Finding, LostRows, Report
from storage.ledger.segments import DEPARTURES, SEGMENTS, Segment
from storage.ledger.spool_file import Contents
from storage.ledger.walk import Mark, Walk

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What to look at, and what to compare it with."""

    since: int | None = None
    """Microseconds; rows recorded before are trusted, not walked."""
    until: int | None = None
    anchors: Sequence[Anchor] = ()
    spools: Sequence[Path] = ()
    segment_directory: Path | None = None
    """Where moved-off segments' files can be found, to walk them as well."""
    is_genuine: Callable[[SignedHead], bool] | None = None
    """Checks a head's signature against the pinned key."""


async def verify(
    database: Database, scope: Scope, progress: Progress = lambda done, total: None
) -> Report:
    """One consistent look at the whole ledger; changes nothing."""
    async with database.read() as connection:
        return await _Verification(connection, scope, progress).run()


class _Verification:
    def __init__(self, connection: AsyncConnection, scope: Scope, progress: Progress) -> None:
        self._connection = connection
        self._reader = Reader(connection)
        self._scope = scope
        self._progress = progress
        self._report = Report()
        self._index = Compared()
        self._total = 0

    async def run(self) -> Report:
        self._total = await self._reader.count()
        self._spools = [spool_file.read(path) for path in self._scope.spools]
        self._heads = self._usable(await self._reader.heads())
        self._segments = [Segment(*r) for r in await self._connection.execute(select(SEGMENTS))]
        departures = await self._connection.execute(select(DEPARTURES))
        self._departed = {(row.writer, row.month): bytes(row.digest) for row in departures}
        for name in await guards.missing_guards(self._connection):
            sentence = f"the table no longer refuses changes: trigger {name} is missing or disabled"
            self._report.findings.append(Finding(Fault.GUARD, "", 0, sentence))
        for writer in await self._writers():
            await self._chain(writer)
        for contents in self._spools:
            self._spool(contents)
        self._report.findings += await self._index.findings(self._reader)
        return self._report

    async def _writers(self) -> list[str]:
        """Those that have rows, and those that somebody remembers having had rows."""
        known = {*await self._reader.writers()}
        known |= {head.writer for head in self._heads}
        known |= {segment.writer for segment in self._segments}
        known |= {head.writer for anchor in self._scope.anchors for head in anchor.heads}
        known |= {contents.header.writer for contents in self._spools}
        return sorted(known)

    def _usable(self, heads: list[Head]) -> list[Head]:
        """Heads whose numbers have no hole and whose signatures hold; the others are findings."""
        usable: list[Head] = []
        number: dict[str, int] = {}
        for head in heads:
            expected = number.get(head.writer, 0) + 1
            number[head.writer] = head.number
            if head.number != expected:
                self._bad_head(head, f"head {expected} is missing")
            proof, is_genuine = signed(head), self._scope.is_genuine
            if proof is not None and is_genuine is not None and not is_genuine(proof):
                self._bad_head(head, f"head {head.number} is not signed by the key holder")
            else:
                usable.append(head)
        return usable

    def _bad_head(self, head: Head, sentence: str) -> None:
        self._report.findings.append(Finding(Fault.HEAD, head.writer, head.sequence, sentence))

    async def _chain(self, writer: str) -> None:
        walk = await self._start(writer)
        if walk.fault is None:
            await self._follow(walk)
        await self._look_for_reordering(walk)
        self._report.rows += walk.rows
        self._report.writers.append(writer)
        self._report.gaps += walk.gaps
        if walk.fault is not None:
            self._report.findings.append(walk.fault)

    async def _follow(self, walk: Walk) -> None:
        walk.expect(self._marks(walk.writer, walk.sequence))
        done, first = self._report.rows, walk.sequence + 1
        last: int | None = None
        cursor = walk.sequence or -(2**63)  # no row may hide before the first
        async for rows in self._reader.after(walk.writer, cursor):
            until = self._scope.until
            inside = rows if until is None else [r for r in rows if r.recorded_at < until]
            walk.feed(inside)
            self._index.walked(inside)
            self._progress(done + walk.rows, self._total)
            if walk.fault is not None or len(inside) < len(rows):
                last = walk.sequence
                break
        else:
            walk.finish()
        if walk.fault is None:
            self._index.covers(walk.writer, first, last)

    async def _start(self, writer: str) -> Walk:
        """Where the walk begins: at the first row, behind what moved off, or at a moment."""
        walk = Walk(writer)
        self._walk_departed(walk)
        if self._scope.since is None or walk.fault is not None:
            return walk
        first = await self._reader.first_since(writer, self._scope.since)
        before = await self._reader.at(writer, first - 1) if first else None
        if before is not None and before.sequence > walk.sequence:
            return Walk(writer, before.sequence, before.hash, agreed=before.sequence)
        return walk

    def _walk_departed(self, walk: Walk) -> None:
        ours = sorted(s for s in self._segments if s.writer == walk.writer)
        for segment in ours:
            digest = self._departed.get((segment.writer, segment.month))
            if digest is None or walk.fault is not None:
                return
            if (segment.first, segment.previous) != (walk.sequence + 1, walk.hash):
                return
            self._enter_departed(walk, segment, digest)

    def _enter_departed(self, walk: Walk, segment: Segment, digest: bytes) -> None:
        if self._scope.segment_directory is None:
            walk.sequence, walk.hash, walk.agreed = segment.last, segment.hash, segment.last
            self._report.notices.append(
                f"{segment.writer}: rows {segment.first} to {segment.last} have moved off; "
                "name the directory with their file to verify them as well"
            )
            return
        path = segments.file_of(self._scope.segment_directory, segment)
        walk.expect([Mark(segment.last, segment.hash, f"the segment of {segment.month}")])
        try:
            rows = list(segments.rows_of(path, digest))
        except (OSError, StorageError):
            sentence = f"the file of segment {segment.month} is missing or was altered"
            walk.fault = Finding(Fault.MISSING, walk.writer, segment.first, sentence, segment.last)
            return
        walk.feed(rows)

    def _marks(self, writer: str, start: int) -> list[Mark]:
        marks = [
            Mark(head.sequence, head.hash, f"head {head.number}")
            for head in self._heads
            if head.writer == writer
        ]
        for segment in self._segments:
            if segment.writer == writer:
                marks.append(Mark(segment.last, segment.hash, f"the segment of {segment.month}"))
        for anchor in self._scope.anchors:
            marks += [
                Mark(head.sequence, bytes.fromhex(head.hash), "an anchor")
                for head in anchor.heads
                if head.writer == writer
            ]
        for contents in self._spools:
            if contents.header.writer == writer:
                base = contents.header
                marks.append(Mark(base.sequence, base.hash, "the spool"))
        return [mark for mark in marks if mark.sequence > start]

    async def _look_for_reordering(self, walk: Walk) -> None:
        if walk.fault is None or walk.fault.fault is not Fault.ALTERED:
            return
        stored = await self._reader.at(walk.writer, walk.fault.sequence)
        if stored is None or walk.fault.last is not None:
            return
        async for rows in self._reader.after(walk.writer, walk.fault.sequence):
            if walk.reordered(rows, stored):
                return

    def _spool(self, contents: Contents) -> None:
        """Rows that wait in the spool have been chained by reading it; say what it adds."""
        header, end = contents.header, contents.tip
        self._report.rows += len(contents.rows)
        if contents.is_broken:
            sentence = f"row {end.sequence + 1}, waiting in the spool, was altered"
            self._report.findings.append(
                Finding(Fault.ALTERED, header.writer, end.sequence + 1, sentence)
            )
        elif contents.is_torn:
            self._report.notices.append(
                f"{header.writer}: behind row {end.sequence} the spool holds a row that is not "
                "whole: a write cut by a crash, never acknowledged"
            )
        if contents.rows:
            self._report.notices.append(
                f"{header.writer}: {len(contents.rows)} rows wait in the spool"
            )
        if gap := header.gap:
            self._report.gaps.append(
                LostRows(header.writer, None, gap.count, gap.kinds, gap.first, gap.last)
            )
