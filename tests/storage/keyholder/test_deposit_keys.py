"""storage/keyholder/deposit_keys.py"""

from uuid import UUID, uuid4

from storage.keyholder import acts, slots
from storage.keyholder.acts import Role
from storage.keyholder.journal import Event
from storage.keyholder.protocol import (
    AdoptMessage,
    DestroyDepositKey,
    Done,
    KeyList,
    PublicKeys,
    Refusal,
    SpentKeys,
    Wrapped,
)
from storage.keyholder.records import KeyRow
from tests.support.keyholder import House, evidence
from tests.support.keyholder_box import KEY, Box, box, entries

__all__ = ["box"]


async def test_an_expired_weeks_key_is_destroyed_when_nothing_can_depend_on_it(
    house: House, box: Box
) -> None:
    request = DestroyDepositKey(box.key.id, evidence())
    records = (await house.ask(PublicKeys("records"), KeyList)).keys[0]
    assert await house.holder.answer(request) == Refusal()
    house.time.pass_(14 * 86_400)
    assert await house.holder.answer(DestroyDepositKey(records.id, evidence())) == Refusal()

    await house.ask(request, Done)

    assert house.core.store.get(KeyRow, box.key.id) is None
    assert await house.holder.answer(request) == Refusal()


async def test_a_deposit_key_waits_for_young_deposits_and_for_holds(house: House, box: Box) -> None:
    """The exchange could hide deposits and have their key destroyed: they would be lost."""
    officer = await house.enrolled("officer", Role.COMPLIANCE_OFFICER, box.admin, box.manager)
    request, hold, day = DestroyDepositKey(box.key.id, evidence()), uuid4(), 86_400
    house.time.pass_(8 * day)  # the week is over, but not the time to adopt what came in it
    assert await house.holder.answer(request) == Refusal()
    house.time.pass_(6 * day)
    house.reopen()  # it was away, and what came meanwhile has yet to be shown to it
    assert await house.holder.answer(request) == Refusal()
    house.time.pass_(day)
    slot = slots.deposit_slot(box.key, b"late", KEY)
    late = AdoptMessage(uuid4(), box.id, b"late", box.key.id, slot, evidence())
    await house.ask(late, Wrapped)
    assert await house.holder.answer(request) == Refusal()
    house.time.pass_(day)
    await house.log_in(officer)
    await house.done(officer, acts.Hold(box.id, hold))
    assert await house.holder.answer(request) == Refusal()

    reasons = [entry.reason for entry in await entries(house, Event.REFUSED)]
    waits = "deposits may still wait to be adopted"
    assert reasons[-4:] == ["still in use", waits, waits, "on hold"]
    await house.log_in(box.manager)
    await house.two_people(officer, box.manager, acts.ReleaseHold(box.id, hold))
    await house.ask(request, Done)


async def test_keys_are_named_when_they_would_be_let_go_and_not_before(
    house: House, box: Box
) -> None:
    async def spent() -> list[UUID]:
        return [key.id for key in (await house.ask(SpentKeys(), KeyList)).keys]

    await house.ask(PublicKeys("records"), KeyList)
    house.time.pass_((box.key.until - house.core.clock()) / 1_000_000 + 7 * 86_400 - 1)
    assert await spent() == []
    house.time.pass_(1)
    assert await spent() == [box.key.id]
    house.time.pass_(7 * 86_400)
    [first, second] = await spent()
    await house.ask(DestroyDepositKey(first, evidence()), Done)

    assert first == box.key.id
    assert await spent() == [second]


async def test_a_certificate_counts_on_the_day_after_the_key_may_go(house: House, box: Box) -> None:
    keys, week = house.holder.deposit_keys, 7 * 86_400

    assert keys.gone_by(box.key.id) == box.key.until + 8 * 86_400_000_000
    house.time.pass_(5 * week)
    assert keys.gone_by(box.key.id) == house.core.clock() + 86_400_000_000
    await house.ask(DestroyDepositKey(box.key.id, evidence()), Done)
    assert keys.gone_by(box.key.id) == 0
