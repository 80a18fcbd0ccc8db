"""What the exchange routes and admits by, in one look."""

from uuid import UUID

from storage import phonebook
from storage.exceptions import ExceptionKind, NewException
from storage.extensions import version_of
from storage.identifiers import new_id
from storage.phonebook import Phonebook
from storage.phones import Phones
from storage.sealed.fields import FieldKey
from storage.tenures import NewTenure
from tests.support.clock import DAY
from tests.support.stores import Stores

PHONES = Phones(FieldKey(b"k" * 32, "device-auth"))


async def book(stores: Stores) -> Phonebook:
    return await stores.ask(phonebook.read, stores.fields, PHONES, stores.clock())


async def phone(stores: Stores, username: str, *, enrolled: bool = True) -> UUID:
    made = new_id(stores.clock)
    await stores.do(stores.devices.add, made, username)
    if enrolled:
        await stores.do(PHONES.enrol, made, username)
    return made


async def exception(stores: Stores, device: UUID, owner: UUID, days: int) -> UUID:
    new = NewException(
        id=new_id(stores.clock), kind=ExceptionKind.MD5_DEVICE, subject_kind="device",
        subject=device, owner=owner, reason="old", expires_at=stores.clock() + days * DAY,
    )  # fmt: skip
    await stores.do(stores.exceptions.grant, new)
    return new.id


async def test_a_book_of_nobody_is_empty(stores: Stores) -> None:
    found = await book(stores)

    assert (found.phones, found.tenancies) == ((), ())


async def test_a_phone_is_there_once_it_is_enrolled_and_until_it_is_removed(
    stores: Stores,
) -> None:
    kept, removed = await phone(stores, "p1"), await phone(stores, "p2")
    await phone(stores, "p3", enrolled=False)
    number = new_id(stores.clock)
    await stores.do(stores.extensions.add, number, "1042")
    await stores.do(stores.devices.assign, kept, 1, number)
    await stores.do(PHONES.remove, removed)

    [found] = (await book(stores)).phones

    assert (found.identity.device, found.identity.username) == (kept, "p1")
    assert (found.place, found.extension, found.md5_until) == ("lobby", number, 0)


async def test_an_exception_counts_until_its_latest_end_or_until_sha256_was_used(
    stores: Stores,
) -> None:
    device, owner = await phone(stores, "p1"), await stores.hire("anna")
    await exception(stores, device, owner, 5)
    longest = await exception(stores, device, owner, 9)
    await exception(stores, device, owner, 2)
    [found] = (await book(stores)).phones
    assert found.md5_until == stores.clock() + 9 * DAY

    await stores.do(stores.exceptions.close, longest, "asked")
    [found] = (await book(stores)).phones
    assert found.md5_until == stores.clock() + 5 * DAY

    async with stores.database.begin() as connection:
        await PHONES.used_sha256(connection, {device})
    [found] = (await book(stores)).phones
    assert found.md5_until == 0


async def test_an_extension_is_there_while_somebody_holds_it(stores: Stores) -> None:
    number, anna = new_id(stores.clock), await stores.hire("anna")
    await stores.do(stores.extensions.add, number, "1042")
    assert (await book(stores)).tenancies == ()
    new = NewTenure(
        id=new_id(stores.clock), extension=number, person=anna, mailbox=new_id(stores.clock)
    )
    await stores.do(stores.extensions.assign, new, await stores.ask(version_of, number))

    [held] = (await book(stores)).tenancies
    assert (held.number, held.extension, held.tenure, held.person, held.name) == (
        "1042", number, new.id, anna, "Name of anna",
    )  # fmt: skip

    await stores.do(stores.extensions.release, number)
    assert (await book(stores)).tenancies == ()
    assert not any("read" in action for action in await stores.actions())
