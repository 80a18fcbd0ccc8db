"""One key an hour: held for that hour, then the key holder's alone to open."""

from dataclasses import dataclass, field
from uuid import UUID

import pytest
from msgspec.structs import replace

from storage.keyholder.signing import SignedKey, signed_key
from storage.keyholder.slots import open_records_key
from storage.records import HOUR, PURPOSE, HourlyKeys
from storage.sealed import primitives
from storage.sealed.fields import Cell, FieldKey
from tests.support.clock import HandClock

CELL = Cell("call", "parties", UUID(int=1))


@dataclass
class Desk:
    """A key holder's keys, and what the exchange makes of them."""

    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self.signing = primitives.generate_signing_key()
        self.pair = primitives.generate_pair(primitives.Suite.P384)
        self.public: SignedKey | None = self.signed(PURPOSE)
        pinned = primitives.verifying_key(self.signing)
        self.keys = HourlyKeys(pinned, lambda: self.public, self.clock)

    def signed(self, purpose: str) -> SignedKey:
        unsigned = SignedKey(
            id=UUID(int=7), public=self.pair.public, purpose=purpose, mailbox=None, tenure=None,
            suite=self.pair.suite, start=self.clock(), until=self.clock() + 24 * HOUR,
            generation=1,
        )  # fmt: skip
        return signed_key(self.signing, unsigned)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_key_stays_for_an_hour_and_not_a_moment_longer(desk: Desk) -> None:
    first = desk.keys.current()
    assert first is not None
    assert desk.keys.held(first.id) is first.fields

    desk.clock.now += HOUR - 1
    assert desk.keys.current() is first
    desk.clock.now += 1

    second = desk.keys.current()
    assert second is not None
    assert second.id != first.id
    assert desk.keys.held(first.id) is None
    with pytest.raises(primitives.OpenError):
        second.fields.open(first.fields.seal("1042", CELL), CELL)


def test_a_clock_that_went_back_makes_a_new_key(desk: Desk) -> None:
    desk.clock.now += HOUR
    first = desk.keys.current()
    desk.clock.now -= 1

    second = desk.keys.current()

    assert first is not None
    assert second is not None
    assert second.id != first.id


def test_the_key_holder_opens_the_copy_and_with_it_the_rows(desk: Desk) -> None:
    key = desk.keys.current()
    assert key is not None
    assert desk.public is not None

    hour = open_records_key(desk.public, desk.pair.private, key.sealed)

    assert key.sealed_to == desk.public.id
    assert FieldKey(hour, PURPOSE).open(key.fields.seal("1042", CELL), CELL) == "1042"


def test_without_a_public_key_there_is_none_until_it_comes(desk: Desk) -> None:
    public, desk.public = desk.public, None
    assert desk.keys.current() is None
    assert desk.keys.held(UUID(int=1)) is None

    desk.public = public

    assert desk.keys.current() is not None


def test_nothing_is_sealed_to_a_key_of_somebody_else_or_for_something_else(desk: Desk) -> None:
    assert desk.public is not None
    for bad in (replace(desk.public, public=b"mine"), desk.signed("deposit")):
        desk.public = bad
        assert desk.keys.current() is None


def test_nothing_is_sealed_to_a_key_that_ended(desk: Desk) -> None:
    desk.clock.now += 24 * HOUR

    assert desk.keys.current() is None
