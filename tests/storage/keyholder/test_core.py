"""storage/keyholder/core.py"""

from pathlib import Path

import pytest

from storage.keyholder import acts, protocol
from storage.keyholder.acts import Role
from storage.keyholder.clock import DAY, SECOND
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.core import No
from storage.keyholder.draft import Draft
from storage.keyholder.protocol import Opened
from storage.keyholder.records import SETTINGS, Settings
from storage.keyholder.store import Change, StoreError
from tests.support.keyholder import House


async def test_a_session_lives_while_the_person_does(house: House) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)

    session, person = house.core.session(manager.session)
    assert (session.person, person.login) == (manager.id, "manager")
    assert house.core.person_with("MANAGER") is not None
    assert house.core.person_with("nobody") is None
    from storage.keyholder.effects import suspend_person

    draft = house.core.draft()
    suspend_person(draft, manager.id, leave=False, now=house.core.clock())
    house.core.store.commit(draft.change(), house.core.store.state.position, 0)
    with pytest.raises(No, match="not active"):
        house.core.session(manager.session)
    with pytest.raises(No, match="no such session"):
        house.core.session(manager.session)


async def test_an_end_date_passes_by_itself(house: House) -> None:
    admin = await house.administrator()
    locum = await house.enrolled("locum", Role.HELP_DESK, admin)
    from storage.keyholder.records import Person

    row = house.core.store.get(Person, locum.id)
    import msgspec

    until = house.core.clock() + 60_000_000
    change = Change(put=[msgspec.structs.replace(row, until=until)])
    house.core.store.commit(change, house.core.store.state.position, 0)

    assert house.core.session(locum.session)
    house.time.pass_(60)
    answer = await house.holder.answer(protocol.Touch(locum.session))
    assert answer == protocol.Refusal()


async def test_idle_limits_follow_role_and_kind(house: House) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    await house.done(manager, acts.SetPin(), new_pin="739460")
    at_terminal = await house.log_in(manager)
    by_phone, _ = await house.perform(acts.PhoneLogIn(manager.id), pin="739460")

    assert isinstance(at_terminal, Opened)
    assert isinstance(by_phone, Opened)
    assert (at_terminal.idle_seconds, by_phone.idle_seconds) == (300, 300)
    assert at_terminal.roles == (Role.PRACTICE_MANAGER,)


@pytest.mark.parametrize("days", [0, 30])
async def test_a_pin_expires_after_its_days_if_it_ever_does(tmp_path: Path, days: int) -> None:
    house = House(tmp_path / "keys", config=KeyHolderConfig(pin_days=days))
    try:
        admin = await house.administrator()
        await house.done(admin, acts.SetPin(), new_pin="739460")
        fresh, _ = await house.perform(acts.PhoneLogIn(admin.id), pin="739460")
        house.time.pass_(30 * DAY / SECOND)
        old, _ = await house.perform(acts.PhoneLogIn(admin.id), pin="739460")
        at_terminal = await house.log_in(admin)
    finally:
        house.close()

    assert isinstance(fresh, Opened)
    assert isinstance(old, Opened)
    assert isinstance(at_terminal, Opened)
    assert [fresh.must_change, old.must_change, at_terminal.must_change] == [False, days > 0, False]


def test_a_store_without_settings_is_incomplete(house: House) -> None:
    change = Change(delete=[(Settings, SETTINGS)])
    store = house.core.store
    settings = store.get(Settings, SETTINGS)
    store.commit(change, store.state.position, 0)

    with pytest.raises(StoreError, match="completely"):
        house.core.settings()
    house.core.note_second(Draft(store))
    assert settings is not None
    store.commit(Change(put=[settings]), store.state.position, 0)


def test_the_verifying_key_is_the_pinned_one(house: House) -> None:
    assert house.pin is not None

    assert house.core.verifying_key() == house.pin.signing_key
