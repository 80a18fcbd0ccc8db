"""Messages to test with."""

from typing import Any
from uuid import UUID

from storage import messages
from storage.identifiers import new_id
from storage.messages import Envelope, NewMessage
from storage.records import RecordsKey
from storage.sealed import primitives
from storage.sealed.fields import FieldKey
from tests.support.stores import Stores

BOX = UUID(int=77)


def hourly(stores: Stores, secret: int = 7) -> RecordsKey:
    fields = FieldKey(bytes([secret]) * 32, "records")
    return RecordsKey(new_id(stores.clock), stores.clock(), fields, b"sealed", UUID(int=9))


def a_message(stores: Stores, mailbox: UUID = BOX, **facts: Any) -> NewMessage:
    standard: dict[str, Any] = {
        "id": new_id(stores.clock), "mailbox": mailbox, "content": primitives.random(16),
        "deposit_key": UUID(int=5), "slot": b"slot", "codec": "pcmu", "milliseconds": 3_000,
        "octets": 24_000, "segments": 3, "digest": primitives.random(32),
        "received_at": stores.clock(),
    }  # fmt: skip
    return NewMessage(**(standard | facts))


async def left(
    stores: Stores, mailbox: UUID = BOX, *, envelope: Envelope | None = None, **facts: Any
) -> NewMessage:
    """A message that was left a moment ago."""
    new = a_message(stores, mailbox, **facts)
    key = hourly(stores) if envelope is not None else None
    sealed = messages.sealed_envelope(new.id, envelope, key) if envelope and key else None
    await stores.do(messages.deposit, new, key, sealed)
    return new
