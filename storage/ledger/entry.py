"""What somebody wants recorded: an entry becomes a row when the committer numbers it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from storage.errors import InvalidEntry
from storage.ledger.actions import Action, Outcome

MAX_JSON = 64 * 1024
MAX_DETAIL = 64 * 1024
SUBJECT_KIND = re.compile(r"[a-z][a-z_]{0,31}")


class ActorKind(StrEnum):
    PERSON = "person"
    DEVICE = "device"
    SYSTEM = "system"
    """The exchange itself: timers, retention, recovery."""
    INSTALLATION = "installation"
    """Whoever set the machine up, before there were people to approve."""
    NOBODY = "nobody"
    """Nobody was authenticated: a failed credential, a call from a lobby phone."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, and in which session."""

    kind: ActorKind
    id: UUID | None = None
    session: UUID | None = None

    def __post_init__(self) -> None:
        if self.kind in (ActorKind.PERSON, ActorKind.DEVICE) and self.id is None:
            raise InvalidEntry("actor", "a person or device has an identifier")


SYSTEM = Actor(ActorKind.SYSTEM)
INSTALLATION = Actor(ActorKind.INSTALLATION)
NOBODY = Actor(ActorKind.NOBODY)


@dataclass(frozen=True, slots=True)
class Subject:
    """What it was done to: the kind of thing, as its table is called, and its identifier."""

    kind: str
    id: UUID | None = None

    def __post_init__(self) -> None:
        if not SUBJECT_KIND.fullmatch(self.kind):
            raise InvalidEntry("subject", "is 1 to 32 small letters or underscores")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row to be: identifiers, enums and public settings in clear, the rest in `detail`."""

    action: Action
    outcome: Outcome
    actor: Actor
    operation: UUID
    subject: Subject | None = None
    before: Any = None
    """JSON value without personal data; None for nothing."""
    after: Any = None
    detail: bytes | None = None
    """Sealed already, to the records key."""
    occurred_at: int | None = None
    """Microseconds; when it is recorded, if None."""

    def __post_init__(self) -> None:
        if self.detail is not None and not 0 < len(self.detail) <= MAX_DETAIL:
            raise InvalidEntry("detail", f"is 1 to {MAX_DETAIL} bytes")
        if self.occurred_at is not None and not 0 <= self.occurred_at < 2**63:
            raise InvalidEntry("occurred_at", "is microseconds since 1970")
        json_text("before", self.before)
        json_text("after", self.after)


def json_text(field: str, value: Any) -> str | None:
    """Canonical JSON: members sorted, no spaces."""
    if value is None:
        return None
    try:
        text = msgspec.json.encode(value, order="sorted").decode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidEntry(field, "is a JSON value") from None
    if len(text) > MAX_JSON:
        raise InvalidEntry(field, f"is at most {MAX_JSON} characters")
    return text
