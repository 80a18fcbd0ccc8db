"""Secrets entered by key presses: inside, on a loop whose clock is told; then through a worker."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from media.client import (
    Digit,
    LegStats,
    MessageRefused,
    Misuse,
    SecretEntered,
    SecretEntry,
)
from media.worker.loop import Loop
from media.worker.secret_entry import KEPT, SecretEntries
from storage.keyholder import acts, protocol
from storage.keyholder.protocol import Origin, Proof
from tests.support.keyholder import evidence
from tests.support.mailroom import Mailroom, mailroom
from tests.support.rtp_phone import RtpPhone


class World:
    """A leg's entries, and what was told."""

    def __init__(self) -> None:
        self.time = 100.0
        self.loop = Loop(lambda: self.time)
        self.told: list[SecretEntered] = []
        self.entries = SecretEntries("0.1", self.loop, self.told.append)

    def type(self, keys: str) -> None:
        for key in keys:
            assert self.entries.key(key)

    def wait(self, seconds: float) -> None:
        self.time += seconds
        self.loop.expire()

    @property
    def outcomes(self) -> list[str]:
        return [event.outcome for event in self.told]


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.loop.close()


def test_digits_are_kept_until_they_are_taken_and_never_told(world: World) -> None:
    world.entries.begin(SecretEntry())
    world.type("730562#")
    world.entries.begin(SecretEntry(name="new_pin"))
    world.type("8164093#")

    assert world.told == [
        SecretEntered("0.1", "pin", "complete"),
        SecretEntered("0.1", "new_pin", "complete"),
    ]
    assert world.entries.secrets() == {"pin": b"730562", "new_pin": b"8164093"}
    assert world.entries.secrets() == {}


@pytest.mark.parametrize(
    ("keys", "outcome"),
    [
        ("12345#", "too-short"),
        ("#", "too-short"),
        ("1234567890123", "too-long"),
        ("12*", "cancelled"),
    ],
)
def test_what_is_no_secret_is_forgotten(world: World, keys: str, outcome: str) -> None:
    world.entries.begin(SecretEntry())
    typed = world.entries._typed
    world.type(keys)

    assert world.outcomes == [outcome]
    assert world.entries.secrets() == {}
    assert not any(typed)
    world.type("99#")
    assert len(world.told) == 1, "keys after the end are swallowed"


def test_it_waits_for_the_first_key_longer_than_for_the_next(world: World) -> None:
    world.entries.begin(SecretEntry(first_ms=9000, next_ms=4000))
    world.wait(8)
    world.type("1")
    world.wait(3.9)
    world.type("2")
    assert world.told == []
    world.wait(4.1)
    assert world.outcomes == ["timeout"]


def test_a_new_pin_is_typed_twice(world: World) -> None:
    new = SecretEntry(name="new_pin")
    again = SecretEntry(name="new_pin", again=True)
    for first, second in (("730562#", "730562#"), ("730562#", "730563#")):
        world.entries.begin(new)
        world.type(first)
        world.entries.begin(again)
        world.type(second)

    assert world.outcomes == ["complete", "complete", "complete", "different"]
    assert world.entries.secrets() == {}
    world.entries.begin(again)
    world.type("730562#")
    assert world.outcomes[-1] == "different", "nothing to compare with"


def test_what_is_not_used_is_forgotten(world: World) -> None:
    world.entries.begin(SecretEntry())
    world.type("730562#")
    kept = world.entries._kept["pin"]
    world.wait(KEPT + 1)
    assert world.entries.secrets() == {}
    assert not any(kept)
    world.entries.begin(SecretEntry())
    world.type("7305")
    typed = world.entries._typed
    world.entries.forget()
    assert not any(typed)


# -- through a worker, with a key holder


@pytest.fixture
async def room(open_path: Path) -> AsyncIterator[Mailroom]:
    async with mailroom(open_path) as made:
        yield made


HASH = 11


def typed(phone: RtpPhone, keys: str) -> None:
    for key in keys:
        phone.press("0123456789*#".index(key))


async def test_the_pin_reaches_the_key_holder_and_nobody_else(room: Mailroom) -> None:
    house, client, doctor = room.house, room.desk.client, room.doctor
    await house.done(doctor, acts.SetPin(("2001",)), new_pin="730562")
    phone = RtpPhone()
    leg = await room.desk.alone(phone)
    await client.digits(leg, report=True)
    act = acts.PhoneLogIn(doctor.id)

    async def answered(keys: str) -> protocol.Answer:
        await client.enter_secret(leg, SecretEntry())
        typed(phone, keys)
        assert (await room.desk.event(SecretEntered)).outcome == "complete"
        typed(phone, "99")  # swallowed: nobody asked for digits yet
        sealed = await client.seal_secrets(leg, acts.canonical(act))
        assert b"730562" not in sealed
        proof = Proof(sealed, Origin("exam-room-2", "10.0.0.9"), b"")
        return await house.holder.answer(protocol.Perform(act, proof, evidence()))

    assert isinstance(await answered("730562#"), protocol.Opened)
    assert isinstance(await answered("730561#"), protocol.Refusal)
    with pytest.raises(Misuse):
        await client.seal_secrets(leg, acts.canonical(act))
    await client.digits(leg, report=True)
    typed(phone, "4")
    assert (await room.desk.event(Digit)).digit == "4", "and of the secrets not one"
    assert isinstance(await client.stats(leg), LegStats)


async def test_copies_of_the_key_before_a_secret_and_of_its_last_one_are_no_key_presses(
    room: Mailroom,
) -> None:
    client, phone = room.desk.client, RtpPhone()
    leg = await room.desk.alone(phone)
    await client.digits(leg, report=True)
    phone.press(HASH, ends=1)  # a number was keyed in, and ends with it
    assert (await room.desk.event(Digit)).digit == "#"
    await client.digits(leg, report=False)

    await client.enter_secret(leg, SecretEntry())
    phone.end_again(HASH)
    typed(phone, "730562")
    phone.press(HASH, ends=1)
    assert (await room.desk.event(SecretEntered)).outcome == "complete"
    await client.digits(leg, report=True)
    phone.end_again(HASH)
    typed(phone, "4")

    assert (await room.desk.event(Digit)).digit == "4"


async def test_a_pin_is_changed_by_phone_under_the_key_holders_rules(room: Mailroom) -> None:
    house, client, doctor = room.house, room.desk.client, room.doctor
    await house.done(doctor, acts.SetPin(("2001",)), new_pin="730562")
    answer, _ = await house.perform(acts.PhoneLogIn(doctor.id), pin="730562")
    assert isinstance(answer, protocol.Opened)
    phone = RtpPhone()
    leg = await room.desk.alone(phone)
    act = acts.SetPin(("2001", "730562"))

    async def changed(new: str) -> protocol.Answer:
        for entry, keys in (
            (SecretEntry(name="pin"), "730562#"),
            (SecretEntry(name="new_pin"), f"{new}#"),
            (SecretEntry(name="new_pin", again=True), f"{new}#"),
        ):
            await client.enter_secret(leg, entry)
            typed(phone, keys)
            assert (await room.desk.event(SecretEntered)).outcome == "complete"
        sealed = await client.seal_secrets(leg, acts.canonical(act), answer.session)
        proof = Proof(sealed, Origin("exam-room-2", "10.0.0.9"), answer.session)
        return await house.holder.answer(protocol.Perform(act, proof, evidence()))

    for weak in ("123456", "111111", "121212", "200158", "140789", "19620714"):
        assert isinstance(await changed(weak), protocol.Invalid), weak
    assert isinstance(await changed("816409"), protocol.Done)
    assert isinstance(
        (await house.perform(acts.PhoneLogIn(doctor.id), pin="816409"))[0], protocol.Opened
    )


async def test_without_the_key_holder_nothing_is_proved_and_nothing_kept(room: Mailroom) -> None:
    client, phone = room.desk.client, RtpPhone()
    leg = await room.desk.alone(phone)
    act = acts.canonical(acts.PhoneLogIn(room.doctor.id))
    await client.enter_secret(leg, SecretEntry())
    typed(phone, "730562#")
    await room.desk.event(SecretEntered)
    await room.key_holder_away()
    with pytest.raises(MessageRefused, match="unavailable"):
        await client.seal_secrets(leg, act)
    await room.key_holder_back()
    with pytest.raises(Misuse):
        await client.seal_secrets(leg, act)
    await client.enter_secret(leg, SecretEntry())
    typed(phone, "730562#")
    await room.desk.event(SecretEntered)
    await client.release(leg)
    with pytest.raises(Misuse):
        await client.seal_secrets(leg, act)
