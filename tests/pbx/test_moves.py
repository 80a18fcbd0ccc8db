"""A phone that was never there is a row; one that is never the same is ten an hour."""

from uuid import UUID

import msgspec
import pytest

from pbx import moves
from pbx.moves import HOUR, MOST, Moves
from storage.phone_places import PhonePlaces
from tests.support.databases import Urls
from tests.support.ledger import Attacker
from tests.support.stores import Stores

DESK, DOOR = UUID(int=1), UUID(int=2)


@pytest.fixture
def watch(stores: Stores) -> Moves:
    return restarted(stores)


def restarted(stores: Stores) -> Moves:
    return Moves(stores.committer, PhonePlaces(stores.fields), stores.clock)


async def told(stores: Stores) -> list[tuple[UUID, bool, bool]]:
    found = [row for row in await stores.rows() if row.action == "registration.moved"]
    facts = [msgspec.json.decode(row.after) for row in found]
    return [
        (row.subject_id, said["address"], said["program"])
        for row, said in zip(found, facts, strict=True)
    ]


async def test_only_what_a_phone_never_had_is_a_row_also_after_a_restart(
    stores: Stores, watch: Moves
) -> None:
    watch.seen(DESK, "192.0.2.1", "A/1", 1)
    watch.seen(DOOR, "192.0.2.2", "A/1", 1)
    await watch.write()
    assert await told(stores) == []

    for one in (watch, restarted(stores)):
        one.seen(DESK, "198.51.100.7", "A/1", 2)
        one.seen(DESK, "192.0.2.1", "A/1", 3)
        one.seen(DOOR, "192.0.2.1", "A/2", 4)
        await one.write()

    assert sorted(await told(stores)) == [(DESK, True, False), (DOOR, True, True)]


async def test_one_that_is_never_the_same_fills_no_ledger(stores: Stores, watch: Moves) -> None:
    for number in range(3 * MOST):
        watch.seen(DESK, f"192.0.2.{number}", "A/1", number)
        await watch.write()
    assert len(await told(stores)) == MOST

    watch.seen(DESK, "192.0.2.200", "A/1", HOUR + MOST)
    await watch.write()

    assert len(await told(stores)) == MOST + 1


async def test_what_this_process_has_met_is_bounded(
    stores: Stores, watch: Moves, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "REMEMBERED", 2)
    for number in range(4):
        watch.seen(UUID(int=number), "192.0.2.1", "A/1", number)
    await watch.write()
    watch.seen(UUID(int=2), "192.0.2.1", "A/1", 9)
    watch.seen(UUID(int=3), "192.0.2.1", "A/1", 9)
    await watch.write()
    watch.seen(UUID(int=3), "192.0.2.9", "A/1", 9)
    await watch.write()

    assert await told(stores) == [(UUID(int=3), True, False)]


async def test_without_a_ledger_it_waits_and_is_told_late(
    stores: Stores, watch: Moves, database_urls: Urls
) -> None:
    owner = Attacker.armed(database_urls.owner)
    watch.seen(DESK, "192.0.2.1", "A/1", 1)
    await watch.write()
    watch.seen(DESK, "198.51.100.7", "A/1", 2)
    owner.run("ALTER TABLE ledger RENAME TO away")
    await watch.write()
    owner.run("ALTER TABLE away RENAME TO ledger")
    owner.close()
    assert await told(stores) == []
    assert await stores.committer.retry()

    await watch.write()

    assert await told(stores) == [(DESK, True, False)]
