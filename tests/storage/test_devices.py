"""Devices: sealed label, a place, an extension; each change recorded before and after."""

from uuid import UUID

import pytest

from storage.conflicts import NotFound, Stale, Taken
from storage.devices import Place
from storage.identifiers import new_id
from tests.support.stores import Stores


async def phone(stores: Stores, label: str = "front door") -> UUID:
    made = new_id(stores.clock)
    await stores.do(stores.devices.add, made, label)
    return made


async def test_a_new_device_stands_in_the_least_trusted_place(stores: Stores) -> None:
    made = await phone(stores)

    device = await stores.do(stores.devices.show, made)

    assert (device.label, device.place, device.extension) == ("front door", Place.LOBBY, None)
    assert await stores.ask(stores.devices.find, "Front Door") == made
    assert await stores.actions() == ["device.added", "device.read"]
    assert "front" not in str(await stores.rows())


async def test_a_label_belongs_to_one_device(stores: Stores) -> None:
    await phone(stores)

    with pytest.raises(Taken, match="label"):
        await phone(stores)


async def test_place_and_extension_change_with_before_and_after(stores: Stores) -> None:
    made, extension = await phone(stores), new_id(stores.clock)
    await stores.do(stores.extensions.add, extension, "1042")

    await stores.do(stores.devices.place, made, 1, Place.EXAM_ROOM)
    await stores.do(stores.devices.assign, made, 2, extension)
    await stores.do(stores.devices.assign, made, 3, None)

    placed, assigned, freed = (await stores.rows())[-3:]
    assert (placed.before, placed.after) == ('{"place":"lobby"}', '{"place":"exam-room"}')
    assert assigned.after == f'{{"extension":"{extension}"}}'
    assert (freed.before, freed.after) == (assigned.after, '{"extension":null}')
    [device] = await stores.do(stores.devices.listed)
    assert (device.place, device.version) == (Place.EXAM_ROOM, 4)


async def test_a_stale_change_is_refused_and_leaves_nothing(stores: Stores) -> None:
    made = await phone(stores)

    with pytest.raises(Stale):
        await stores.do(stores.devices.place, made, 7, Place.PRIVATE)
    with pytest.raises(NotFound):
        await stores.do(stores.devices.show, UUID(int=1))

    assert await stores.actions() == ["device.added"]
