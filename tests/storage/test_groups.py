"""Ring groups in the store: sealed, one number for one thing, every change undone once."""

from uuid import UUID

import msgspec
import pytest
from sqlalchemy import select

from storage import phonebook
from storage.conflicts import NotFound, Stale, Taken, WrongState
from storage.extensions import version_of as extension_version
from storage.groups import MOST_MEMBERS, Group, Member, Settings, Strategy, version_of
from storage.identifiers import new_id
from storage.models.groups import ring_group_state
from storage.phones import Phones
from storage.sealed.fields import FieldKey
from storage.tenures import NewTenure
from tests.support.stores import Stores

DESK = Settings(name="Front desk", strategy=Strategy.BY_ROUND, ring_seconds=25)


async def number(stores: Stores, digits: str) -> UUID:
    made = new_id(stores.clock)
    await stores.do(stores.extensions.add, made, digits)
    return made


async def group(stores: Stores, digits: str, settings: Settings = DESK) -> UUID:
    await stores.do(stores.groups.add, new_id(stores.clock), digits, settings)
    found = await stores.ask(stores.extensions.find, digits)
    assert found is not None
    return found


async def give(stores: Stores, extension: UUID, person: UUID) -> UUID:
    new = NewTenure(
        id=new_id(stores.clock), extension=extension, person=person, mailbox=new_id(stores.clock)
    )
    version = await stores.ask(extension_version, extension)
    await stores.do(stores.extensions.assign, new, version)
    return new.mailbox


async def shown(stores: Stores, of: UUID) -> Group:
    return await stores.do(stores.groups.show, of)


async def test_a_group_is_kept_sealed_and_its_changes_are_recorded_without_its_name(
    stores: Stores,
) -> None:
    member = await number(stores, "1001")
    desk = await group(stores, "2000")
    changed = msgspec.structs.replace(
        DESK, name="Nurses", members=(Member(extension=member, delay=5),)
    )

    await stores.do(stores.groups.change, desk, 1, changed)

    assert await shown(stores, desk) == Group(desk, "2000", 2, changed)
    assert await stores.do(stores.groups.listed) == [Group(desk, "2000", 2, changed)]
    async with stores.database.read() as connection:
        states = (await connection.scalars(select(ring_group_state.c.settings_sealed))).all()
    assert len(states) == 2
    assert not any(b"Nurses" in state or b"round" in state for state in states)
    rows = [row for row in await stores.rows() if row.subject_id == desk and row.after]
    added, altered = [row for row in rows if row.action in ("group.added", "group.changed")]
    assert added.before is None
    before, after = (msgspec.json.decode(text) for text in (altered.before, altered.after))
    assert (before["members"], after["members"][0]["extension"]) == ([], str(member))
    assert after["name"] == "changed"
    assert "Nurses" not in altered.after
    assert before["state"] != after["state"]


async def test_a_number_is_a_persons_or_a_groups(stores: Stores) -> None:
    anna, own = await stores.hire("anna"), await number(stores, "1001")
    await give(stores, own, anna)
    with pytest.raises(WrongState, match="belongs to a person"):
        await group(stores, "1001")
    desk = await group(stores, "2000")
    with pytest.raises(Taken, match="number"):
        await group(stores, "2000")
    with pytest.raises(WrongState, match="belongs to a group"):
        await give(stores, desk, anna)

    await stores.do(stores.groups.remove, desk, 1)
    await give(stores, desk, anna)
    with pytest.raises(WrongState, match="belongs to a person"):
        await stores.do(stores.groups.undo, desk, 2)
    await stores.do(stores.extensions.release, own)
    assert await group(stores, "1001") == own  # nobody's any more: the number is a group's


async def test_what_cannot_be_meant_is_refused(stores: Stores) -> None:
    own, other, anna = (
        await number(stores, "1001"), await group(stores, "2001"), await stores.hire("anna"),
    )  # fmt: skip
    desk = await group(stores, "2000")

    async def refused(match: str, **changes: object) -> None:
        with pytest.raises(WrongState, match=match):
            settings = msgspec.structs.replace(DESK, **changes)
            await stores.do(stores.groups.change, desk, 1, settings)

    await refused("no other group", members=(Member(extension=other),))
    await refused("itself", onward=desk)
    await refused("already", members=(Member(person=anna), Member(person=anna, delay=3)))
    crowd = tuple(Member(person=new_id(stores.clock)) for _ in range(MOST_MEMBERS + 1))
    await refused("at most", members=crowd)
    good = msgspec.structs.replace(DESK, members=(Member(extension=own),), onward=other)
    await stores.do(stores.groups.change, desk, 1, good)
    with pytest.raises(Stale):
        await stores.do(stores.groups.change, desk, 1, DESK)
    with pytest.raises(Stale):
        await stores.do(stores.groups.remove, desk, 1)
    for unknown in (own, new_id(stores.clock)):
        with pytest.raises(NotFound):
            await shown(stores, unknown)
        with pytest.raises(NotFound):
            await stores.ask(version_of, unknown)


async def test_every_kind_of_change_is_undone_once(stores: Stores) -> None:
    desk = await group(stores, "2000")
    renamed = msgspec.structs.replace(DESK, name="Nurses")
    await stores.do(stores.groups.change, desk, 1, renamed)

    await stores.do(stores.groups.undo, desk, 2)
    assert (await shown(stores, desk)).settings == DESK
    with pytest.raises(WrongState, match="no change left"):
        await stores.do(stores.groups.undo, desk, 3)
    with pytest.raises(Stale):
        await stores.do(stores.groups.undo, desk, 2)

    await stores.do(stores.groups.remove, desk, 3)
    with pytest.raises(NotFound):
        await shown(stores, desk)
    await stores.do(stores.groups.undo, desk, 4)
    assert (await shown(stores, desk)).settings == DESK

    second = await group(stores, "2001")
    await stores.do(stores.groups.undo, second, 1)
    with pytest.raises(NotFound):
        await shown(stores, second)
    actions = [row.action for row in await stores.rows() if row.subject_id == desk]
    assert actions.count("group.undone") == 2


async def test_the_exchange_reads_groups_and_mailboxes_that_are_somebodys(stores: Stores) -> None:
    anna = await stores.hire("anna")
    own = await number(stores, "1001")
    mailbox = await give(stores, own, anna)
    shared = new_id(stores.clock)
    await stores.do(stores.mailboxes.add, shared, "Front desk")
    phones = Phones(FieldKey(b"k" * 32, "device-auth"))
    for digits, box in (("2000", mailbox), ("2001", shared), ("2002", new_id(stores.clock))):
        await group(stores, digits, msgspec.structs.replace(DESK, mailbox=box))
    gone = await group(stores, "2003")
    await stores.do(stores.groups.remove, gone, 1)

    async def boxes() -> dict[str, UUID | None]:
        book = await stores.ask(phonebook.read, stores.fields, phones, stores.clock())
        assert all(found.settings.name == "Front desk" for found in book.groups)
        return {found.number: found.settings.mailbox for found in book.groups}

    assert await boxes() == {"2000": mailbox, "2001": shared, "2002": None}
    await stores.do(stores.extensions.release, own)
    assert (await boxes())["2000"] is None
