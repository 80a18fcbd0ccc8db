"""Key slots: how the key of one content is kept, and the context each is bound to.

A deposit slot is sealed by whoever records, to a signed deposit key. An adopted slot is sealed
under the message's own secret, which exists only in the key holder's store: without it the
message is noise. The records key of an hour is sealed to the records key pair.
"""

from uuid import UUID

from storage.keyholder.signing import SignedKey
from storage.sealed import primitives

_ADOPTED = b"\2"


def deposit_slot(key: SignedKey, content: bytes, message_key: primitives.Bytes) -> bytes:
    """By the worker, after `signing.check_key`; needs no secret."""
    return primitives.seal_to(key.suite, key.public, message_key, _deposit_info(key, content))


def open_deposit_slot(
    key: SignedKey, private: primitives.Bytes, content: bytes, slot: bytes
) -> bytearray:
    return bytearray(primitives.open_with(key.suite, private, slot, _deposit_info(key, content)))


def _deposit_info(key: SignedKey, content: bytes) -> bytes:
    tenure = key.tenure.bytes if key.tenure is not None else b""
    return b"\0".join((b"hipaa-pbx deposit slot v1", key.id.bytes, tenure, content))


def adopted_slot(
    secret: primitives.Bytes, message: UUID, content: bytes, message_key: primitives.Bytes
) -> bytes:
    return _ADOPTED + primitives.seal(secret, message_key, _adopted_context(message, content))


def open_adopted_slot(
    secret: primitives.Bytes, message: UUID, content: bytes, slot: bytes
) -> bytes:
    if slot[:1] != _ADOPTED:
        raise primitives.OpenError("key slot: not an adopted one")
    return primitives.open_sealed(secret, slot[1:], _adopted_context(message, content))


def _adopted_context(message: UUID, content: bytes) -> bytes:
    return b"hipaa-pbx adopted slot v1\0" + message.bytes + content


def sealed_records_key(key: SignedKey, hour_key: primitives.Bytes) -> bytes:
    """By the exchange, for the copy beside the rows of the hour."""
    return primitives.seal_to(key.suite, key.public, hour_key, _records_info(key))


def open_records_key(key: SignedKey, private: primitives.Bytes, sealed: bytes) -> bytes:
    return primitives.open_with(key.suite, private, sealed, _records_info(key))


def _records_info(key: SignedKey) -> bytes:
    return b"hipaa-pbx records key v1\0" + key.id.bytes
