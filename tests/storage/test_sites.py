"""Organisation and sites: sealed names, one organisation, no site removed from under its phones."""

from uuid import UUID

import pytest

from storage.conflicts import NotFound, Stale, Taken, WrongState
from storage.identifiers import new_id
from tests.support.stores import Stores


async def named(stores: Stores) -> UUID:
    id = new_id(stores.clock)
    await stores.do(stores.sites.name_organisation, 0, "Lakeside Clinic", id)
    return id


async def site(stores: Stores, name: str = "Main Street", location: str = "12 Main St") -> UUID:
    id = new_id(stores.clock)
    await stores.do(stores.sites.add, id, name, location)
    return id


async def test_the_organisation_is_named_once_and_renamed(stores: Stores) -> None:
    assert (await stores.do(stores.sites.organisation)).version == 0

    id = await named(stores)
    await stores.do(stores.sites.name_organisation, 1, "Lakeside", new_id(stores.clock))

    found = await stores.do(stores.sites.organisation)
    assert (found.id, found.name, found.version) == (id, "Lakeside", 2)
    for version in (0, 1):
        with pytest.raises(Stale):
            await stores.do(stores.sites.name_organisation, version, "x", new_id(stores.clock))
    assert "Lakeside" not in str(await stores.rows())


async def test_a_version_for_an_organisation_that_is_not_is_stale(stores: Stores) -> None:
    with pytest.raises(Stale):
        await stores.do(stores.sites.name_organisation, 1, "x", new_id(stores.clock))


async def test_a_site_needs_a_named_organisation_and_a_free_name(stores: Stores) -> None:
    with pytest.raises(WrongState, match="no name yet"):
        await site(stores)
    await named(stores)

    made = await site(stores)

    assert await stores.ask(stores.sites.find, "main street") == made
    with pytest.raises(Taken, match="name"):
        await site(stores)
    with pytest.raises(Taken, match="identifier"):
        await stores.do(stores.sites.add, made, "Other", "")


async def test_a_site_is_renamed_located_and_shown(stores: Stores) -> None:
    await named(stores)
    made, other = await site(stores), await site(stores, "Harbour", "")

    await stores.do(stores.sites.rename, made, 1, "MAIN Street")
    await stores.do(stores.sites.locate, made, 2, "12 Main Street, 2nd floor")
    await stores.do(stores.sites.locate, other, 1, "")
    with pytest.raises(Taken):
        await stores.do(stores.sites.rename, other, 2, "Main Street")

    shown = await stores.do(stores.sites.show, made)
    assert (shown.name, shown.location) == ("MAIN Street", "12 Main Street, 2nd floor")
    listed = await stores.do(stores.sites.listed)
    assert {one.name for one in listed} == {"MAIN Street", "Harbour"}
    assert "Main" not in str(await stores.rows())


async def test_a_site_with_phones_stays_and_one_without_frees_its_name(stores: Stores) -> None:
    await named(stores)
    made, phone = await site(stores), new_id(stores.clock)
    await stores.do(stores.devices.add, phone, "desk")
    await stores.do(stores.devices.move, phone, 1, made)
    assert (await stores.do(stores.devices.show, phone)).site == made
    assert (await stores.do(stores.sites.show, made)).devices == 1

    with pytest.raises(WrongState, match="has phones"):
        await stores.do(stores.sites.remove, made, 1)
    await stores.do(stores.devices.move, phone, 2, None)
    await stores.do(stores.sites.remove, made, 1)

    with pytest.raises(NotFound):
        await stores.do(stores.sites.show, made)
    with pytest.raises(NotFound):
        await stores.do(stores.devices.move, phone, 3, made)
    assert await stores.do(stores.sites.listed) == []
    await site(stores)


async def test_a_shared_mailbox_is_renamed_by_whoever_saw_its_version(stores: Stores) -> None:
    made, other = new_id(stores.clock), new_id(stores.clock)
    await stores.do(stores.mailboxes.add, made, "billing questions")
    await stores.do(stores.mailboxes.add, other, "referrals")

    await stores.do(stores.mailboxes.rename, made, 1, "Billing")

    assert await stores.do(stores.mailboxes.show, made) == "Billing"
    with pytest.raises(Stale):
        await stores.do(stores.mailboxes.rename, made, 1, "again")
    with pytest.raises(Taken):
        await stores.do(stores.mailboxes.rename, made, 2, "referrals")
    with pytest.raises(NotFound):
        await stores.do(stores.mailboxes.rename, UUID(int=7), 1, "nothing")
