"""Lamps of people: a shared mailbox lights those of all its members, and the practice manager's
burns while nobody can hear messages."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from pbx.directory import Directory
from pbx.voicemail.config import VoicemailConfig
from storage.database import Database
from storage.keyholder import acts
from tests.support.calling import database
from tests.support.exchange import clock
from tests.support.message_exchange import MessageExchange
from tests.support.phone import Phone
from tests.support.voicemail_calls import HERTZ, leave, sign_in

__all__ = ["database"]


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database) as running:
        yield running


async def shown(phone: Phone, wanted: str) -> None:
    """The lamp says so, perhaps after it said something else."""
    said = []
    try:
        async with asyncio.timeout(60):
            while not said or wanted not in said[-1]:
                said.append((await phone.notified.get()).body.decode())
    except TimeoutError:
        raise AssertionError(f"{wanted} was not shown, but {said}") from None


def switched_off(exchange: MessageExchange, username: str) -> None:
    entries = exchange.directory.entries
    devices = tuple(
        msgspec.structs.replace(one, shows_lamp=one.username != username) for one in entries.devices
    )
    exchange.directory = Directory(msgspec.structs.replace(entries, devices=devices))


async def test_a_shared_mailbox_lights_the_lamps_of_all_its_members(
    exchange: MessageExchange,
) -> None:
    house, people = exchange.house, exchange.people
    shared = uuid4()
    await house.done(people["admin"], acts.OpenTenure(shared, uuid4(), None))
    for login in ("anna", "ben"):
        member = acts.AddMember(shared, people[login].id, house.core.clock())
        await house.two_people(people["admin"], people["manager"], member)
    await exchange.enrol("1060", "desk", mailbox=shared)
    await exchange.enrol("1061", "front")
    await exchange.office.deposit_keys.refresh()
    exchange.office.readers.changed = lambda boxes: [exchange.lamps.changed(b) for b in boxes]
    await exchange.office.readers.refresh()

    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        await leave(exchange, "*981060", caller="front")
        await shown(alice, "Voice-Message: 1/0")
        await shown(bob, "Voice-Message: 1/0")
        switched_off(exchange, "bob")  # where the public would see it
        await leave(exchange, "*981060", caller="front")
        await shown(alice, "Voice-Message: 2/0")
        await shown(bob, "Messages-Waiting: no")
        async with exchange.calling("bob", "*97") as caller:
            await sign_in(caller)
            await caller.hears(HERTZ, 0.5)
            await caller.hang_up()
        await shown(alice, "Voice-Message: 1/1")


async def test_the_practice_managers_lamp_burns_while_nobody_can_hear_messages(
    exchange: MessageExchange,
) -> None:
    exchange.config = VoicemailConfig(away_minutes=1)
    office, manager = exchange.office, exchange.people["anna"].id
    told: list[bool] = []

    def alarmed(people: frozenset[object], is_so: bool) -> None:
        told.append(is_so)
        exchange.lamps.alarm(frozenset({manager}) if is_so else frozenset())

    office.alarmed = alarmed  # type: ignore[assignment]  # who it is the directory does not say here
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        await exchange.key_holder_away()
        await office.watch.look()
        await office.chores()
        assert told == []
        exchange.house.time.wall = max(clock(), exchange.house.time.wall) + 61_000_000
        await office.chores()
        await office.chores()
        await shown(alice, "Voice-Message: 1/0 (1/0)")
        await exchange.key_holder_back()
        await office.watch.look()
        await office.chores()
        await shown(alice, "Messages-Waiting: no")
        assert told == [True, False]
        assert bob.notified.empty()
