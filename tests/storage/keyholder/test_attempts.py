"""storage/keyholder/attempts.py"""

import asyncio
from uuid import uuid4

import pytest

from storage.keyholder import acts, journal, protocol
from storage.keyholder.acts import Role
from storage.keyholder.clock import SECOND
from storage.keyholder.journal import Event
from storage.keyholder.protocol import Done, Opened, Origin, Refusal
from storage.keyholder.records import Failures
from tests.support.keyholder import House, Someone


@pytest.fixture
async def admin(house: House) -> Someone:
    return await house.administrator()


async def events(house: House) -> list[journal.Entry]:
    page = await house.ask(protocol.ReadJournal(1), protocol.JournalPage)
    return [journal.parse_record(record)[0] for record in page.entries]


async def guess(house: House, number: int, login: str = "root") -> protocol.Answer:
    answer, _ = await house.perform(
        acts.LogIn(login), origin=Origin(f"phone {number}", "10.0.0.1"), password="guess"
    )
    return answer


async def test_fifty_guesses_at_once_are_stopped_at_the_limit(house: House, admin: Someone) -> None:
    answers = await asyncio.gather(*(guess(house, number) for number in range(50)))

    assert answers == [Refusal()] * 50
    counted = [e for e in await events(house) if e.reason == "wrong secret"]
    assert len(counted) == 5
    assert [entry.event for entry in counted].count(Event.LOCKED) == 1
    locked = [e for e in await events(house) if e.reason == "the person is locked"]
    assert len(locked) == 1, "a flood is journalled once a minute"
    assert await house.log_in(admin) == Refusal(), "the right password is refused while locked"
    house.time.pass_(900)
    opened = await house.log_in(admin)
    assert isinstance(opened, Opened)
    assert "locked" in [notice.kind for notice in opened.notices]


async def test_one_device_is_slowed_and_locks_nobody(house: House, admin: Someone) -> None:
    answers = [await guess(house, 1) for _ in range(10)]

    assert answers == [Refusal()] * 10
    assert isinstance(await house.log_in(admin), Opened)
    assert sum(e.reason == "wrong secret" for e in await events(house)) == 3


async def test_a_lobby_phone_cannot_try_every_box(house: House, admin: Someone) -> None:
    for number in range(10):
        await house.perform(
            acts.PhoneLogIn(uuid4()), origin=Origin("lobby", f"10.0.0.{number // 10}"), pin="1"
        )

    assert sum(e.reason == "wrong secret" for e in await events(house)) == 3


async def test_success_clears_the_person_and_not_the_device(house: House, admin: Someone) -> None:
    for number in range(3):
        await guess(house, number)
        await guess(house, 77, "nobody")
    assert isinstance(await house.log_in(admin), Opened)

    assert house.core.store.get(Failures, admin.id) is None
    answer, _ = await house.perform(
        acts.LogIn("root"),
        origin=Origin("phone 77", "10.0.0.1"),
        password=admin.password,
        totp=house.code(admin),
    )
    assert answer == Refusal()


async def test_a_lock_is_lifted_by_the_help_desk_and_survives_a_restart(
    house: House, admin: Someone
) -> None:
    helper = await house.enrolled("helper", Role.HELP_DESK, admin)
    for number in range(5):
        await guess(house, number)
    house.reopen()
    assert await house.log_in(admin) == Refusal()
    people = await house.ask(protocol.ListPeople(), protocol.PersonList)
    assert max(person.locked_until for person in people.people) > house.core.clock()

    await house.log_in(helper)
    assert isinstance(await house.done(helper, acts.LiftLock(admin.id)), Done)

    assert isinstance(await house.log_in(admin), Opened)


async def test_a_clock_set_back_does_not_shorten_a_lock(house: House, admin: Someone) -> None:
    for number in range(5):
        await guess(house, number)
    house.time.wall -= 7200 * SECOND
    house.reopen()

    house.time.monotonic += 890 * SECOND
    assert await guess(house, 60) == Refusal()
    assert "wrong secret" not in (await events(house))[-1].reason
    house.time.monotonic += 30 * SECOND
    await guess(house, 61)
    assert (await events(house))[-1].reason == "wrong secret"


async def test_old_failures_are_forgotten(house: House, admin: Someone) -> None:
    for number in range(2):
        await guess(house, number)
    assert len(list(house.core.store.all(Failures))) == 3
    house.time.pass_(901)

    await guess(house, 9)

    assert len(list(house.core.store.all(Failures))) == 2
    await guess(house, 9, "nobody")


async def test_the_quiet_minute_ends(house: House, admin: Someone) -> None:
    for _ in range(5):
        await guess(house, 1)
    house.time.pass_(61)
    await guess(house, 1)

    slowed = [e for e in await events(house) if e.reason == "the device is slowed"]
    assert len(slowed) == 2


async def test_locking_somebody_whose_row_is_gone_counts_all_the_same(
    house: House, admin: Someone
) -> None:
    from storage.keyholder.attempts import Attempts, Counted
    from storage.keyholder.journal import Entry
    from storage.keyholder.records import Person, Standing

    attempts, ghost = Attempts(house.core), Person(uuid4(), "ghost", Standing.LEFT, 0)
    for number in range(5):
        with pytest.raises(Counted):
            await attempts.failed(Origin(str(number), ""), ghost, Entry(event=Event.REFUSED))

    assert attempts.locked_until(ghost.id) > house.core.clock()
    assert attempts.locked_until(uuid4()) == 0


async def test_a_device_may_try_for_nobody_known(house: House) -> None:
    from storage.keyholder.attempts import Attempts

    tried = False
    async with Attempts(house.core).turn(Origin("terminal", "local"), None):
        tried = True

    assert tried
