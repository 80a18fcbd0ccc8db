"""What questions and answers of the key holder are made of."""

from enum import StrEnum
from uuid import UUID

import msgspec

MAX_FRAME = 1 << 20
"""1 MiB: 10,000 leaf hashes of 32 bytes with room to spare."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="ask"):
    """Base of everything a peer asks."""


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind_of_answer"):
    """Base of everything the key holder answers."""


class State(StrEnum):
    EMPTY = "empty"  # no store yet: `pbx init`
    LOCKED = "locked"  # waits for `pbx keys unlock`
    READY = "ready"
    FULL = "full"  # the disk refuses: nothing is opened, because nothing can be journalled
    ALARMED = "alarmed"  # store or journal was rolled back or altered: opens nothing


class Edge(StrEnum):
    EXCHANGE = "exchange"
    WORKER = "worker"
    OPERATOR = "operator"


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ties a request to the ledger: goes into the journal entry."""

    operation: UUID
    ledger_row: bytes = b""
    """SHA-256 leaf of the committed row; empty where the row follows (log-in) or cannot be."""


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an attempt comes from: a device is slowed before a person is locked."""

    device: str
    source: str


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Opaque to whoever relays it: `proofs.seal_proof` made it at the edge."""

    sealed: bytes
    origin: Origin
    session: bytes = b""


class Notice(msgspec.Struct, frozen=True):
    """Told to the owner at the next log-in (factors reset, locked, codes used)."""

    kind: str
    at: int


class SessionView(msgspec.Struct, frozen=True):
    """A session as it may be listed; the handle is not part of it."""

    id: UUID
    person: UUID
    kind: str
    device: str
    opened: int
    idle_at: int
    ends_at: int
