"""Ledger and journal compared (SECURITY.md, the ledger).

Every opening, destruction and proved change in the journal has exactly one matching row: the same
operation and the row's hash.
A row that only intends, and that nothing followed, is answered by what the journal knows about
it. The newest signed head of each chain names a place in the journal, the newest checkpoint of
the journal a row of the ledger: whichever of the two was put back from an older copy, it shows.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.keyholder.journal import Event
from storage.ledger.actions import Action, Outcome
from storage.ledger.anchors import Anchor
from storage.ledger.heads import Head, newest, writer_id
from storage.ledger.journalled import OPENINGS, Checkpoint, Journalled, Opening
from storage.ledger.months import following, start_of
from storage.ledger.reading import CHUNK, Reader
from storage.ledger.report import Fault, Finding
from storage.ledger.row import Row, leaf
from storage.ledger.segments import DEPARTURES
from storage.ledger.table import RAW

DAY = 86_400_000_000
GRACE = 15 * 60 * 1_000_000
"""An intent younger than this may still be under way."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the ledger says, read before the journal: the journal must know all of it."""

    intents: tuple[Row, ...] = ()
    heads: tuple[Head, ...] = ()
    """The newest signed one of each chain."""
    anchors: tuple[Anchor, ...] = ()

    def journalled(self) -> Journalled:
        """What to ask the journal."""
        places = {head.journal_sequence for head in self.heads}
        places |= {anchor.journal_sequence for anchor in self.anchors}
        return Journalled(
            frozenset(place for place in places if place is not None),
            frozenset(UUID(bytes=row.operation) for row in self.intents),
        )


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A row that only intends, and what the journal knows about it."""

    row: Row
    answer: Event | None

    @property
    def outcome(self) -> Outcome:
        if self.answer is None:
            return Outcome.FAILED
        return Outcome.REFUSED if self.answer is Event.REFUSED else Outcome.DONE

    @property
    def sentence(self) -> str:
        said = {
            Outcome.FAILED: "intended, not done",
            Outcome.REFUSED: "intended, refused by the key holder",
            Outcome.DONE: "intended, done by the key holder, and never confirmed",
        }[self.outcome]
        return f"{self.row.writer}: row {self.row.sequence} ({self.row.action}) was {said}"


@dataclass(slots=True)
class Comparison:
    """What came of it."""

    findings: list[Finding] = field(default_factory=list)
    unfinished: list[Unfinished] = field(default_factory=list)
    uncopied: list[Opening] = field(default_factory=list)
    """Break-glass that the journal alone has recorded: the exchange copies it into the ledger."""
    notices: list[str] = field(default_factory=list)


async def expected(
    connection: AsyncConnection, now: int, *, since: int = 0, anchors: Sequence[Anchor] = ()
) -> Expected:
    """To be read before the journal is."""
    heads = [
        head
        for writer in await _writers(connection)
        if (head := await newest(connection, writer, only_signed=True)) is not None
    ]
    return Expected(await _intents(connection, since, now - GRACE), tuple(heads), tuple(anchors))


async def _intents(connection: AsyncConnection, since: int, before: int) -> tuple[Row, ...]:
    """Intents that no row of the same operation followed."""
    followed = select(RAW.c.operation).where(
        RAW.c.outcome != Outcome.INTENDED, RAW.c.recorded_at >= since
    )
    query = select(RAW).where(
        RAW.c.outcome == Outcome.INTENDED,
        RAW.c.recorded_at >= since,
        RAW.c.recorded_at < before,
        RAW.c.operation.not_in(followed),
    )
    found = await connection.execute(query.order_by(RAW.c.writer, RAW.c.sequence))
    return tuple(Row(*row) for row in found)


async def compare(
    connection: AsyncConnection, expectation: Expected, journal: Journalled, used: set[bytes]
) -> Comparison:
    """`used` are the rows that earlier openings stand on; it is added to."""
    found = Comparison()
    for row in expectation.intents:
        key = (UUID(bytes=row.operation), leaf(row))
        found.unfinished.append(Unfinished(row, journal.answers.get(key)))
    _heads(found, expectation, journal)
    names = {writer_id(name): name for name in await _writers(connection)}
    for checkpoint in journal.checkpoints.values():
        await _checkpoint(connection, found, checkpoint, names.get(checkpoint.writer))
    alone = [opening for opening in journal.openings if opening.stands_alone]
    await _uncopied(connection, found, alone)
    others = [opening for opening in journal.openings if not opening.stands_alone]
    await _openings(connection, found, others, used)
    return found


def _heads(found: Comparison, expectation: Expected, journal: Journalled) -> None:
    """The journal goes on from every place that a head or an anchor carries."""
    known = [
        (head.writer, head.sequence, head.made_at, head.journal_sequence, head.journal)
        for head in expectation.heads
    ]
    known += [
        ("", 0, anchor.made_at, anchor.journal_sequence, bytes.fromhex(anchor.journal or ""))
        for anchor in expectation.anchors
    ]
    for writer, sequence, made_at, place, chain in known:
        if place is None or place < journal.begins:
            continue
        if journal.restored_at is not None and made_at <= journal.restored_at:
            found.notices.append("the key store was restored; heads signed before are not compared")
            continue
        if journal.chains.get(place) != chain:
            source = f"head of row {sequence}" if writer else "anchor"
            found.findings.append(
                Finding(
                    Fault.ROLLED_BACK,
                    writer,
                    sequence,
                    f"the {source} carries entry {place} of the key holder's journal, which has "
                    "no such entry: the key store was put back from an older copy",
                )
            )


async def _checkpoint(
    connection: AsyncConnection, found: Comparison, checkpoint: Checkpoint, writer: str | None
) -> None:
    """The row that the key holder signed last is there, and is the same."""
    sequence = checkpoint.sequence
    hashed, end = None, 0
    if writer is not None:
        row = await Reader(connection).at(writer, sequence)
        hashed = None if row is None else bytes(row.hash)
        last = select(func.max(RAW.c.sequence)).where(RAW.c.writer == writer)
        end = await connection.scalar(last) or 0
    if hashed == checkpoint.chain or (hashed is None and end > sequence):
        return  # the row may have moved off: the walk tells whether that was allowed
    said = "is another one" if hashed is not None else "is missing"
    found.findings.append(
        Finding(
            Fault.ROLLED_BACK,
            writer or "",
            sequence,
            f"row {sequence}, which the key holder signed (journal entry {checkpoint.place}), "
            f"{said}: the database was put back from an older copy",
        )
    )


async def _uncopied(
    connection: AsyncConnection, found: Comparison, openings: list[Opening]
) -> None:
    if not openings:
        return
    query = select(RAW.c.after).where(RAW.c.action == Action.BREAK_GLASS_COPIED)
    copied = {json.loads(after)["entry"] for after in await connection.scalars(query)}
    departed = await _departed_until(connection)
    found.uncopied += [one for one in openings if one.sequence not in copied and one.at >= departed]
    if found.uncopied:
        found.notices.append(
            f"{len(found.uncopied)} entries of break-glass without the ledger are not copied yet"
        )


async def _openings(
    connection: AsyncConnection, found: Comparison, openings: list[Opening], used: set[bytes]
) -> None:
    if not openings:
        return
    known = await _rows_of(connection, openings, min(o.at for o in openings) - DAY)
    if any(_key(opening) not in known for opening in openings):
        known = await _rows_of(connection, openings, 0)  # clocks differ: look everywhere first
    departed = await _departed_until(connection)
    moved = 0
    for opening in openings:
        key = _key(opening)
        if known[key] == 1 and opening.ledger_row not in used:
            used.add(opening.ledger_row)
        elif key not in known and opening.at < departed:
            moved += 1
        else:
            found.findings.append(_unaudited(opening, repeated=key in known))
    if moved:
        found.notices.append(f"{moved} openings are older than the rows here; they have moved off")


def _unaudited(opening: Opening, *, repeated: bool) -> Finding:
    why = "its ledger row stands for another opening" if repeated else "no ledger row matches it"
    what = f"{opening.event}: {opening.act}" if opening.act else str(opening.event)
    verb = "opened" if opening.event in OPENINGS else "done"
    return Finding(
        Fault.UNAUDITED,
        "",
        opening.sequence,
        f"journal entry {opening.sequence} ({what}) was {verb} without audit: {why}",
    )


def _key(opening: Opening) -> tuple[bytes, bytes]:
    return (opening.operation.bytes if opening.operation else b"", opening.ledger_row)


async def _rows_of(
    connection: AsyncConnection, openings: list[Opening], since: int
) -> Counter[tuple[bytes, bytes]]:
    """(operation, leaf) of every row that one of these operations left, with how many there are."""
    operations = {opening.operation.bytes for opening in openings if opening.operation}
    known: Counter[tuple[bytes, bytes]] = Counter()
    for writer in await Reader(connection).writers():
        query = select(RAW).where(RAW.c.writer == writer, RAW.c.recorded_at >= since)
        query, last = query.order_by(RAW.c.sequence).limit(CHUNK), 0
        while rows := [
            Row(*row) for row in await connection.execute(query.where(RAW.c.sequence > last))
        ]:
            last = rows[-1].sequence
            known.update(
                (bytes(row.operation), leaf(row))
                for row in rows
                if bytes(row.operation) in operations
            )
    return known


async def _departed_until(connection: AsyncConnection) -> int:
    month = await connection.scalar(select(func.max(DEPARTURES.c.month)))
    return 0 if month is None else start_of(following(month))


async def _writers(connection: AsyncConnection) -> list[str]:
    reader = Reader(connection)
    return sorted({*await reader.writers(), "exchange"})
