"""Key slots: how the key of one content is kept, and the context each is bound to.

A deposit slot is sealed by whoever records, to a signed deposit key. An adopted slot is sealed
under the message's own secret, which exists only in the key holder's store: without it the
message is noise. The records key of an hour is sealed to the records key pair.
"""

from uuid import UUID

from storage.keyholder.signing import SignedKey
from storage.sealed import primitives
from storage.sealed.primitives import Suite

_ADOPTED = b"\2"


class WrongSlot(primitives.OpenError):
    """A key slot of another content, another key, or another tenure."""


def deposit_slot(key: SignedKey, content: bytes, message_key: primitives.Bytes) -> bytes:
    """By the worker, after `signing.check_key`; needs no secret."""
    return primitives.seal_to(key.suite, key.public, message_key, _deposit_info(key, content))


def open_deposit_slot(
    key: SignedKey, private: primitives.Bytes, content: bytes, slot: bytes
) -> bytearray:
    try:
        opened = primitives.open_with(key.suite, private, slot, _deposit_info(key, content))
    except primitives.OpenError:
        raise WrongSlot("key slot: not of this content, key and tenure") from None
    return bytearray(opened)


def _deposit_info(key: SignedKey, content: bytes) -> bytes:
    tenure = key.tenure.bytes if key.tenure is not None else b""
    public = primitives.sha256(key.public)
    return b"\0".join((b"hipaa-pbx deposit slot v1", key.id.bytes, public, tenure, content))


def adopted_slot(
    secret: primitives.Bytes, message: UUID, content: bytes, message_key: primitives.Bytes
) -> bytes:
    return _ADOPTED + primitives.seal(secret, message_key, _adopted_context(message, content))


def open_adopted_slot(
    secret: primitives.Bytes, message: UUID, content: bytes, slot: bytes
) -> bytes:
    if slot[:1] != _ADOPTED:
        raise WrongSlot("key slot: not an adopted one")
    try:
        return primitives.open_sealed(secret, slot[1:], _adopted_context(message, content))
    except primitives.OpenError:
        raise WrongSlot("key slot: not of this message and content") from None


def _adopted_context(message: UUID, content: bytes) -> bytes:
    return b"hipaa-pbx adopted slot v1\0" + message.bytes + content


def asker_slot(suite: Suite, public: bytes, content: bytes, message_key: primitives.Bytes) -> bytes:
    """By the worker, for a command that listens or exports: its ephemeral key, one content."""
    return primitives.seal_to(suite, public, message_key, _asker_info(content))


def open_asker_slot(
    suite: Suite, private: primitives.Bytes, content: bytes, slot: bytes
) -> bytearray:
    """In the command itself."""
    try:
        return bytearray(primitives.open_with(suite, private, slot, _asker_info(content)))
    except primitives.OpenError:
        raise WrongSlot("key slot: not of this content and key") from None


def _asker_info(content: bytes) -> bytes:
    return b"hipaa-pbx asker slot v1\0" + content


def sealed_records_key(key: SignedKey, hour_key: primitives.Bytes) -> bytes:
    """By the exchange, for the copy beside the rows of the hour."""
    return primitives.seal_to(key.suite, key.public, hour_key, _records_info(key))


def open_records_key(key: SignedKey, private: primitives.Bytes, sealed: bytes) -> bytes:
    return primitives.open_with(key.suite, private, sealed, _records_info(key))


def _records_info(key: SignedKey) -> bytes:
    return b"hipaa-pbx records key v1\0" + key.id.bytes
