"""What a ledger row says in words (a stated reason), sealed so that readers of records open it.

Each detail has a key of its own, sealed to the key holder's records key like the key of an hour;
`OpenRecordsKey` opens it for a session that may read records, and that opening is journalled.
"""

from uuid import UUID

import msgspec

from storage.keyholder.signing import SignedKey, check_key
from storage.keyholder.slots import sealed_records_key
from storage.sealed import primitives

PURPOSE = "records"


class Detail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stands in the row's `detail` column."""

    key: UUID
    """The records key it is sealed to."""
    sealed: bytes
    """This detail's own key."""
    body: bytes

    @classmethod
    def decode(cls, column: bytes) -> "Detail":
        return msgspec.msgpack.decode(column, type=cls)

    def open(self, secret: primitives.Bytes, operation: UUID) -> str:
        """With the key that the key holder opened."""
        return primitives.open_sealed(secret, self.body, _context(operation)).decode()


def sealed_detail(pinned: bytes, public: SignedKey, text: str, operation: UUID, now: int) -> bytes:
    """For the `detail` column; raises `BadKey` for a key the key holder has not signed."""
    check_key(pinned, public, purpose=PURPOSE, now=now)
    secret = bytearray(primitives.random(primitives.KEY))
    try:
        body = primitives.seal(secret, text.encode(), _context(operation))
        detail = Detail(public.id, sealed_records_key(public, secret), body)
    finally:
        primitives.wipe(secret)
    return msgspec.msgpack.encode(detail)


def _context(operation: UUID) -> bytes:
    return b"ledger detail v1\0" + operation.bytes
