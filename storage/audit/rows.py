"""A ledger row as an answer shows it, and the place of a row in the order of answers."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Answers are in the order of when things happened; writer and number part what is equal."""

    occurred_at: int
    writer: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.occurred_at}:{self.sequence}:{self.writer}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Raises ValueError for what no answer gave out."""
        at, _, rest = text.partition(":")
        sequence, _, writer = rest.partition(":")
        if not (_is_whole(at) and _is_whole(sequence) and writer):
            raise ValueError("place: is what an earlier page ended with")
        return cls(int(at), writer, int(sequence))


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One row of an answer."""

    place: Place
    recorded_at: int
    operation: UUID
    action: str
    outcome: str
    actor_kind: str
    actor: UUID | None
    session: UUID | None
    subject_kind: str | None
    subject: UUID | None
    before: Any
    after: Any
    has_detail: bool
    """Words are sealed in it, which the key holder opens for readers of records."""

    @property
    def facts(self) -> dict[str, Any]:
        return self.after if isinstance(self.after, dict) else {}

    def named(self, fact: str) -> UUID | None:
        """An identifier that `after` has under this name."""
        try:
            return UUID(str(self.facts.get(fact)))
        except ValueError:
            return None


def found(row: Row[Any]) -> Found:
    return Found(
        place=Place(row.occurred_at, row.writer, row.sequence),
        recorded_at=row.recorded_at,
        operation=row.operation,
        action=row.action,
        outcome=row.outcome,
        actor_kind=row.actor_kind,
        actor=row.actor_id,
        session=row.session_id,
        subject_kind=row.subject_kind,
        subject=row.subject_id,
        before=None if row.before is None else msgspec.json.decode(row.before),
        after=None if row.after is None else msgspec.json.decode(row.after),
        has_detail=row.detail is not None,
    )
