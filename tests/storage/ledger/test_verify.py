from dataclasses import replace
from pathlib import Path

import pytest

from storage.database import Database
from storage.errors import StorageUnavailable
from storage.ledger import anchors, reading
from storage.ledger.drain import drain
from storage.ledger.keeper import HeadKeeper
from storage.ledger.report import Fault, Report
from storage.ledger.segments import Segment, move_off
from storage.ledger.spool import Spool
from storage.ledger.spool_file import BODY
from storage.ledger.verify import Scope, verify
from tests.support.databases import Urls
from tests.support.ledger import Attacker, Signer, TestClock, entry, fill, rehash, rows_in

MONTHS = (1_704_100_000_000_000, 1_706_800_000_000_000)


def faults(report: Report) -> list[tuple[Fault, str, int]]:
    return [
        (finding.fault, finding.writer, finding.sequence)
        for finding in report.findings
        if finding.fault is not Fault.GUARD
    ]


def spool_at(path: Path) -> Spool:
    return Spool.open(path, "exchange", size=64 * 1024, reserved=8 * 1024)


async def test_progress_is_told_up_to_the_whole(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 2)
    await fill(database, 5)
    told: list[tuple[int, int]] = []

    report = await verify(database, Scope(), lambda done, total: told.append((done, total)))

    assert report.is_whole
    assert told == [(2, 5), (4, 5), (5, 5)]


async def test_rows_that_changed_places_are_named_with_where_they_stand(
    database: Database, database_urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 2)
    rows = await fill(database, 8)
    others = await fill(database, 1, "other")
    rows[1], rows[6] = rows[6]._replace(sequence=2), rows[1]._replace(sequence=7)
    attacker = Attacker(database_urls.owner)
    attacker.put(rows + others)
    attacker.close()

    report = await verify(database, Scope())

    assert faults(report) == [(Fault.REORDERED, "exchange", 2)]


async def test_each_chain_names_its_own_first_fault(
    database: Database, database_urls: Urls
) -> None:
    for writer in ("a", "b", "c"):
        await fill(database, 4, writer)
    attacker = Attacker(database_urls.owner)
    attacker.run("UPDATE ledger SET occurred_at = 1 WHERE writer = 'a' AND sequence > 1")
    attacker.run("DELETE FROM ledger WHERE writer = 'c' AND sequence = 3")
    attacker.close()

    report = await verify(database, Scope())

    assert faults(report) == [(Fault.ALTERED, "a", 2), (Fault.MISSING, "c", 3)]
    assert Fault.GUARD in {finding.fault for finding in report.findings}
    assert report.writers == ["a", "b", "c"]


async def test_a_window_is_walked_from_the_row_before_it(
    database: Database, database_urls: Urls
) -> None:
    rows = await fill(database, 9)
    attacker = Attacker(database_urls.owner)
    attacker.run("UPDATE ledger SET occurred_at = 1 WHERE sequence IN (2, 5, 9)")
    attacker.close()

    def window(first: int, last: int | None) -> Scope:
        until = rows[last - 1].recorded_at if last else None
        return Scope(since=rows[first - 1].recorded_at, until=until)

    assert faults(await verify(database, window(3, 5))) == []
    assert faults(await verify(database, window(3, None))) == [(Fault.ALTERED, "exchange", 5)]
    assert faults(await verify(database, window(6, 9))) == []
    assert faults(await verify(database, window(1, 3))) == [(Fault.ALTERED, "exchange", 2)]
    assert (await verify(database, Scope(since=rows[-1].recorded_at + 1))).findings[
        -1
    ].sequence == 2


async def test_a_head_that_is_missing_or_forged_is_a_finding(
    database: Database, database_urls: Urls
) -> None:
    clock = TestClock()
    signer = Signer(clock)
    keeper = HeadKeeper(database, "exchange", clock=clock, signer=signer)
    for _ in range(3):
        await fill(database, 1, clock=clock)
        await keeper.keep()
    scope = Scope(is_genuine=signer.is_genuine)
    assert (await verify(database, scope)).is_whole
    attacker = Attacker(database_urls.owner)
    attacker.run("UPDATE ledger_head SET made_at = made_at + 1 WHERE number = 3")
    forged = await verify(database, scope)
    unchecked = await verify(database, Scope())
    attacker.run("DELETE FROM ledger_head WHERE number = 2")
    missing = await verify(database, Scope())
    attacker.close()

    assert faults(forged) == [(Fault.HEAD, "exchange", 3)]
    assert faults(unchecked) == []
    assert faults(missing) == [(Fault.HEAD, "exchange", 3)]


async def test_rows_waiting_in_the_spool_count_and_torn_ones_are_told_from_altered_ones(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    spool = spool_at(path)
    spool.append([entry(1), entry(2), entry(3)], TestClock())
    writer = spool.writer
    spool.close()
    scope = Scope(spools=[path])
    whole = await verify(database, scope)
    data = path.read_bytes()
    end = len(data.rstrip(b"\0"))
    path.write_bytes(data[: end - 1] + b"\x01" + data[end:])
    cut = await verify(database, scope)
    changed = bytearray(data)
    changed[BODY + 40] ^= 1
    path.write_bytes(changed)
    altered = await verify(database, scope)

    assert (whole.is_whole, whole.rows, len(whole.notices)) == (True, 3, 1)
    assert (cut.is_whole, cut.rows, len(cut.notices)) == (True, 2, 2)
    assert faults(altered) == [(Fault.ALTERED, writer, 1)]


async def test_what_the_spool_lost_is_a_gap_before_and_after_it_comes_home(
    database: Database, tmp_path: Path
) -> None:
    spool = spool_at(tmp_path / "s")
    while not spool.append([entry()], TestClock()).lost:
        pass
    scope = Scope(spools=[tmp_path / "s"])

    waiting = await verify(database, scope)
    await drain(database, spool, TestClock())
    home = await verify(database, scope)
    spool.close()

    assert [(gap.sequence, gap.count) for gap in waiting.gaps] == [(None, 1)]
    assert [(gap.sequence is None, gap.count) for gap in home.gaps] == [(False, 1)]
    assert waiting.is_whole
    assert home.is_whole
    assert home.rows == waiting.rows + 1


async def test_rows_that_came_home_and_then_vanished_are_missed_by_the_spool(
    database: Database, database_urls: Urls, tmp_path: Path
) -> None:
    spool = spool_at(tmp_path / "s")
    spool.append([entry(1), entry(2)], TestClock())
    await drain(database, spool, TestClock())
    spool.close()
    others = await fill(database, 1, "other")
    attacker = Attacker(database_urls.owner)
    attacker.put(others)
    attacker.close()

    report = await verify(database, Scope(spools=[tmp_path / "s"]))

    assert faults(report) == [(Fault.MISSING, spool.writer, 1)]


async def test_a_spool_that_cannot_be_read_is_no_whole_ledger(
    database: Database, tmp_path: Path
) -> None:
    with pytest.raises(StorageUnavailable):
        await verify(database, Scope(spools=[tmp_path / "missing"]))


async def test_an_owner_who_recomputes_the_chain_is_caught_by_an_anchor(
    database: Database, database_urls: Urls
) -> None:
    rows = await fill(database, 4)
    others = await fill(database, 1, "other")
    anchor = await anchors.take(database, TestClock())
    rows[1] = rows[1]._replace(outcome="failed")
    attacker = Attacker(database_urls.owner)
    attacker.put(rehash(rows) + others)
    attacker.close()

    report = await verify(database, Scope(anchors=[anchor]))

    assert faults(report) == [(Fault.ALTERED, "exchange", 1)]
    assert report.findings[-1].last == 4


async def test_an_anchor_of_a_chain_nobody_knows_any_more(database: Database) -> None:
    await fill(database, 2)
    anchor = await anchors.take(database, TestClock())
    gone = replace_writer(anchor)

    report = await verify(database, Scope(anchors=[gone]))

    assert faults(report) == [(Fault.MISSING, "gone", 1)]


def replace_writer(anchor: anchors.Anchor) -> anchors.Anchor:
    heads = tuple(anchors.AnchoredHead("gone", h.sequence, h.hash) for h in anchor.heads)
    return anchors.Anchor(anchor.made_at, heads)


@pytest.fixture
async def departed(
    database: Database, database_urls: Urls, tmp_path: Path
) -> tuple[Scope, list[Segment]]:
    """Two months, the first moved off."""
    clock = TestClock()
    signer = Signer(clock)
    for start in MONTHS:
        clock.now = start
        await fill(database, 3, clock=clock)
    clock.now = 1_709_300_000_000_000
    await fill(database, 3, clock=clock)
    await HeadKeeper(database, "exchange", clock=clock, signer=signer).keep()
    attacker = Attacker.armed(database_urls.owner)
    await fill(database, 1, "other")
    found = attacker.select("SELECT * FROM ledger_segment ORDER BY month")
    attacker.close()
    closed = [Segment(*row) for row in found]
    move_off(database_urls.owner, closed[0], tmp_path, clock)
    return Scope(segment_directory=tmp_path, is_genuine=signer.is_genuine), closed


async def test_what_moved_off_is_walked_where_its_file_is_and_noted_where_not(
    database: Database, departed: tuple[Scope, list[Segment]]
) -> None:
    scope, _ = departed

    walked = await verify(database, scope)
    noted = await verify(database, replace(scope, segment_directory=None))

    assert (walked.is_whole, walked.rows, walked.notices) == (True, 10, [])
    assert (noted.is_whole, noted.rows, len(noted.notices)) == (True, 7, 1)


async def test_a_window_behind_what_moved_off(
    database: Database, database_urls: Urls, departed: tuple[Scope, list[Segment]]
) -> None:
    scope, _ = departed
    rows = rows_in(database_urls.owner, "exchange")

    report = await verify(database, replace(scope, since=rows[1].recorded_at))
    from_first = await verify(database, replace(scope, since=rows[0].recorded_at))

    assert (report.is_whole, report.rows) == (True, 6)
    assert (from_first.is_whole, from_first.rows) == (True, 10)


async def test_a_missing_file_stops_the_walk_of_that_chain(
    database: Database, departed: tuple[Scope, list[Segment]], tmp_path: Path
) -> None:
    scope, _ = departed
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    report = await verify(database, replace(scope, segment_directory=elsewhere, since=MONTHS[0]))

    assert faults(report) == [(Fault.MISSING, "exchange", 1)]


async def test_departures_that_do_not_join_the_chain_excuse_nothing(
    database: Database, database_urls: Urls, departed: tuple[Scope, list[Segment]]
) -> None:
    scope, _ = departed
    attacker = Attacker(database_urls.owner)
    attacker.run("UPDATE ledger_segment SET first = 2 WHERE month = 202401")
    attacker.close()

    report = await verify(database, scope)

    assert faults(report) == [(Fault.MISSING, "exchange", 1)]


async def test_two_departures_with_the_first_file_altered_name_the_first(
    database: Database,
    database_urls: Urls,
    departed: tuple[Scope, list[Segment]],
    tmp_path: Path,
) -> None:
    scope, closed = departed
    move_off(database_urls.owner, closed[1], tmp_path, TestClock())
    (tmp_path / "exchange-202401.ledger").write_bytes(b"x")

    report = await verify(database, scope)

    assert faults(report) == [(Fault.MISSING, "exchange", 1)]
