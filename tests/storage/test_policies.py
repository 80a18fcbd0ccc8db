"""Policy values stay in their bounds, and temporary ones revert."""

import pytest

from storage import policies
from storage.conflicts import NotFound, Stale, WrongState
from storage.identifiers import new_id
from tests.support.clock import DAY
from tests.support.stores import Stores

NAME = "session-limit"


async def put(stores: Stores, version: int, value: int, until: int | None = None) -> None:
    await stores.do(policies.set_value, NAME, version, value, until, new_id(stores.clock))


async def value(stores: Stores) -> int:
    return await stores.ask(policies.value_of, NAME, stores.clock())


async def test_a_default_holds_until_somebody_changes_it(stores: Stores) -> None:
    assert await value(stores) == 5

    await put(stores, 0, 3)
    await put(stores, 1, 4)

    assert await value(stores) == 4
    row = (await stores.rows())[-1]
    assert row.before == '{"name":"session-limit","value":3}'


async def test_a_temporary_value_counts_until_its_end_and_then_reverts(stores: Stores) -> None:
    await put(stores, 0, 3)
    await put(stores, 1, 9, stores.clock() + DAY)
    await put(stores, 2, 8, stores.clock() + DAY)
    assert await value(stores) == 8

    stores.clock.now += DAY
    assert await value(stores) == 3
    assert await stores.ask(policies.expired, stores.clock()) == [NAME]
    await stores.do(policies.revert, NAME)

    assert await value(stores) == 3
    assert await stores.ask(policies.expired, stores.clock()) == []
    with pytest.raises(WrongState, match="no end"):
        await stores.do(policies.revert, NAME)


async def test_a_temporary_first_value_reverts_to_the_default(stores: Stores) -> None:
    await put(stores, 0, 9, stores.clock() + DAY)
    stores.clock.now += DAY

    assert await value(stores) == 5


@pytest.mark.parametrize("wrong", [0, 21, -1, 10**12])
async def test_values_outside_their_bounds_are_refused(stores: Stores, wrong: int) -> None:
    with pytest.raises(WrongState, match="takes 1 to 20"):
        await put(stores, 0, wrong)


async def test_unknown_names_and_stale_versions_are_refused(stores: Stores) -> None:
    with pytest.raises(NotFound):
        await stores.do(policies.set_value, "no-such", 0, 1, None, new_id(stores.clock))
    with pytest.raises(Stale):
        await put(stores, 4, 3)


async def test_all_values_are_listed_with_a_row(stores: Stores) -> None:
    await put(stores, 0, 3)

    values = {v.policy.name: (v.value, v.version) for v in await stores.do(policies.all_values)}

    assert values[NAME] == (3, 1)
    assert values["exception-days"] == (90, 0)
    assert (await stores.actions())[-1] == "policy.listed"
