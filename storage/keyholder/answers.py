"""What the key holder answers; a refusal says no more than that."""

from uuid import UUID

import msgspec

from storage.keyholder.acts import AnyAct, Role
from storage.keyholder.parts import Answer, Notice, SessionView, State
from storage.keyholder.signing import SignedHead, SignedKey, SignedStatement


class Pong(Answer, frozen=True, tag="pong"):
    state: State
    journal: int


class Challenge(Answer, frozen=True, tag="challenge"):
    challenge: bytes
    key: SignedKey
    """Purpose `proof`: seal to this after checking the signature against the pinned key."""


class Opened(Answer, frozen=True, tag="opened"):
    """Somebody has proved who they are."""

    person: UUID
    session: bytes
    id: UUID
    kind: str
    roles: tuple[Role, ...]
    idle_seconds: int
    ends_at: int
    notices: tuple[Notice, ...] = ()
    must_change: bool = False
    """The PIN has expired: nothing opens in this session before it is changed."""


class Done(Answer, frozen=True, tag="done"):
    """The act was carried out. `answer` (if any) is sealed to the asker's ephemeral key."""

    person: UUID | None = None
    answer: bytes = b""
    second: UUID | None = None
    """The other person of a two-person act."""
    sole: bool = False
    """Made without a second person because none existed yet: flag it in every report."""


class Waiting(Answer, frozen=True, tag="waiting"):
    """A second person has to approve."""

    proposal: UUID
    digest: bytes
    until: int
    answer: bytes = b""


class Ending(msgspec.Struct, frozen=True):
    """Something that has come to its end by itself."""

    act: str
    """leave, suspend, close-tenure or end-break-glass."""
    subject: UUID
    reason: str
    person: UUID | None = None
    """Whose break-glass it was; `subject` is the mailbox then."""


class Ran(Answer, frozen=True, tag="ran"):
    ended: tuple[Ending, ...]


class SessionState(Answer, frozen=True, tag="session"):
    view: SessionView
    roles: tuple[Role, ...]


class SessionList(Answer, frozen=True, tag="sessions"):
    sessions: tuple[SessionView, ...]


class GrantView(msgspec.Struct, frozen=True):
    id: UUID
    role: Role
    start: int
    until: int | None
    requester: UUID | None
    approver: UUID | None
    sole: bool


class SecurityKeyView(msgspec.Struct, frozen=True):
    id: UUID
    label: str
    added: int


class PersonView(msgspec.Struct, frozen=True):
    id: UUID
    login: str
    state: str
    until: int | None
    enrolled: bool
    has_pin: bool
    locked_until: int
    last_seen: int
    grants: tuple[GrantView, ...]
    security_keys: tuple[SecurityKeyView, ...] = ()


class PersonList(Answer, frozen=True, tag="people"):
    people: tuple[PersonView, ...]


class MemberView(msgspec.Struct, frozen=True):
    person: UUID
    start: int
    until: int | None
    kind: str


class MailboxView(msgspec.Struct, frozen=True):
    id: UUID
    tenure: UUID
    owner: UUID | None
    opened: int
    closed: int | None
    until: int | None
    members: tuple[MemberView, ...]
    holds: tuple[UUID, ...]


class MailboxList(Answer, frozen=True, tag="mailboxes"):
    mailboxes: tuple[MailboxView, ...]


class ProposalView(msgspec.Struct, frozen=True):
    id: UUID
    digest: bytes
    act: AnyAct
    requester: UUID
    until: int
    statement: SignedStatement
    """The same in words the exchange cannot change (`proposals.read`)."""


class ProposalList(Answer, frozen=True, tag="proposals"):
    proposals: tuple[ProposalView, ...]


class KeyList(Answer, frozen=True, tag="keys"):
    keys: tuple[SignedKey, ...]


class Wrapped(Answer, frozen=True, tag="wrapped"):
    slot: bytes


class Ticket(Answer, frozen=True, tag="ticket"):
    ticket: bytes
    expires: int


class MessageKey(Answer, frozen=True, tag="message-key"):
    key: bytearray
    """Overwritten by whoever has used it."""


class RecordsKey(Answer, frozen=True, tag="records-key"):
    key: bytes


class Indexed(Answer, frozen=True, tag="indexed"):
    values: tuple[bytes, ...]


class Head(Answer, frozen=True, tag="head"):
    head: SignedHead


class Statement(Answer, frozen=True, tag="statement"):
    statement: SignedStatement


class JournalPage(Answer, frozen=True, tag="journal"):
    entries: tuple[bytes, ...]
    """Encoded `journal.Entry` values with their chain hashes recomputable by the reader."""
    end: int


class KeyReport(Answer, frozen=True, tag="report"):
    state: State
    keystore: str
    generation: int
    journal: int
    journal_head: bytes
    last_backup: int | None
    recovery: str
    same_device: bool
    """Key store and data share a disk: a thief of one has the other."""
    same_account: bool
    root_beside: bool
    """The root key is a file on the same disk: whoever takes the disk opens the store."""
    alarms: tuple[str, ...] = ()
    memory: str = ""
    """Whether it is locked, in words."""


class UnlockKey(Answer, frozen=True, tag="unlock-key"):
    public: bytes
    suite: str


class Refusal(Answer, frozen=True, tag="refusal"):
    """No. Why is in the journal and nowhere else."""


class Invalid(Answer, frozen=True, tag="invalid"):
    """The request breaks a rule that is no secret (password too short); names field and rule."""

    rule: str


class Shut(Answer, frozen=True, tag="shut"):
    """The key holder is empty, locked or alarmed."""

    state: State
