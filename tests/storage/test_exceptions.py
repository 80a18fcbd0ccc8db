"""Exceptions have an owner, a reason and an expiry that needs nobody to enforce it."""

from uuid import UUID

import pytest

from storage.conflicts import NotFound, WrongState
from storage.exceptions import ExceptionKind, NewException, expired, in_force, owned_by
from storage.identifiers import new_id
from tests.support.clock import DAY
from tests.support.stores import Stores

PHONE = UUID(int=77)


async def granted(stores: Stores) -> NewException:
    new = NewException(
        id=new_id(stores.clock),
        kind=ExceptionKind.MD5_DEVICE,
        subject_kind="device",
        subject=PHONE,
        owner=await stores.hire("anna"),
        reason="old phone until spring",
        expires_at=stores.clock() + DAY,
    )
    await stores.do(stores.exceptions.grant, new)
    return new


async def covered(stores: Stores) -> bool:
    return await stores.ask(in_force, ExceptionKind.MD5_DEVICE, PHONE, stores.clock())


async def test_an_exception_is_in_force_until_it_expires(stores: Stores) -> None:
    new = await granted(stores)
    assert await covered(stores)

    stores.clock.now += DAY

    assert not await covered(stores)
    assert await stores.ask(expired, stores.clock()) == [new.id]


async def test_a_closed_exception_covers_nothing_and_closes_once(stores: Stores) -> None:
    new = await granted(stores)
    assert await stores.ask(owned_by, new.owner) == [new.id]

    await stores.do(stores.exceptions.close, new.id, "asked")

    assert not await covered(stores)
    with pytest.raises(WrongState, match="closed already"):
        await stores.do(stores.exceptions.close, new.id, "asked")
    with pytest.raises(NotFound):
        await stores.do(stores.exceptions.close, UUID(int=1), "asked")


async def test_reasons_are_sealed_and_reading_them_is_recorded(stores: Stores) -> None:
    new = await granted(stores)

    [shown] = await stores.do(stores.exceptions.listed)
    await stores.do(stores.exceptions.close, new.id, "asked")

    assert shown.reason == "old phone until spring"
    assert await stores.do(stores.exceptions.listed) == []
    assert len(await stores.do(stores.exceptions.listed, closed=True)) == 1
    assert "spring" not in str(await stores.rows())
