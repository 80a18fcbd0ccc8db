"""People begin, change and end, each time with exactly one row."""

import asyncio

import pytest
from sqlalchemy import text

from storage.conflicts import NotFound, Stale, Taken, WrongState
from storage.identifiers import new_id
from storage.people import NewPerson, PersonState, due, facts_of, seen
from tests.support.clock import DAY
from tests.support.stores import Stores


async def test_a_person_is_added_sealed_and_read_back_with_a_row_each(stores: Stores) -> None:
    anna = await stores.hire("anna")

    person = await stores.do(stores.people.show, anna)

    assert (person.login, person.name) == ("anna", "Name of anna")
    assert person.facts.state is PersonState.ACTIVE
    assert await stores.actions() == ["person.added", "person.read"]


async def test_no_name_is_stored_or_recorded_in_clear(stores: Stores) -> None:
    await stores.hire("anna")

    async with stores.database.read() as connection:
        person = (await connection.execute(text("SELECT * FROM person"))).one()
    stored = b"".join(bytes(v) for v in person if isinstance(v, bytes | memoryview))
    recorded = "".join(str(row) for row in await stores.rows())

    assert b"anna" not in stored
    assert "anna" not in recorded


async def test_a_login_name_is_found_by_its_index_however_it_is_written(stores: Stores) -> None:
    anna = await stores.hire("Anna")

    assert await stores.ask(stores.people.find, "aNNA") == anna
    assert await stores.ask(stores.people.find, "ben") is None


async def test_a_login_name_belongs_to_one_person_for_ever(stores: Stores) -> None:
    anna = await stores.hire("anna")
    await stores.do(stores.people.leave, anna, "asked")

    with pytest.raises(Taken, match="log-in name"):
        await stores.hire("ANNA")


async def test_an_identifier_belongs_to_one_person(stores: Stores) -> None:
    anna = await stores.hire("anna")

    with pytest.raises(Taken, match="identifier"):
        await stores.do(
            stores.people.add, NewPerson(id=anna, login="other", name="Other", kind="staff")
        )


async def test_people_are_read_in_pages_with_one_row_each(stores: Stores) -> None:
    anna = await stores.hire("anna")
    ben = await stores.hire("ben")

    first = await stores.do(stores.people.listed)
    second = await stores.do(stores.people.listed, min(anna, ben))

    assert {person.facts.id for person in first} == {anna, ben}
    assert [person.facts.id for person in second] == [max(anna, ben)]
    assert (await stores.rows())[-1].after == '{"count":1}'


async def test_a_name_changes_without_being_recorded(stores: Stores) -> None:
    anna = await stores.hire("anna")

    await stores.do(stores.people.rename, anna, 1, "Anna Other")

    assert (await stores.do(stores.people.show, anna)).name == "Anna Other"
    assert "Other" not in str(await stores.rows())


async def test_an_end_is_recorded_before_and_after(stores: Stores) -> None:
    anna = await stores.hire("anna", "locum", until=stores.clock() + DAY)

    await stores.do(stores.people.set_end, anna, 1, stores.clock() + 2 * DAY)

    row = (await stores.rows())[-1]
    assert row.before == f'{{"until":{stores.clock() + DAY}}}'
    assert row.after == f'{{"until":{stores.clock() + 2 * DAY}}}'


async def test_of_two_concurrent_changes_one_wins_and_the_other_is_told(stores: Stores) -> None:
    anna = await stores.hire("anna")

    results = await asyncio.gather(
        stores.do(stores.people.rename, anna, 1, "One"),
        stores.do(stores.people.rename, anna, 1, "Two"),
        return_exceptions=True,
    )

    assert sorted(type(result) for result in results if result is not None) == [Stale]
    assert (await stores.actions()).count("person.changed") == 1


async def test_suspended_people_can_be_resumed_and_people_who_left_cannot(stores: Stores) -> None:
    anna = await stores.hire("anna")

    await stores.do(stores.people.suspend, anna, "asked")
    with pytest.raises(WrongState, match="suspended already"):
        await stores.do(stores.people.suspend, anna, "asked")
    await stores.do(stores.people.resume, anna, 2)
    with pytest.raises(WrongState, match="not suspended"):
        await stores.do(stores.people.resume, anna, 3)
    await stores.do(stores.people.leave, anna, "asked")

    for act in (stores.people.suspend, stores.people.leave):
        with pytest.raises(WrongState, match="has left"):
            await stores.do(act, anna, "asked")
    assert (await stores.ask(facts_of, anna)).ended_at == stores.clock()


async def test_a_failed_change_leaves_no_row(stores: Stores) -> None:
    nobody = new_id(stores.clock)

    for act in (stores.people.show, stores.people.enrolled):
        with pytest.raises(NotFound):
            await stores.do(act, nobody)

    assert await stores.actions() == []


async def test_enrolment_and_activity_are_remembered(stores: Stores) -> None:
    anna = await stores.hire("anna")
    stores.clock.now += DAY

    await stores.do(stores.people.enrolled, anna)
    facts = await stores.ask(facts_of, anna)
    assert facts.enrolled_at == facts.active_at == stores.clock()

    async with stores.database.begin() as connection:
        await seen(connection, anna, stores.clock() - 5)
    assert (await stores.ask(facts_of, anna)).active_at == stores.clock()


async def test_whose_time_has_come_is_found(stores: Stores) -> None:
    locum = await stores.hire("locum", "locum", until=stores.clock() + DAY)
    idle = await stores.hire("idle")
    stores.clock.now += 2 * DAY
    busy = await stores.hire("busy")

    found = await stores.ask(due, stores.clock(), stores.clock() - DAY)

    assert {facts.id for facts in found} == {locum, idle}
    assert busy not in {facts.id for facts in found}
