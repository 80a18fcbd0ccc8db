"""The messages between the key holder and its two peers, the exchange and the media workers.

Frames are a 32-bit length and MessagePack [number, message] over a Unix stream socket; answers
carry the number of their request and may come out of order. Nothing here is readable secret
material except on the worker edge (`MessageKey`) and in `RecordsKey`, which the exchange holds
in memory for at most an hour.
"""

from enum import StrEnum
from uuid import UUID

import msgspec

from storage.keyholder.acts import AnyAct, Role
from storage.keyholder.signing import SignedHead, SignedKey, SignedStatement
from storage.sealed.primitives import wipe

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


# -- parts


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


# -- requests both edges may make


class Ping(Request, frozen=True, tag="ping"):
    """Answer: `Pong`; also while locked."""


class AskChallenge(Request, frozen=True, tag="challenge"):
    """Answer: `Challenge`: one use, two minutes."""


class Perform(Request, frozen=True, tag="perform"):
    """Answer: `Opened`, `Done`, `Waiting`, `Refusal` or `Invalid`."""

    act: AnyAct
    proof: Proof
    evidence: Evidence


class PublicKeys(Request, frozen=True, tag="public-keys"):
    """Signed keys for sealing. Deposit keys of a mailbox for the weeks ahead, or `records`."""

    purpose: str
    mailbox: UUID | None = None


# -- requests of the exchange


class Touch(Request, frozen=True, tag="touch"):
    """Counts as activity of the session. Answer: `SessionState` or `Refusal`."""

    session: bytes
    activity: bool = True


class EndSession(Request, frozen=True, tag="end-session"):
    session: bytes


class EndSessions(Request, frozen=True, tag="end-sessions"):
    """Ends one listed session, or all of a person (id None). Only ever takes away: no proof."""

    person: UUID
    id: UUID | None
    evidence: Evidence


class ListSessions(Request, frozen=True, tag="list-sessions"):
    person: UUID | None = None


class Revoke(Request, frozen=True, tag="revoke"):
    """Suspends (or ends) a person without a proof, for revocations that waited while the key
    holder was away and for end dates. It only takes away; giving back needs a proof."""

    person: UUID
    leave: bool
    evidence: Evidence


class EndTenure(Request, frozen=True, tag="end-tenure"):
    """Closes a mailbox without a proof (end dates, release, leave): it only takes away."""

    mailbox: UUID
    evidence: Evidence


class ListPeople(Request, frozen=True, tag="list-people"):
    """The key holder's own table, without secrets, to compare with the exchange's copy."""


class ListMailboxes(Request, frozen=True, tag="list-mailboxes"):
    pass


class ListProposals(Request, frozen=True, tag="list-proposals"):
    """What waits for a second person."""


class AdoptMessage(Request, frozen=True, tag="adopt-message"):
    """Re-wrap a new message's key under a secret of its own. Answer: `Wrapped`."""

    message: UUID
    mailbox: UUID
    content: bytes
    key: UUID
    slot: bytes
    evidence: Evidence


class AskTicket(Request, frozen=True, tag="ask-ticket"):
    """May this session open this message? Answer: `Ticket` or `Refusal`."""

    session: bytes
    message: UUID
    evidence: Evidence


class DestroyMessage(Request, frozen=True, tag="destroy-message"):
    """Destroys the message secret; answer: `Statement` (certificate of destruction)."""

    message: UUID
    policy: str
    by: UUID | None
    evidence: Evidence


class DestroyDepositKey(Request, frozen=True, tag="destroy-deposit-key"):
    """Nothing depends on an expired week's key any more."""

    key: UUID
    evidence: Evidence


class OpenRecordsKey(Request, frozen=True, tag="open-records-key"):
    """Opens an hourly records key for a session that may read records. Answer: `RecordsKey`."""

    session: bytes
    key: UUID
    sealed: bytes
    evidence: Evidence


class IndexNumbers(Request, frozen=True, tag="index-numbers"):
    """Fills the patient-number index column in batches. Answer: `Indexed`."""

    numbers: tuple[str, ...]
    evidence: Evidence


class LookUpNumber(Request, frozen=True, tag="look-up-number"):
    """One look-up with a session and a stated reason (the reason stays in the ledger row)."""

    session: bytes
    number: str
    evidence: Evidence


class SignHead(Request, frozen=True, tag="sign-head"):
    """Signs a ledger head that extends what was signed before; at most 10,000 leaves a time."""

    writer: UUID
    previous: int
    """Sequence of the last signed row (0 before the first)."""
    leaves: tuple[bytes, ...]
    known: SignedHead | None = None
    """The newest head the exchange has: one we do not remember shows a rolled-back store."""


class ReadJournal(Request, frozen=True, tag="read-journal"):
    """Entries from a sequence on, at most 1,000. Answer: `JournalPage`."""

    start: int


class KeyStatus(Request, frozen=True, tag="key-status"):
    """Answer: `KeyReport`."""


# -- requests of the owner of the machine (operator edge of the process)


class AskUnlock(Request, frozen=True, tag="ask-unlock"):
    """Answer: `UnlockKey`, an HPKE public key of this start of the process."""


class Unlock(Request, frozen=True, tag="unlock"):
    """The passphrase, sealed to `UnlockKey`."""

    sealed: bytes


# -- requests of a worker


class OpenMessage(Request, frozen=True, tag="open-message"):
    """Redeems a ticket, once. Answer: `MessageKey` or `Refusal`."""

    ticket: bytes
    content: bytes
    slot: bytes


# -- answers


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
    key: bytes


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


ExchangeRequest = (
    Ping
    | AskChallenge
    | Perform
    | PublicKeys
    | Touch
    | EndSession
    | EndSessions
    | ListSessions
    | Revoke
    | EndTenure
    | ListPeople
    | ListMailboxes
    | ListProposals
    | AdoptMessage
    | AskTicket
    | DestroyMessage
    | DestroyDepositKey
    | OpenRecordsKey
    | IndexNumbers
    | LookUpNumber
    | SignHead
    | ReadJournal
    | KeyStatus
)
WorkerRequest = Ping | AskChallenge | PublicKeys | OpenMessage
OperatorRequest = Ping | KeyStatus | AskUnlock | Unlock
AnyAnswer = (
    Pong
    | Challenge
    | Opened
    | Done
    | Waiting
    | SessionState
    | SessionList
    | PersonList
    | MailboxList
    | ProposalList
    | KeyList
    | Wrapped
    | Ticket
    | MessageKey
    | RecordsKey
    | Indexed
    | Head
    | Statement
    | JournalPage
    | KeyReport
    | UnlockKey
    | Refusal
    | Invalid
    | Shut
)


class Protected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The secrets of a proof, readable by the key holder alone."""

    password: bytearray = msgspec.field(default_factory=bytearray)
    new_password: bytearray = msgspec.field(default_factory=bytearray)
    totp: bytearray = msgspec.field(default_factory=bytearray)
    recovery_code: bytearray = msgspec.field(default_factory=bytearray)
    enrolment_code: bytearray = msgspec.field(default_factory=bytearray)
    pin: bytearray = msgspec.field(default_factory=bytearray)
    new_pin: bytearray = msgspec.field(default_factory=bytearray)
    recovery_passphrase: bytearray = msgspec.field(default_factory=bytearray)

    def wipe(self) -> None:
        for field in self.__struct_fields__:
            wipe(getattr(self, field))


class Enrolment(msgspec.Struct, frozen=True):
    """Answer sealed to the asker: shown once, stored by nobody but the key holder."""

    totp_secret: str
    """Base32, as authenticator apps take it."""
    totp_uri: str
    recovery_codes: tuple[str, ...]


class HalfCode(msgspec.Struct, frozen=True):
    """Answer sealed to one of the two people of a reset."""

    half: str
    position: int
    """1 or 2; 0 means the whole code."""


class RecoveryShare(msgspec.Struct, frozen=True):
    """Answer sealed to the holder of a share of the recovery secret."""

    mnemonic: str
    threshold: int
    total: int
