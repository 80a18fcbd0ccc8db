"""The rows of the key holder's own table. Everything in them is sealed at rest."""

from enum import StrEnum
from uuid import UUID

import msgspec

from storage.keyholder.acts import Role
from storage.keyholder.protocol import Notice
from storage.keyholder.signing import SignedKey, SignedStatement
from storage.sealed.primitives import Suite


class Row(msgspec.Struct, frozen=True):
    """Base of what the store keeps; its tag is the row's kind."""


class Standing(StrEnum):
    INVITED = "invited"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"


class Stretched(msgspec.Struct, frozen=True):
    """A password or PIN after argon2id, with the cost it was made with."""

    salt: bytes
    hash: bytes
    passes: int
    kibibytes: int
    lanes: int


class Grant(msgspec.Struct, frozen=True):
    """A role from - until; `approver` is another person than the requester and the subject."""

    id: UUID
    role: Role
    start: int
    until: int | None
    requester: UUID | None
    approver: UUID | None
    sole: bool = False


class SecurityKey(msgspec.Struct, frozen=True):
    """A FIDO2 key: what verifies its signatures, and the last count it signed with."""

    id: UUID
    label: str
    credential: bytes
    public: bytes
    """COSE (RFC 9052 §7)."""
    counter: int
    added: int


class Factors(msgspec.Struct, frozen=True):
    """What a person proves themselves with."""

    password: Stretched
    totp: bytes
    recovery: tuple[bytes, ...]
    """Keyed hashes of the codes not used yet."""
    totp_step: int = 0
    """The last time step accepted: a code works once."""
    keys: tuple[SecurityKey, ...] = ()
    """Beside the codes, never instead of them."""


class Invitation(msgspec.Struct, frozen=True):
    """A one-time enrolment code."""

    code: bytes
    until: int


class Person(Row, frozen=True, tag="person"):
    id: UUID
    login: str
    standing: Standing
    created: int
    until: int | None = None
    factors: Factors | None = None
    pending: Factors | None = None
    """Set by an enrolment, effective once a code of the new secret has been shown."""
    invitation: Invitation | None = None
    pin: Stretched | None = None
    pin_set: int = 0
    """When; 0: before this was kept."""
    grants: tuple[Grant, ...] = ()
    notices: tuple[Notice, ...] = ()
    last_seen: int = 0


class Member(msgspec.Struct, frozen=True):
    person: UUID
    start: int
    until: int | None
    kind: str
    """member, or break-glass."""
    requester: UUID | None = None
    approver: UUID | None = None


class Mailbox(Row, frozen=True, tag="mailbox"):
    """One tenure's mailbox."""

    id: UUID
    tenure: UUID
    owner: UUID | None
    opened: int
    closed: int | None = None
    until: int | None = None
    members: tuple[Member, ...] = ()
    holds: tuple[UUID, ...] = ()
    operation: UUID | None = None
    """What opened it."""


class KeyRow(Row, frozen=True, tag="key"):
    """A key pair with its signed public part."""

    id: UUID
    signed: SignedKey
    private: bytearray


class MessageSecret(Row, frozen=True, tag="message"):
    """The secret without which a message is noise: destroying it deletes the message."""

    id: UUID
    mailbox: UUID
    secret: bytearray
    adopted: int
    contents: tuple[bytes, ...] = ()
    """Of the files it opens: none of them is ever adopted again once it is destroyed."""
    deposits: tuple[UUID, ...] = ()
    """The deposit keys they came under: until these go, an old copy's slot opens with the store."""


class Tombstone(Row, frozen=True, tag="tombstone"):
    """A destroyed message, or the content of one (`content_id`): no backup brings it back."""

    id: UUID
    at: int
    certificate: SignedStatement | None = None
    """Of a message; given again to an exchange that crashed before it had kept it."""


class Failures(Row, frozen=True, tag="failures"):
    """Recent failures of a person or a device."""

    id: UUID
    times: tuple[int, ...] = ()
    locked_until: int = 0


class Proposal(Row, frozen=True, tag="proposal"):
    """An act that waits for a second person."""

    id: UUID
    act: bytes
    digest: bytes
    requester: UUID
    until: int
    secret: bytearray = msgspec.field(default_factory=bytearray)
    """What the first person contributed (half a code, a stretched passphrase)."""


class HeadRow(Row, frozen=True, tag="head"):
    """The last ledger head signed for a writer."""

    id: UUID
    sequence: int
    chain: bytes


class Share(Row, frozen=True, tag="share"):
    """A recovery share waiting for its holder (the id is the person's)."""

    id: UUID
    mnemonic: bytearray
    threshold: int
    total: int


class Recovery(msgspec.Struct, frozen=True):
    """Who can bring the key holder back: backups are sealed to `public`."""

    kind: str
    """passphrase, or shares."""
    suite: Suite
    public: bytes
    salts: tuple[bytes, ...] = ()
    sealed_secret: bytes = b""
    """For passphrases: the recovery secret under all of them together."""
    passphrase_cost: tuple[int, int, int] = (0, 0, 0)
    threshold: int = 0
    total: int = 0
    sole: bool = False


class Settings(Row, frozen=True, tag="settings"):
    """One row: the keys and facts there is one of."""

    id: UUID
    signing_key: bytearray
    index_key: bytearray
    code_key: bytearray
    """Keyed hash of recovery and enrolment codes."""
    had_second: bool = False
    """Once two approvers existed, nobody ever acts alone again."""
    recovery: Recovery | None = None
    last_backup: int | None = None
    restored: int | None = None
    """When it was restored from a backup: heads signed before may lie ahead of what we remember."""


SETTINGS = UUID(int=0)

AnyRow = (
    Person
    | Mailbox
    | KeyRow
    | MessageSecret
    | Tombstone
    | Failures
    | Proposal
    | HeadRow
    | Share
    | Settings
)
