"""A ledger row and its hashes.

leaf  = SHA-256(type-tagged canonical encoding of every column but `hash`)
chain = SHA-256(previous chain value ‖ leaf), kept in `hash`

The encoding is MessagePack of an array that begins with a label: every value carries its type and
length, integers have one shortest form, so two different rows cannot encode to the same bytes.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

import msgspec

from storage.ledger.entry import Entry, json_text

LABEL = "hipaa-pbx ledger row 1"
_encode = msgspec.msgpack.Encoder().encode


class Row(NamedTuple):
    """A row as stored, in the order of its columns; identifiers as their 16 bytes."""

    writer: str
    sequence: int
    occurred_at: int
    recorded_at: int
    operation: bytes
    action: str
    outcome: str
    actor_kind: str
    actor_id: bytes | None
    session_id: bytes | None
    subject_kind: str | None
    subject_id: bytes | None
    before: str | None
    after: str | None
    detail: bytes | None
    hash: bytes


def leaf(row: Row) -> bytes:
    return sha256(_encode((LABEL, *row[:-1]))).digest()


def chain(previous: bytes, leaf_hash: bytes) -> bytes:
    return sha256(previous + leaf_hash).digest()


GENESIS = bytes(32)
"""The chain value before a writer's first row; the leaf names the writer."""


@dataclass(frozen=True, slots=True)
class Tip:
    """Where a writer's chain ends."""

    writer: str
    sequence: int
    hash: bytes
    recorded_at: int

    @classmethod
    def start(cls, writer: str) -> "Tip":
        return cls(writer, 0, GENESIS, 0)

    def extend(self, entry: Entry, now: int) -> tuple[Row, "Tip"]:
        """Number and hash one entry. A clock that ran backwards does not reorder rows."""
        recorded = max(now, self.recorded_at)
        actor, subject = entry.actor, entry.subject
        row = Row(
            self.writer,
            self.sequence + 1,
            now if entry.occurred_at is None else entry.occurred_at,
            recorded,
            entry.operation.bytes,
            entry.action.value,
            entry.outcome.value,
            actor.kind.value,
            actor.id.bytes if actor.id else None,
            actor.session.bytes if actor.session else None,
            subject.kind if subject else None,
            subject.id.bytes if subject and subject.id else None,
            json_text("before", entry.before),
            json_text("after", entry.after),
            entry.detail,
            b"",
        )
        linked = row._replace(hash=chain(self.hash, leaf(row)))
        return linked, Tip(self.writer, row.sequence, linked.hash, recorded)
