"""Whether somebody gets a message's key, asked past everything that the exchange would check."""

import base64
from uuid import UUID

from storage.keyholder import slots
from storage.keyholder.client import Refused
from storage.keyholder.protocol import AdoptMessage, Evidence
from tests.support.clinic import Clinic, Member


async def message_in(clinic: Clinic, mailbox: UUID) -> UUID:
    """One that the key holder has, adopted from the mailbox's own deposit key."""
    message, keyholder = clinic.id(), clinic.plane.keyholder
    key = (await keyholder.public_keys("deposit", mailbox))[0]
    slot = slots.deposit_slot(key, message.bytes, b"m" * 32)
    evidence = Evidence(clinic.id(), bytes(32))
    await keyholder.adopt_message(
        AdoptMessage(message, mailbox, message.bytes, key.id, slot, evidence)
    )
    return message


async def opens(clinic: Clinic, who: Member, message: UUID) -> bool:
    """As an exchange would ask that does whatever the attacker wants."""
    handle = base64.urlsafe_b64decode(who.token + "=")
    try:
        await clinic.plane.keyholder.ticket(handle, message, Evidence(clinic.id(), b"r" * 32))
    except Refused:
        return False
    return True
