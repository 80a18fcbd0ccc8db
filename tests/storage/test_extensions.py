"""Extensions and tenures: one open epoch at most, and each new holder begins an empty one."""

import asyncio
from uuid import UUID

import pytest

from storage import tenures
from storage.conflicts import NotFound, Stale, Taken, WrongState
from storage.extensions import version_of
from storage.identifiers import new_id
from storage.ledger.actions import Action
from storage.tenures import NewTenure
from tests.support.clock import DAY
from tests.support.stores import Stores


def tenure(stores: Stores, extension: UUID, person: UUID, until: int | None = None) -> NewTenure:
    return NewTenure(
        id=new_id(stores.clock),
        extension=extension,
        person=person,
        mailbox=new_id(stores.clock),
        until=until,
    )


async def extension(stores: Stores, number: str = "1042") -> UUID:
    made = new_id(stores.clock)
    await stores.do(stores.extensions.add, made, number)
    return made


async def assign(stores: Stores, number: UUID, person: UUID, until: int | None = None) -> NewTenure:
    new = tenure(stores, number, person, until)
    version = await stores.ask(version_of, number)
    await stores.do(stores.extensions.assign, new, version)
    return new


async def test_a_number_is_sealed_unique_and_found(stores: Stores) -> None:
    made = await extension(stores)

    assert await stores.ask(stores.extensions.find, "1042") == made
    assert (await stores.do(stores.extensions.show, made)).number == "1042"
    with pytest.raises(Taken, match="number"):
        await extension(stores)
    assert "1042" not in str(await stores.rows())


async def test_an_assignment_opens_a_new_epoch_and_closes_the_old_one(stores: Stores) -> None:
    number, anna, ben = await extension(stores), await stores.hire("a"), await stores.hire("b")
    first = await assign(stores, number, anna)

    second = await assign(stores, number, ben)

    [shown] = await stores.do(stores.extensions.listed)
    assert shown.tenure is not None
    assert (shown.tenure.id, shown.tenure.person) == (second.id, ben)
    assert first.mailbox != second.mailbox
    assert (await stores.ask(tenures.get, first.id)).ended_at == stores.clock()
    row = [row for row in await stores.rows() if row.action == Action.EXTENSION_ASSIGNED][-1]
    assert str(first.id) in row.before
    assert str(second.id) in row.after


async def test_nobody_is_given_their_own_number_again(stores: Stores) -> None:
    number, anna = await extension(stores), await stores.hire("a")
    await assign(stores, number, anna)

    with pytest.raises(WrongState, match="already"):
        await assign(stores, number, anna)


async def test_a_person_who_is_not_active_gets_no_number(stores: Stores) -> None:
    number, anna = await extension(stores), await stores.hire("a")
    await stores.do(stores.people.suspend, anna, "asked")

    with pytest.raises(WrongState, match="not active"):
        await assign(stores, number, anna)


async def test_two_assignments_at_once_do_not_both_happen(stores: Stores) -> None:
    number, anna, ben = await extension(stores), await stores.hire("a"), await stores.hire("b")

    results = await asyncio.gather(
        stores.do(stores.extensions.assign, tenure(stores, number, anna), 1),
        stores.do(stores.extensions.assign, tenure(stores, number, ben), 1),
        return_exceptions=True,
    )

    assert sorted(type(result) for result in results if result is not None) == [Stale]


async def test_a_released_number_is_nobodys(stores: Stores) -> None:
    number, anna = await extension(stores), await stores.hire("a")
    await assign(stores, number, anna)

    ended = await stores.do(stores.extensions.release, number)

    assert ended.person == anna
    assert (await stores.do(stores.extensions.show, number)).tenure is None
    with pytest.raises(WrongState, match="nobody"):
        await stores.do(stores.extensions.release, number)
    with pytest.raises(Stale):
        await stores.do(stores.extensions.release, number, 1)


async def test_an_epoch_goes_on_after_a_temporary_one(stores: Stores) -> None:
    number, anna, ben = await extension(stores), await stores.hire("a"), await stores.hire("b")
    first = await assign(stores, number, anna)
    second = await assign(stores, number, ben, until=stores.clock() + DAY)
    stores.clock.now += DAY
    assert [t.id for t in await stores.ask(tenures.expired, stores.clock())] == [second.id]

    ended = await stores.do(stores.extensions.restore, Action.EXTENSION_UNDONE, number, first.id)

    assert ended is not None
    assert ended.id == second.id
    present = await stores.ask(tenures.open_on, number)
    assert present is not None
    assert (present.id, present.mailbox) == (first.id, first.mailbox)


async def test_an_epoch_resumes_only_where_it_was_and_for_an_active_person(stores: Stores) -> None:
    one, two = await extension(stores, "1"), await extension(stores, "2")
    anna = await stores.hire("a")
    first = await assign(stores, one, anna)
    restore, action = stores.extensions.restore, Action.EXTENSION_UNDONE

    with pytest.raises(WrongState, match="resumed"):
        await stores.do(restore, action, one, first.id)
    await stores.do(stores.extensions.release, one)
    with pytest.raises(WrongState, match="resumed"):
        await stores.do(restore, action, two, first.id)
    assert await stores.do(restore, action, one, first.id) is None
    await stores.do(stores.extensions.release, one)
    await stores.do(stores.people.suspend, anna, "asked")
    with pytest.raises(WrongState, match="not active"):
        await stores.do(restore, action, one, first.id)


async def test_an_epoch_never_ends_before_it_began(stores: Stores) -> None:
    number, anna = await extension(stores), await stores.hire("a")
    first = await assign(stores, number, anna)
    stores.clock.now -= DAY

    await stores.do(stores.extensions.release, number)

    ended = await stores.ask(tenures.get, first.id)
    assert ended.ended_at == ended.started_at


async def test_what_does_not_exist_is_not_found(stores: Stores) -> None:
    with pytest.raises(NotFound):
        await stores.do(stores.extensions.show, UUID(int=1))
    with pytest.raises(NotFound):
        await stores.ask(tenures.get, UUID(int=1))
