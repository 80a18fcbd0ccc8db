"""One phone in a lobby that tries every mailbox locks no mailbox's owner out."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from storage.keyholder import acts
from storage.keyholder.acts import Role
from storage.keyholder.protocol import Opened, Origin
from tests.support.keyholder import House

pytestmark = pytest.mark.phoneless

GUESS, PIN = "998877", "739154"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path / "keys")
    yield made
    made.close()


async def test_a_lobby_phone_at_all_boxes_locks_nobody_out(house: House) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    people = []
    for number in range(6):
        someone = await house.enrolled(f"doctor{number}", Role.PHYSICIAN, admin, manager)
        await house.done(someone, acts.SetPin((f"10{number:02}",)), new_pin=PIN)
        await house.done(admin, acts.OpenTenure(uuid4(), uuid4(), someone.id))
        people.append(someone)
    lobby, own = Origin("lobby", "10.0.0.9"), Origin("own phone", "10.0.0.1")
    accepted = 0
    for _ in range(10):
        for someone in people:
            answer, _ = await house.perform(acts.PhoneLogIn(someone.id), origin=lobby, pin=GUESS)
            accepted += isinstance(answer, Opened)
    right, _ = await house.perform(acts.PhoneLogIn(people[0].id), origin=lobby, pin=PIN)

    assert accepted == 0
    assert not isinstance(right, Opened), "the device is slowed, the right PIN included"
    for someone in people:
        answer, _ = await house.perform(acts.PhoneLogIn(someone.id), origin=own, pin=PIN)
        assert isinstance(answer, Opened), someone.login


async def test_guessing_one_box_from_fifty_phones_stops_at_the_limit(house: House) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    await house.done(doctor, acts.SetPin(("1001",)), new_pin=PIN)
    for number in range(50):
        origin = Origin(f"phone {number}", f"10.0.1.{number}")
        answer, _ = await house.perform(acts.PhoneLogIn(doctor.id), origin=origin, pin=GUESS)
        assert not isinstance(answer, Opened)

    locked, _ = await house.perform(
        acts.PhoneLogIn(doctor.id), origin=Origin("phone 51", "10.0.2.1"), pin=PIN
    )

    assert not isinstance(locked, Opened)
    await house.done(admin, acts.LiftLock(doctor.id))
    opened, _ = await house.perform(
        acts.PhoneLogIn(doctor.id), origin=Origin("phone 51", "10.0.2.1"), pin=PIN
    )
    assert isinstance(opened, Opened)
    assert opened.notices, "the person is told"
