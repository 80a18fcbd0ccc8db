"""storage/ledger/reconciliation.py"""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from storage.database import Database
from storage.keyholder.journal import Event, Position
from storage.ledger import segments
from storage.ledger.actions import Action, Outcome
from storage.ledger.anchors import Anchor
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM, Entry
from storage.ledger.heads import HEADS, Head
from storage.ledger.reconciliation import GRACE, Comparison, Expected, compare, expected
from storage.ledger.report import Fault
from storage.ledger.row import Row
from storage.ledger.unit import Unit
from tests.support.databases import Urls
from tests.support.journal import Notebook
from tests.support.ledger import Attacker, TestClock, fill

LATER = 2_000_000_000_000_000


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    return Notebook(tmp_path / "journal")


async def record(database: Database, *entries: Entry, clock: Any = None) -> list[Row]:
    async def work(unit: Unit) -> Unit:
        for one in entries:
            unit.record(one)
        return unit

    async with Committer(database, "exchange", clock=clock or TestClock()) as committer:
        return list((await committer.run(work)).rows)


def intent(outcome: Outcome = Outcome.INTENDED, operation: UUID | None = None) -> Entry:
    return Entry(
        action=Action.PERSON_ADDED,
        outcome=outcome,
        actor=SYSTEM,
        operation=operation or uuid4(),
    )


async def look(
    database: Database,
    notebook: Notebook,
    *,
    now: int = LATER,
    start: int = 1,
    used: set[bytes] | None = None,
    anchors: tuple[Anchor, ...] = (),
) -> Comparison:
    async with database.read() as connection:
        expectation = await expected(connection, now, anchors=anchors)
        journal = expectation.journalled()
        journal.end = start - 1
        notebook.read(journal, start)
        return await compare(connection, expectation, journal, set() if used is None else used)


async def store_head(database: Database, row: Row, place: Position) -> None:
    head = Head("exchange", 1, row.sequence, row.hash, 5, place.sequence, place.chain, b"signature")
    async with database.begin() as connection:
        await connection.execute(HEADS.insert(), [head._asdict()])


def faults(comparison: Comparison) -> list[Fault]:
    return [finding.fault for finding in comparison.findings]


async def test_an_opening_with_its_row_is_as_it_should_be(
    database: Database, notebook: Notebook
) -> None:
    rows = await fill(database, 4)
    for row in rows[1:]:
        notebook.opened(row)
    notebook.signed(rows[-1])

    assert faults(await look(database, notebook)) == []


async def test_an_opening_without_a_row_is_named(database: Database, notebook: Notebook) -> None:
    (row, other) = await fill(database, 2)
    operation = UUID(bytes=row.operation)
    at = row.recorded_at
    notebook.opened(row)
    notebook.write(Event.MESSAGE_OPENED, at=at, operation=uuid4(), ledger_row=b"\1" * 32)
    notebook.write(Event.RECORDS_OPENED, at=at, operation=operation, ledger_row=b"\1" * 32)
    notebook.write(Event.NUMBER_LOOKED_UP, at=at, operation=operation)
    notebook.write(Event.MESSAGE_OPENED, at=LATER)

    found = await look(database, notebook)

    assert [(f.fault, f.sequence) for f in found.findings] == [
        (Fault.UNAUDITED, number) for number in (2, 3, 4, 5)
    ]
    assert "opened without audit: no ledger row matches it" in found.findings[0].sentence
    assert other.sequence == 2


async def test_what_was_destroyed_or_changed_without_a_row_is_named(
    database: Database, notebook: Notebook
) -> None:
    """By an exchange that was taken over: destroying takes nobody's proof."""
    (row,) = await fill(database, 1)
    notebook.opened(row, Event.MESSAGE_DESTROYED)
    who, at = uuid4(), row.recorded_at
    notebook.write(Event.MESSAGE_DESTROYED, at=at, operation=uuid4(), ledger_row=b"\1" * 32)
    notebook.write(Event.KEY_DESTROYED, at=at, operation=uuid4())
    notebook.write(Event.CHANGED, at=at, act="grant-role", person=who, operation=uuid4())

    found = await look(database, notebook)

    assert [(f.fault, f.sequence) for f in found.findings] == [
        (Fault.UNAUDITED, number) for number in (2, 3, 4)
    ]
    assert "(message-destroyed) was done without audit" in found.findings[0].sentence
    assert "(changed: grant-role) was done without audit" in found.findings[2].sentence


async def test_one_row_stands_for_one_opening_also_at_a_later_look(
    database: Database, notebook: Notebook
) -> None:
    (row,) = await fill(database, 1)
    used: set[bytes] = set()
    notebook.opened(row)
    assert faults(await look(database, notebook, used=used)) == []
    notebook.opened(row)

    found = await look(database, notebook, start=2, used=used)

    assert [f.sequence for f in found.findings] == [2]
    assert "stands for another opening" in found.findings[0].sentence


async def test_clocks_that_differ_are_no_finding(database: Database, notebook: Notebook) -> None:
    (row,) = await fill(database, 1)
    operation = UUID(bytes=row.operation)
    from storage.ledger.row import leaf

    notebook.write(Event.MESSAGE_OPENED, at=LATER, operation=operation, ledger_row=leaf(row))

    assert faults(await look(database, notebook)) == []


async def test_openings_whose_rows_moved_off_are_noted(
    database: Database, database_urls: Urls, notebook: Notebook, tmp_path: Path
) -> None:
    january = 1_704_100_000_000_000
    rows = await fill(database, 2, clock=TestClock(january))
    later = 1_714_100_000_000_000
    await record(database, intent(Outcome.DONE), clock=TestClock(later))
    await store_head(database, rows[1], notebook.signed(rows[1]))
    async with database.begin() as connection:
        (segment, *_) = await segments.close_months(connection, "exchange", TestClock(later))
    (tmp_path / "moved").mkdir()
    segments.move_off(database_urls.owner, segment, tmp_path / "moved", TestClock(later))
    notebook.opened(rows[0])

    found = await look(database, notebook)

    assert found.findings == []
    assert found.notices == ["1 openings are older than the rows here; they have moved off"]


@pytest.mark.parametrize(
    ("event", "outcome", "said"),
    [
        (None, Outcome.FAILED, "intended, not done"),
        (Event.CHANGED, Outcome.DONE, "never confirmed"),
        (Event.REFUSED, Outcome.REFUSED, "refused by the key holder"),
    ],
)
async def test_an_intent_that_nothing_followed_is_answered_by_the_journal(
    database: Database, notebook: Notebook, event: Event | None, outcome: Outcome, said: str
) -> None:
    followed = uuid4()
    rows = await record(
        database,
        intent(),
        intent(operation=followed),
        intent(Outcome.DONE, followed),
        intent(Outcome.DONE),
    )
    if event is not None:
        notebook.opened(rows[0], event)

    found = await look(database, notebook)

    assert found.findings == []
    ((unfinished),) = found.unfinished
    assert (unfinished.row.sequence, unfinished.outcome) == (1, outcome)
    assert said in unfinished.sentence
    early = await look(database, notebook, now=rows[0].recorded_at + GRACE)
    assert early.unfinished == [], "it may still be under way"


async def test_a_journal_put_back_does_not_know_what_a_head_carries(
    database: Database, notebook: Notebook, tmp_path: Path
) -> None:
    (row,) = await fill(database, 1)
    await store_head(database, row, notebook.signed(row))
    assert faults(await look(database, notebook)) == []
    older = Notebook(tmp_path / "older")

    behind = await look(database, older)
    older.write(Event.STARTED)
    regrown = await look(database, older)

    for found in (behind, regrown):
        assert faults(found) == [Fault.ROLLED_BACK]
        assert "the key store was put back" in found.findings[0].sentence
    assert faults(await look(database, older, start=2)) == [], "compared before"


async def test_a_restored_key_store_says_so_and_is_no_finding(
    database: Database, tmp_path: Path, notebook: Notebook
) -> None:
    (row,) = await fill(database, 1)
    await store_head(database, row, notebook.signed(row))
    restored = Notebook(tmp_path / "restored")
    restored.write(Event.RESTORED, at=6)

    found = await look(database, restored)

    assert found.findings == []
    assert "was restored" in found.notices[0]


async def test_an_anchor_knows_the_journal_too(database: Database, notebook: Notebook) -> None:
    place = notebook.write(Event.STARTED)
    good = Anchor(5, (), place.sequence, place.chain.hex())
    bad = Anchor(5, (), place.sequence, "00" * 32)

    assert faults(await look(database, notebook, anchors=(good, Anchor(5, ())))) == []
    (finding,) = (await look(database, notebook, anchors=(bad,))).findings
    assert finding.sentence.startswith("the anchor carries entry 1")


async def test_a_database_put_back_lacks_what_was_signed(
    database: Database, database_urls: Urls, notebook: Notebook
) -> None:
    rows = await fill(database, 3)
    notebook.signed(rows[-1])
    attacker = Attacker(database_urls.owner)
    attacker.put(rows[:2])
    attacker.close()

    (finding,) = (await look(database, notebook)).findings

    assert (finding.fault, finding.writer, finding.sequence) == (Fault.ROLLED_BACK, "exchange", 3)
    assert "is missing: the database was put back" in finding.sentence


async def test_another_row_in_the_place_of_a_signed_one_is_found(
    database: Database, notebook: Notebook
) -> None:
    (row,) = await fill(database, 1)
    notebook.signed(row._replace(hash=b"\1" * 32))
    notebook.signed(row._replace(writer="exchange.spool.gone"))

    found = (await look(database, notebook)).findings

    assert ["is another one" in f.sentence for f in found] == [True, False]
    assert [f.writer for f in found] == ["exchange", ""]


def test_nothing_expected_asks_for_nothing() -> None:
    journal = Expected().journalled()

    assert (journal.places, journal.operations) == (frozenset(), frozenset())


async def test_break_glass_without_the_ledger_is_to_be_copied_once(
    database: Database, notebook: Notebook
) -> None:
    (row,) = await fill(database, 1)
    person, at = uuid4(), row.recorded_at
    notebook.opened(row)
    for event in (Event.CHANGED, Event.MESSAGE_OPENED):
        notebook.write(event, at=at, act="break-glass", operation=uuid4(), person=person)
    notebook.write(Event.CHANGED, at=at, act="break-glass", operation=uuid4(), ledger_row=b"row")

    found = await look(database, notebook)

    assert found.findings == []
    assert [(one.sequence, one.person) for one in found.uncopied] == [(2, person), (3, person)]
    assert found.notices == ["2 entries of break-glass without the ledger are not copied yet"]

    copies = [
        Entry(
            action=Action.BREAK_GLASS_COPIED,
            outcome=Outcome.DONE,
            actor=SYSTEM,
            operation=uuid4(),
            after={"entry": one.sequence},
        )
        for one in found.uncopied
    ]
    await record(database, *copies)
    again = await look(database, notebook)
    assert (again.uncopied, again.notices) == ([], [])
