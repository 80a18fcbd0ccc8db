"""A key holder with a physician's mailbox and one message in it, taken over."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from storage.keyholder import acts, journal, protocol, slots
from storage.keyholder.acts import Role
from storage.keyholder.journal import Event
from storage.keyholder.protocol import AdoptMessage, KeyList, PublicKeys, Wrapped
from storage.keyholder.signing import SignedKey
from tests.support.keyholder import House, Someone, evidence

CONTENT, KEY = b"content id", b"m" * 32


@dataclass
class Box:
    admin: Someone
    manager: Someone
    doctor: Someone
    id: UUID
    key: SignedKey
    message: UUID
    slot: bytes
    deposit: bytes


@pytest.fixture
async def box(house: House) -> Box:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    mailbox = uuid4()
    await house.done(admin, acts.OpenTenure(mailbox, uuid4(), doctor.id))
    key = (await house.ask(PublicKeys("deposit", mailbox), KeyList)).keys[0]
    deposit = slots.deposit_slot(key, CONTENT, KEY)
    message = uuid4()
    adopt = AdoptMessage(message, mailbox, CONTENT, key.id, deposit, evidence())
    wrapped = await house.ask(adopt, Wrapped)
    return Box(admin, manager, doctor, mailbox, key, message, wrapped.slot, deposit)


async def entries(house: House, event: Event) -> list[journal.Entry]:
    page = await house.ask(protocol.ReadJournal(1), protocol.JournalPage)
    found = [journal.parse_record(record)[0] for record in page.entries]
    return [entry for entry in found if entry.event is event]
