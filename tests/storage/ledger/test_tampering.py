"""Whatever is changed in the ledger by somebody who owns the database is found and named."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from storage.database import Database
from storage.ledger import anchors
from storage.ledger.anchors import Anchor
from storage.ledger.keeper import HeadKeeper
from storage.ledger.reading import TEXTS
from storage.ledger.report import Fault, Finding
from storage.ledger.row import Row
from storage.ledger.verify import Scope, verify
from tests.support.databases import Urls
from tests.support.ledger import Attacker, Signer, TestClock, fill, rehash, rows_in

ROWS = 24
PROPERTY = settings(
    max_examples=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


@dataclass
class Scene:
    database: Database
    attacker: Attacker
    rows: list[Row]
    anchor: Anchor
    scope: Scope

    async def findings(self, scope: Scope | None = None) -> list[Finding]:
        report = await verify(self.database, scope or self.scope)
        return [finding for finding in report.findings if finding.fault is not Fault.GUARD]


@pytest.fixture
async def scene(database: Database, database_urls: Urls) -> AsyncIterator[Scene]:
    clock = TestClock()
    await fill(database, ROWS, "exchange", clock)
    await fill(database, 3, "other", clock)
    signer = Signer(clock)
    await HeadKeeper(database, "exchange", clock=clock, signer=signer).keep()
    anchor = await anchors.take(database, clock)
    attacker = Attacker(database_urls.owner)
    scope = Scope(anchors=[anchor], is_genuine=signer.is_genuine)
    yield Scene(database, attacker, rows_in(database_urls.owner), anchor, scope)
    attacker.close()


@settings(PROPERTY, max_examples=150)
@given(
    index=st.integers(0, ROWS - 1),
    column=st.sampled_from(Row._fields),
    place=st.integers(0, 2**16),
    bit=st.integers(0, 7),
)
async def test_a_flipped_bit_of_any_column_of_any_row_is_named(
    scene: Scene, index: int, column: str, place: int, bit: int
) -> None:
    row = scene.rows[index]
    value, flipped = _flip(getattr(row, column), place, bit)
    is_text = column in TEXTS
    if is_text and not scene.attacker.is_sqlite:
        assume(_is_postgres_text(flipped))
    new = "CAST(:new AS TEXT)" if is_text and scene.attacker.is_sqlite else ":new"
    if is_text and not scene.attacker.is_sqlite:
        flipped = flipped.decode()
    try:
        scene.attacker.run(
            f"UPDATE ledger SET {column} = {new} "  # noqa: S608 - a column of ours
            "WHERE writer = :w AND sequence = :s",
            new=flipped,
            w=row.writer,
            s=row.sequence,
        )
    except Exception as refused:
        assume("UNIQUE" not in str(refused) and "duplicate key" not in str(refused))
        raise

    found = await scene.findings()
    without_anchor = await scene.findings(replace(scene.scope, anchors=[]))

    scene.attacker.put(scene.rows)
    assert (row.writer, row.sequence) in {(f.writer, f.sequence) for f in found} or (
        column == "sequence" and flipped <= 0
    ), (column, value, flipped, found)
    assert found and without_anchor


def _flip(value: object, place: int, bit: int) -> tuple[object, object]:
    match value:
        case None:
            return value, b"x"
        case int():
            data = bytearray(value.to_bytes(8, signed=True))
        case str():
            data = bytearray(value.encode())
        case bytes():
            data = bytearray(value)
    data[place % len(data)] ^= 1 << bit
    if isinstance(value, int):
        return value, int.from_bytes(data, signed=True)
    return value, bytes(data)


def _is_postgres_text(data: object) -> bool:
    assert isinstance(data, bytes)
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


@PROPERTY
@given(first=st.integers(1, ROWS), count=st.integers(1, ROWS))
async def test_deleted_rows_are_named(scene: Scene, first: int, count: int) -> None:
    last = min(first + count - 1, ROWS)
    scene.attacker.run(
        "DELETE FROM ledger WHERE writer = 'exchange' AND sequence BETWEEN :first AND :last",
        first=first,
        last=last,
    )

    found = await scene.findings()

    scene.attacker.put(scene.rows)
    assert [(f.fault, f.writer, f.sequence) for f in found] == [(Fault.MISSING, "exchange", first)]


@PROPERTY
@given(
    pair=st.lists(st.integers(0, ROWS - 1), min_size=2, max_size=2, unique=True), deep=st.booleans()
)
async def test_two_swapped_rows_are_named(scene: Scene, pair: list[int], deep: bool) -> None:
    one, two = sorted(pair)
    rows = list(scene.rows)
    first, second = rows[one], rows[two]
    rows[one] = second._replace(sequence=first.sequence)
    rows[two] = first._replace(sequence=second.sequence)
    if deep:  # the hashes stay where they were
        rows[one] = rows[one]._replace(hash=first.hash)
        rows[two] = rows[two]._replace(hash=second.hash)
    scene.attacker.put(rows)

    found = await scene.findings()

    scene.attacker.put(scene.rows)
    assert [(f.fault, f.sequence) for f in found] == [(Fault.REORDERED, first.sequence)]
    assert str(second.sequence) in found[0].sentence


@PROPERTY
@given(keep=st.integers(0, ROWS - 1), where=st.sampled_from(["heads", "anchor"]))
async def test_a_cut_tail_is_missed_by_a_head_kept_elsewhere(
    scene: Scene, keep: int, where: str
) -> None:
    scene.attacker.put([r for r in scene.rows if r.writer != "exchange" or r.sequence <= keep])
    scope = scene.scope if where == "anchor" else replace(scene.scope, anchors=[])

    found = await scene.findings(scope)

    scene.attacker.put(scene.rows)
    assert [(f.fault, f.sequence) for f in found] == [(Fault.MISSING, keep + 1)]


@pytest.mark.parametrize("has_heads", [True, False])
@pytest.mark.parametrize("edited", [1, 7, ROWS])
async def test_an_owner_who_recomputes_every_later_hash_is_caught_by_an_anchor(
    scene: Scene, edited: int, has_heads: bool
) -> None:
    ours = [row for row in scene.rows if row.writer == "exchange"]
    ours[edited - 1] = ours[edited - 1]._replace(outcome="done", action="system.stopped")
    scene.attacker.put(rehash(ours) + [row for row in scene.rows if row.writer != "exchange"])
    if not has_heads:
        scene.attacker.run("DELETE FROM ledger_head")

    found = await scene.findings()
    unaware = await scene.findings(replace(scene.scope, anchors=[]))

    assert [(f.fault, f.sequence, f.last) for f in found] == [(Fault.ALTERED, 1, ROWS)]
    assert len(unaware) == (1 if has_heads else 0)


async def test_an_owner_who_forges_the_heads_as_well_lacks_the_signature(scene: Scene) -> None:
    ours = [row for row in scene.rows if row.writer == "exchange"]
    ours[2] = ours[2]._replace(outcome="failed")
    forged = rehash(ours)
    scene.attacker.put(forged + [row for row in scene.rows if row.writer != "exchange"])
    scene.attacker.run("UPDATE ledger_head SET hash = :hash", hash=forged[-1].hash)

    found = await scene.findings(replace(scene.scope, anchors=[]))

    assert [f.fault for f in found] == [Fault.HEAD]


async def test_an_untouched_ledger_is_whole(database: Database) -> None:
    await fill(database, ROWS)

    report = await verify(database, Scope())

    assert report.is_whole
    assert (report.rows, report.writers, report.gaps) == (ROWS, ["exchange"], [])
