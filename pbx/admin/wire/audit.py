"""Questions to the ledger, and what is answered."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from pbx.admin.wire.fields import Moment, Reason, Sealed

Words = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
PhoneNumber = Annotated[str, Meta(min_length=3, max_length=40, pattern=r"^[0-9+*#(). /-]+$")]


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of the ledger; what is left out does not matter."""

    person: Words | None = None
    device: Words | None = None
    mailbox: Words | None = None
    message: UUID | None = None
    subject: UUID | None = None
    action: list[Words] = msgspec.field(default_factory=list)
    """`message.heard`, or `message` for all of that noun."""
    outcome: Words | None = None
    since: Moment | None = None
    until: Moment | None = None
    page: Annotated[int, Meta(ge=1, le=1000)] = 50
    after: Annotated[str, Meta(max_length=200)] = ""


class FollowAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be shown as it comes; `last` is where the look before this one ended."""

    last: Annotated[str, Meta(max_length=4_000)] = ""
    """Empty: only where the chains end now is answered."""


class NumberAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Also by a telephone number; why has to be said, and is kept."""

    number: PhoneNumber
    reason: Reason


class ScopeAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person, a phone or a mailbox, and a span of time."""

    person: Words | None = None
    device: Words | None = None
    mailbox: Words | None = None
    since: Moment
    until: Moment | None = None


class RowView(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ledger, with the names that its identifiers have today."""

    writer: str
    sequence: int
    occurred_at: int
    recorded_at: int
    operation: UUID
    action: str
    outcome: str
    actor_kind: str
    actor: UUID | None
    actor_name: str
    session: UUID | None
    subject_kind: str | None
    subject: UUID | None
    subject_name: str
    before: Any
    after: Any
    has_detail: bool


class RowsView(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; `next` goes into `after` of the next question."""

    rows: list[RowView]
    next: str = ""
    hidden: str = ""
    """What this role is not shown."""
    not_indexed: int = 0
    """Calls and messages whose numbers no question finds."""
    gone_before: int | None = None
    """Older rows stand in files of months that were moved off, and in no answer."""


class FollowView(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first; `last` goes into the next look."""

    rows: list[RowView]
    last: str
    hidden: str = ""


class CountView(msgspec.Struct, frozen=True, kw_only=True):
    action: str
    outcome: str
    count: int


class DeedsView(msgspec.Struct, frozen=True, kw_only=True):
    """What one person did."""

    person: UUID
    login: str
    counts: list[CountView]
    page: RowsView


class OpeningView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody had a message's sound, or tried to."""

    at: int
    message: UUID
    action: str
    outcome: str
    person: UUID | None
    login: str
    device: UUID | None
    phone: str
    place: str
    operation: UUID | None
    journal: str
    was_opened: bool
    by_break_glass: bool


class HeardView(msgspec.Struct, frozen=True, kw_only=True):
    """Who heard a message."""

    message: UUID
    mailbox: UUID
    received_at: int
    state: str
    openings: list[OpeningView]
    copies: list[UUID]
    """Messages that were made of it by a forward: ask about them as well."""
    is_compared: bool
    """Whether the key holder's journal could be read."""


class AccessView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody could open a mailbox from then until then."""

    mailbox: UUID
    person: UUID
    login: str
    since: int
    until: int | None
    how: str
    source: str
    approver: UUID | None
    approver_login: str
    had_role: bool


class CouldView(msgspec.Struct, frozen=True, kw_only=True):
    """Who could hear a message while it was there."""

    message: UUID
    mailbox: UUID
    since: int
    until: int
    access: list[AccessView]
    is_compared: bool


class PlaceView(msgspec.Struct, frozen=True, kw_only=True):
    """From where."""

    kind: str
    place: str
    first_at: int
    last_at: int
    count: int


class ReachView(msgspec.Struct, frozen=True, kw_only=True):
    """A mailbox and its messages of the time."""

    mailbox: UUID
    messages: int
    opened: int


class ScopeView(msgspec.Struct, frozen=True, kw_only=True):
    """How far a breach may have gone."""

    kind: str
    id: UUID
    since: int
    until: int
    could: list[AccessView]
    did: list[OpeningView]
    places: list[PlaceView]
    within_reach: list[ReachView]
    other: list[CountView]
    """What else was done, or tried."""
    beyond_mailboxes: int
    beyond_messages: int
    beyond: str
    """Why the rest was out of reach."""
    is_compared: bool


class NewExport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows recorded since then, of all chains, for a file."""

    since: Moment = 0
    proof: Sealed


class ExportView(msgspec.Struct, frozen=True, kw_only=True):
    """An export was begun: its row is written and signed, so its end stands fast."""

    operation: UUID
    rows: int


class ExportPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of the file, in its order."""

    lines: list[str]
    next: int
    """Where the next page begins; 0: these were the last."""


class ItemView(msgspec.Struct, frozen=True, kw_only=True):
    """Something to look at, and who has."""

    id: UUID
    kind: str
    opened_at: int
    due_at: int
    is_overdue: bool
    people: list[UUID]
    logins: list[str]
    facts: dict[str, Any]
    signed_by: UUID | None
    signed_by_login: str
    signed_at: int | None


class EvidenceView(msgspec.Struct, frozen=True, kw_only=True):
    """An item and the rows it was found in."""

    item: ItemView
    rows: list[RowView]


class WordsView(msgspec.Struct, frozen=True, kw_only=True):
    """What was sealed into one row."""

    words: str


class SignOff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was seen, in words; kept sealed."""

    note: Reason
