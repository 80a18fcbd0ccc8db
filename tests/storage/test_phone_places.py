"""What a phone never had is told once; what it had is not, and no value stands in the table."""

from uuid import UUID

import pytest
from sqlalchemy import select

from storage import phone_places
from storage.database import Database
from storage.models.phones import phone_place
from storage.phone_places import Moved, PhonePlaces, Seen
from storage.sealed.fields import FieldKey

DESK, DOOR = UUID(int=1), UUID(int=2)
PLACES = PhonePlaces(FieldKey(bytes(range(32)), "device-auth"))


async def learn(database: Database, *seen: tuple[UUID, str, str]) -> list[Moved]:
    found = [
        Seen(device=device, at=at, address=address, program=program)
        for at, (device, address, program) in enumerate(seen, 1)
    ]
    async with database.begin() as connection:
        return await PLACES.learn(connection, found)


async def test_what_a_phone_has_first_is_its_own_and_what_it_never_had_is_told_once(
    database: Database,
) -> None:
    assert await learn(database, (DESK, "192.0.2.1", "A/1"), (DOOR, "192.0.2.1", "")) == []
    assert await learn(database, (DOOR, "192.0.2.1", "B/1")) == [], "its first program"
    assert await learn(database) == []

    moved = await learn(database, (DESK, "192.0.2.2", "A/1"), (DOOR, "192.0.2.3", "B/2"))
    again = await learn(database, (DESK, "192.0.2.2", "A/1"), (DESK, "192.0.2.1", "A/1"))

    assert [(one.device, one.kinds) for one in moved] == [
        (DESK, {"address"}), (DOOR, {"address", "program"}),
    ]  # fmt: skip
    assert again == []


async def test_neither_an_address_nor_that_two_phones_share_it_is_kept(database: Database) -> None:
    await learn(database, (DESK, "192.0.2.1", "A/1"), (DOOR, "192.0.2.1", "A/1"))

    async with database.read() as connection:
        rows = (await connection.execute(select(phone_place))).all()

    assert len({row.value for row in rows}) == 4
    assert b"192.0.2.1" not in repr(rows).encode()


async def test_what_was_long_ago_is_new_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_places, "MOST", 3)
    places = [(DESK, f"192.0.2.{number}", "A/1") for number in range(1, 6)]
    for number, place in enumerate(places, 1):
        seen = Seen(device=DESK, at=number, address=place[1], program=place[2])
        async with database.begin() as connection:
            await PLACES.learn(connection, [seen])

    async with database.read() as connection:
        kept = await connection.scalars(
            select(phone_place.c.first_seen_at).where(phone_place.c.kind == "address")
        )
    assert sorted(kept) == [3, 4, 5]
    assert await learn(database, places[-1]) == []
    assert len(await learn(database, places[0])) == 1
