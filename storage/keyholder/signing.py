"""What the key holder signs: public keys, ledger heads and statements (certificates, checkpoints).

A public key counts only with this signature, checked by whoever seals, against the pinned signing
key, just before sealing. Checking needs nothing but the pinned 32 bytes.
"""

import os
from pathlib import Path
from uuid import UUID

import msgspec

from storage.sealed import primitives
from storage.sealed.primitives import Suite

_encoder = msgspec.msgpack.Encoder(order="deterministic")


class BadKey(Exception):
    """A public key that must not be used; says which rule it breaks."""


class SignedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: UUID
    public: bytes
    purpose: str
    """deposit, records, proof."""
    mailbox: UUID | None
    tenure: UUID | None
    suite: Suite
    start: int
    until: int
    generation: int
    signature: bytes = b""

    def body(self) -> bytes:
        return _body(self)


class SignedHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The end of one writer's chain, with the journal's end at that moment."""

    writer: UUID
    sequence: int
    chain: bytes
    journal_sequence: int
    journal_chain: bytes
    signed_at: int
    signature: bytes = b""

    def body(self) -> bytes:
        return _body(self)


class SignedStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSON text the key holder stands for: a certificate of destruction, a checkpoint."""

    kind: str
    text: str
    signature: bytes = b""

    def body(self) -> bytes:
        return _body(self)


Signed = SignedKey | SignedHead | SignedStatement


def _body(value: Signed) -> bytes:
    return _encoder.encode(msgspec.structs.replace(value, signature=b""))


def _label(value: Signed) -> str:
    return f"signature {type(value).__name__} v1"


def signed_key(signing_key: primitives.Bytes, value: SignedKey) -> SignedKey:
    return msgspec.structs.replace(value, signature=_sign(signing_key, value))


def signed_head(signing_key: primitives.Bytes, value: SignedHead) -> SignedHead:
    return msgspec.structs.replace(value, signature=_sign(signing_key, value))


def signed_statement(signing_key: primitives.Bytes, value: SignedStatement) -> SignedStatement:
    return msgspec.structs.replace(value, signature=_sign(signing_key, value))


def _sign(signing_key: primitives.Bytes, value: Signed) -> bytes:
    return primitives.sign(signing_key, _label(value), _body(value))


def is_signed(pinned: bytes, value: Signed) -> bool:
    return primitives.verify(pinned, _label(value), _body(value), value.signature)


def check_key(
    pinned: bytes, key: SignedKey, *, purpose: str, now: int, mailbox: UUID | None = None
) -> SignedKey:
    """To be called just before sealing; returns the key or raises `BadKey`."""
    if not is_signed(pinned, key):
        raise BadKey("public key: not signed by the key holder")
    if key.purpose != purpose:
        raise BadKey("public key: made for another purpose")
    if key.mailbox != mailbox:
        raise BadKey("public key: belongs to another mailbox")
    if not key.start <= now < key.until:
        raise BadKey("public key: not valid now")
    return key


class Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pinned signing key: a small file owned by root, read by whoever seals."""

    signing_key: bytes

    @classmethod
    def read(cls, path: Path) -> "Pin":
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            raise BadKey("pin file: missing or not readable") from None

    def write(self, path: Path) -> None:
        """Whole or not at all, and never through a link."""
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(fresh, flags, 0o644), "wb") as file:
            file.write(msgspec.json.encode(self) + b"\n")
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(fresh, path)
