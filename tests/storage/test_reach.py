"""Do-not-disturb and forwards: sealed, of a tenure, with a row that has before and after."""

from uuid import UUID

import msgspec
import pytest
from sqlalchemy import select

from storage import phonebook
from storage.conflicts import NotFound, WrongState
from storage.extensions import version_of
from storage.identifiers import new_id
from storage.models.extensions import reach as table
from storage.phones import Phones
from storage.reach import UNSET, Change, Forward, Reach, When
from storage.sealed.fields import FieldKey
from storage.tenures import NewTenure
from tests.support.stores import Stores


async def number(stores: Stores, digits: str) -> UUID:
    made = new_id(stores.clock)
    await stores.do(stores.extensions.add, made, digits)
    return made


async def give(stores: Stores, extension: UUID, person: UUID) -> UUID:
    tenure = new_id(stores.clock)
    new = NewTenure(
        id=tenure, extension=extension, person=person, mailbox=new_id(stores.clock)
    )  # fmt: skip
    version = await stores.ask(version_of, extension)
    await stores.do(stores.extensions.assign, new, version)
    return tenure


async def test_settings_are_kept_sealed_and_recorded(stores: Stores) -> None:
    anna = await stores.hire("anna")
    own, other = await number(stores, "1001"), await number(stores, "1002")
    tenure = await give(stores, own, anna)
    assert await stores.do(stores.reaches.of, anna) == {own: UNSET}

    await stores.do(stores.reaches.change, anna, Change(when=None, is_on=True, until=7))
    forward = Change(when=When.BUSY, is_on=True, target=other)
    await stores.do(stores.reaches.change, anna, forward)

    expected = Reach(
        do_not_disturb=True, undisturbed_until=7, forwards=(Forward(When.BUSY, other),)
    )
    assert await stores.do(stores.reaches.of, anna) == {own: expected}
    async with stores.database.read() as connection:
        [row] = (await connection.execute(select(table))).all()
    assert (row.id, row.version, b"busy" in row.settings_sealed) == (tenure, 2, False)
    changed = [row for row in await stores.rows() if row.action == "reach.changed"]
    assert [row.subject_id for row in changed] == [own, own]
    assert msgspec.json.decode(changed[1].before)["forwards"] == []
    assert msgspec.json.decode(changed[1].after)["forwards"][0]["extension"] == str(other)
    phones = Phones(FieldKey(b"k" * 32, "device-auth"))
    [held] = (await stores.ask(phonebook.read, stores.fields, phones, stores.clock())).tenancies
    assert held.reach == expected

    for undone in (Change(when=None, is_on=False), Change(when=When.BUSY, is_on=False)):
        await stores.do(stores.reaches.change, anna, undone)
    assert await stores.do(stores.reaches.of, anna) == {own: UNSET}


async def test_the_next_holder_begins_with_none_of_it(stores: Stores) -> None:
    anna, ben = await stores.hire("anna"), await stores.hire("ben")
    own = await number(stores, "1001")
    await give(stores, own, anna)
    await stores.do(stores.reaches.change, anna, Change(when=None, is_on=True))

    await give(stores, own, ben)

    assert await stores.do(stores.reaches.of, ben) == {own: UNSET}
    with pytest.raises(WrongState, match="holds no extension"):
        await stores.do(stores.reaches.change, anna, Change(when=None, is_on=True))


async def test_nobody_forwards_an_extension_to_itself(stores: Stores) -> None:
    anna = await stores.hire("anna")
    own = await number(stores, "1001")
    await give(stores, own, anna)

    with pytest.raises(WrongState, match="itself"):
        await stores.do(
            stores.reaches.change, anna, Change(when=When.ALWAYS, is_on=True, target=own)
        )


async def test_how_many_calls_at_once_has_an_end_and_is_kept_beside_the_rest(
    stores: Stores,
) -> None:
    anna = await stores.hire("anna")
    own = await number(stores, "1001")
    await give(stores, own, anna)
    limit = Change(when=None, is_on=True, is_limit=True, most_calls=1, until=7)

    await stores.do(stores.reaches.change, anna, Change(when=None, is_on=True))
    await stores.do(stores.reaches.change, anna, limit)

    reach = (await stores.do(stores.reaches.of, anna))[own]
    assert (reach.limit(6), reach.limit(7), reach.do_not_disturb) == (1, None, True)
    off = msgspec.structs.replace(limit, is_on=False)
    await stores.do(stores.reaches.change, anna, off)
    assert (await stores.do(stores.reaches.of, anna))[own] == Reach(do_not_disturb=True)


async def test_the_last_setting_is_undone_once_and_for_the_same_holder_only(
    stores: Stores,
) -> None:
    anna, ben = await stores.hire("anna"), await stores.hire("ben")
    own, other = await number(stores, "1001"), await number(stores, "1002")
    await give(stores, own, anna)
    first = Reach(forwards=(Forward(When.ALWAYS, other, 9),))
    change = Change(when=When.ALWAYS, is_on=True, target=other, until=9)
    await stores.do(stores.reaches.change, anna, change)
    await stores.do(stores.reaches.change, anna, Change(when=None, is_on=True))

    await stores.do(stores.reaches.undo, own)
    assert await stores.do(stores.reaches.of, anna) == {own: first}
    with pytest.raises(WrongState, match="no setting left"):
        await stores.do(stores.reaches.undo, own)
    await stores.do(stores.reaches.change, anna, Change(when=When.ALWAYS, is_on=False))
    await stores.do(stores.reaches.undo_all, anna)
    assert await stores.do(stores.reaches.of, anna) == {own: first}
    assert [row.action for row in await stores.rows()].count("reach.undone") == 2

    await stores.do(stores.reaches.change, anna, Change(when=None, is_on=True))
    await give(stores, own, ben)
    with pytest.raises(WrongState, match="somebody else"):
        await stores.do(stores.reaches.undo, own)
    with pytest.raises(WrongState, match="holds no extension"):
        await stores.do(stores.reaches.undo_all, anna)
    with pytest.raises(NotFound):
        await stores.do(stores.reaches.undo, other)
