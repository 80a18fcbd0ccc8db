"""An index that was edited is noticed: what it hides, and what it makes up."""

from uuid import UUID

import pytest

from storage.database import Database
from storage.ledger import index, table
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import SYSTEM, Entry
from storage.ledger.report import Fault, Report
from storage.ledger.row import Row, Tip
from storage.ledger.verify import Scope, verify
from tests.support.databases import Urls
from tests.support.ledger import Attacker, TestClock

ANNA, BEN = UUID(int=1), UUID(int=2)
FORGED = "INSERT INTO ledger_mention SELECT {id}, occurred_at, writer, sequence FROM ledger \
WHERE sequence = {row}"


async def named(database: Database, *people: UUID, writer: str = "exchange") -> list[Row]:
    """A chain of rows, each of which names one of them."""
    tip, clock = Tip.start(writer), TestClock()
    rows = []
    for person in people:
        entry = Entry(
            action=Action.MEMBER_ADDED, outcome=Outcome.DONE, actor=SYSTEM, operation=ANNA,
            after={"person": str(person)},
        )  # fmt: skip
        row, tip = tip.extend(entry, clock())
        rows.append(row)
    async with database.begin() as connection:
        await table.append(connection, rows)
    return rows


def faults(report: Report) -> list[tuple[Fault, str, int]]:
    return [
        (one.fault, one.writer, one.sequence)
        for one in report.findings
        if one.fault is not Fault.GUARD
    ]


def edit(urls: Urls, *statements: str) -> None:
    attacker = Attacker(urls.owner)
    for statement in statements:
        attacker.run(statement)
    attacker.close()


@pytest.fixture(params=[5_000, 2])
def _span(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SPAN", request.param)


@pytest.mark.usefixtures("_span")
async def test_a_row_that_a_search_would_not_show_is_named(
    database: Database, database_urls: Urls
) -> None:
    await named(database, *[ANNA, BEN] * 4)
    await named(database, ANNA, writer="other")
    assert (await verify(database, Scope())).is_whole

    edit(database_urls, "DELETE FROM ledger_mention WHERE sequence IN (4, 7)")
    report = await verify(database, Scope())

    assert faults(report) == [(Fault.INDEX, "exchange", 4)]
    [sentence] = [one.sentence for one in report.findings if one.fault is Fault.INDEX]
    assert sentence == "the index lacks what row 4 names: a search by it does not show the row"


@pytest.mark.usefixtures("_span")
async def test_what_a_row_does_not_name_and_a_row_that_is_not_there_are_noticed(
    database: Database, database_urls: Urls
) -> None:
    await named(database, ANNA, ANNA, ANNA)
    assert (await verify(database, Scope())).is_whole
    name = "x'000000000000000000000000000000ff'"
    if database_urls.owner.get_backend_name() == "postgresql":
        name = f"decode('{name[2:-1]}', 'hex')"

    edit(database_urls, FORGED.format(id=name, row=2))
    invented = await verify(database, Scope())
    edit(database_urls, "DELETE FROM ledger_mention WHERE sequence = 2",
         "UPDATE ledger_mention SET sequence = 900 WHERE sequence = 3")  # fmt: skip
    moved = await verify(database, Scope())

    assert faults(invented) == [(Fault.INDEX, "exchange", 2)]
    assert "what that row does not name" in invented.findings[-1].sentence
    assert faults(moved) == [(Fault.INDEX, "exchange", 2)]


async def test_a_window_compares_what_was_walked(database: Database, database_urls: Urls) -> None:
    rows = await named(database, *[ANNA] * 9)
    edit(database_urls, "DELETE FROM ledger_mention WHERE sequence IN (2, 8)")

    def window(first: int, last: int) -> Scope:
        return Scope(since=rows[first - 1].recorded_at, until=rows[last - 1].recorded_at)

    assert faults(await verify(database, window(4, 8))) == []
    assert faults(await verify(database, window(4, 9))) == [(Fault.INDEX, "exchange", 8)]
    assert faults(await verify(database, window(2, 5))) == [(Fault.INDEX, "exchange", 2)]


async def test_of_a_chain_with_a_fault_the_fault_is_named_alone(
    database: Database, database_urls: Urls
) -> None:
    await named(database, ANNA, BEN)
    edit(database_urls, "UPDATE ledger SET occurred_at = 1 WHERE sequence = 1")

    assert faults(await verify(database, Scope())) == [(Fault.ALTERED, "exchange", 1)]
