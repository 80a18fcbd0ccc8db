"""storage/keyholder/slots.py"""

from uuid import UUID

import msgspec
import pytest

from storage.keyholder import slots
from storage.keyholder.signing import SignedKey
from storage.keyholder.slots import WrongSlot
from storage.sealed import primitives
from storage.sealed.primitives import OpenError, Suite

PAIR = primitives.generate_pair(Suite.HYBRID)
KEY = SignedKey(
    UUID(int=1), PAIR.public, "deposit", UUID(int=2), UUID(int=3), Suite.HYBRID, 0, 9, 1
)


def test_a_deposit_slot_opens_for_its_content_and_tenure_alone() -> None:
    slot = slots.deposit_slot(KEY, b"content", b"m" * 32)

    assert slots.open_deposit_slot(KEY, PAIR.private, b"content", slot) == b"m" * 32
    for key, content in (
        (KEY, b"another"),
        (msgspec.structs.replace(KEY, tenure=UUID(int=4)), b"content"),
        (msgspec.structs.replace(KEY, tenure=None), b"content"),
        (msgspec.structs.replace(KEY, id=UUID(int=5)), b"content"),
        (msgspec.structs.replace(KEY, public=b"another"), b"content"),
    ):
        with pytest.raises(WrongSlot):
            slots.open_deposit_slot(key, PAIR.private, content, slot)


def test_an_adopted_slot_opens_with_its_secret_message_and_content_alone() -> None:
    secret, message = b"s" * 32, UUID(int=6)
    slot = slots.adopted_slot(secret, message, b"content", b"m" * 32)

    assert slots.open_adopted_slot(secret, message, b"content", slot) == b"m" * 32
    for other_secret, other, content, held in (
        (b"x" * 32, message, b"content", slot),
        (secret, UUID(int=7), b"content", slot),
        (secret, message, b"another", slot),
        (secret, message, b"content", b"\1" + slot[1:]),
    ):
        with pytest.raises(WrongSlot):
            slots.open_adopted_slot(other_secret, other, content, held)


def test_a_slot_for_a_command_opens_for_its_content_and_key_alone() -> None:
    other = primitives.generate_pair(Suite.HYBRID)
    slot = slots.asker_slot(PAIR.suite, PAIR.public, b"content", b"m" * 32)

    assert slots.open_asker_slot(PAIR.suite, PAIR.private, b"content", slot) == b"m" * 32
    for private, content in ((PAIR.private, b"another"), (other.private, b"content")):
        with pytest.raises(WrongSlot):
            slots.open_asker_slot(PAIR.suite, private, content, slot)


def test_an_hourly_key_opens_with_the_records_key_alone() -> None:
    sealed = slots.sealed_records_key(KEY, b"h" * 32)

    assert slots.open_records_key(KEY, PAIR.private, sealed) == b"h" * 32
    with pytest.raises(OpenError):
        slots.open_records_key(msgspec.structs.replace(KEY, id=UUID(int=5)), PAIR.private, sealed)
