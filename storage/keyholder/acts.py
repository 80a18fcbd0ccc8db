"""What people may ask of the key holder: the acts a proof is bound to.

An act travels in clear (the exchange routes it) and is bound to a sealed proof by the SHA-256 of
its canonical bytes, so the exchange can neither change it nor use the proof for another act.
"""

import hashlib
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec


class Role(StrEnum):
    """Groups by job function; what each may do is in `decisions` (here) and `pbx role matrix`."""

    SYSTEM_ADMINISTRATOR = "system-administrator"
    HELP_DESK = "help-desk"
    COMPLIANCE_OFFICER = "compliance-officer"
    PRACTICE_MANAGER = "practice-manager"
    PHYSICIAN = "physician"
    CLINICAL_STAFF = "clinical-staff"
    FRONT_DESK = "front-desk"
    BILLING = "billing"


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="act"):
    """One thing asked for; the tag is its name in the journal."""


# -- log-in and one's own factors


class Bootstrap(Act, frozen=True, tag="bootstrap"):
    """The actor `installation` enrols the first administrator, once, on an empty table.

    Secrets: password. Answer: `Enrolment`. Becomes effective with `ConfirmEnrolment`."""

    person: UUID
    login: str


class LogIn(Act, frozen=True, tag="log-in"):
    """Secrets: password and (totp, assertion or recovery_code). Outcome: `Opened`."""

    login: str


class PhoneLogIn(Act, frozen=True, tag="phone-log-in"):
    """Secrets: pin, sealed by the media worker. Outcome: `Opened` (kind phone)."""

    person: UUID
    second: bool = False
    """With a code of the app too (totp), where the place of the phone asks for one."""


class Enrol(Act, frozen=True, tag="enrol"):
    """Secrets: enrolment_code, new_password. Answer: `Enrolment`. Repeatable until confirmed."""

    login: str


class ConfirmEnrolment(Act, frozen=True, tag="confirm-enrolment"):
    """Secrets: password, totp (of the new secret). Outcome: `Opened`."""

    login: str


class ChangePassword(Act, frozen=True, tag="change-password"):
    """Own session. Secrets: totp, password, new_password."""


class ReplaceTotp(Act, frozen=True, tag="replace-totp"):
    """Own session. Secrets: password and (totp or recovery_code). Answer: `Enrolment`.

    Takes effect with `ConfirmTotp`; recovery codes are replaced too."""


class ConfirmTotp(Act, frozen=True, tag="confirm-totp"):
    """Own session. Secrets: totp of the new secret."""


class AddSecurityKey(Act, frozen=True, tag="add-security-key"):
    """Own session. Secrets: password, (totp or assertion) and registration."""

    key: UUID
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class RemoveSecurityKey(Act, frozen=True, tag="remove-security-key"):
    """Own session. Secrets: password and (totp or assertion). The app's codes stay."""

    key: UUID


class SetPin(Act, frozen=True, tag="set-pin"):
    """Own session. Secrets: new_pin and totp (command line) or pin (phone)."""

    extensions: tuple[str, ...] = ()
    """Numbers of the person, which a PIN must not resemble."""


class StepUp(Act, frozen=True, tag="step-up"):
    """Own session. Secrets: totp or assertion. Presence, for a dangerous act of the exchange's."""

    action: str
    object: bytes
    """Canonical bytes (or their hash) of what is about to be done."""


# -- other people: a fresh code or touch sealed over the act; second person where `decisions` says


class AddPerson(Act, frozen=True, tag="add-person"):
    person: UUID
    login: str
    until: int | None = None


class IssueEnrolment(Act, frozen=True, tag="issue-enrolment"):
    """First enrolment, or reset. Two people, neither of them the subject; each gets half of the
    one-time code (24 h), so that neither alone can enrol in the subject's place."""

    person: UUID


class GrantRole(Act, frozen=True, tag="grant-role"):
    grant: UUID
    person: UUID
    role: Role
    start: int
    until: int | None = None


class RevokeRole(Act, frozen=True, tag="revoke-role"):
    grant: UUID
    person: UUID


class Suspend(Act, frozen=True, tag="suspend"):
    person: UUID


class SetEnd(Act, frozen=True, tag="set-end"):
    """An earlier end of a person's access, which the key holder keeps by itself; a later one, or
    none, is `Reinstate`."""

    person: UUID
    until: int


class Reinstate(Act, frozen=True, tag="reinstate"):
    person: UUID
    until: int | None = None


class Leave(Act, frozen=True, tag="leave"):
    """Ends everything of a person: sessions, factors, grants, memberships, tenures."""

    person: UUID


class LiftLock(Act, frozen=True, tag="lift-lock"):
    person: UUID


# -- mailboxes


class OpenTenure(Act, frozen=True, tag="open-tenure"):
    """A new mailbox for one person's tenure of an extension (or a shared one: no owner)."""

    mailbox: UUID
    tenure: UUID
    owner: UUID | None
    until: int | None = None
    closes: tuple[UUID, ...] = ()
    """The mailboxes whose tenures end with it: the number has changed hands."""


class ReopenTenure(Act, frozen=True, tag="reopen-tenure"):
    """Undo of a mistaken close, by two people: the same owner, who must still be active."""

    mailbox: UUID
    until: int | None = None
    closes: tuple[UUID, ...] = ()


class CloseTenure(Act, frozen=True, tag="close-tenure"):
    mailbox: UUID
    closes: tuple[UUID, ...] = ()
    """Tenures that this one had interrupted and that end with it."""


class AddMember(Act, frozen=True, tag="add-member"):
    """Named member of a mailbox (also the approved hand-over of a closed one)."""

    mailbox: UUID
    person: UUID
    start: int
    until: int | None = None


class RemoveMember(Act, frozen=True, tag="remove-member"):
    mailbox: UUID
    person: UUID


class BreakGlass(Act, frozen=True, tag="break-glass"):
    """The asker may open one mailbox for 30 minutes, once a second person has approved; neither
    is its owner."""

    mailbox: UUID
    reason: str
    """Shown to the second person in the key holder's own words."""


class EndBreakGlass(Act, frozen=True, tag="end-break-glass"):
    """Before its time: one's own, or somebody else's by whoever may approve it."""

    mailbox: UUID
    person: UUID


class Hold(Act, frozen=True, tag="hold"):
    """Legal hold: nothing of the mailbox is destroyed until it is released."""

    mailbox: UUID
    hold: UUID


class ReleaseHold(Act, frozen=True, tag="release-hold"):
    mailbox: UUID
    hold: UUID


# -- the key holder itself


class Rotate(Act, frozen=True, tag="rotate"):
    """New store key and proof key; everything is re-wrapped, nothing re-encrypted."""


class SetRecovery(Act, frozen=True, tag="set-recovery"):
    """Two people, neither of whom can recover alone. Without holders: each types a passphrase
    (secret recovery_passphrase, in the request and in the approval), and restoring needs both.
    With holders: n-of-m shares, each collected by its holder with `CollectShare`."""

    threshold: int = 0
    holders: tuple[UUID, ...] = ()


class CollectShare(Act, frozen=True, tag="collect-share"):
    """Own session. Secrets: totp. Answer: `RecoveryShare`, once."""


class Backup(Act, frozen=True, tag="backup"):
    """Writes an encrypted copy of the store to a directory on another device."""

    directory: str
    force: bool = False


class Approve(Act, frozen=True, tag="approve"):
    """The second person's yes, to exactly these bytes."""

    proposal: UUID
    digest: bytes


class Decline(Act, frozen=True, tag="decline"):
    proposal: UUID
    digest: bytes


AnyAct = (
    Bootstrap
    | LogIn
    | PhoneLogIn
    | Enrol
    | ConfirmEnrolment
    | ChangePassword
    | ReplaceTotp
    | ConfirmTotp
    | AddSecurityKey
    | RemoveSecurityKey
    | SetPin
    | StepUp
    | AddPerson
    | IssueEnrolment
    | GrantRole
    | RevokeRole
    | Suspend
    | SetEnd
    | Reinstate
    | Leave
    | LiftLock
    | OpenTenure
    | CloseTenure
    | ReopenTenure
    | AddMember
    | RemoveMember
    | BreakGlass
    | EndBreakGlass
    | Hold
    | ReleaseHold
    | Rotate
    | SetRecovery
    | CollectShare
    | Backup
    | Approve
    | Decline
)

_encoder = msgspec.msgpack.Encoder(order="deterministic")


def canonical(act: Act) -> bytes:
    """The bytes both sides hash; field order is fixed by the type."""
    return _encoder.encode(act)


def digest(act: Act) -> bytes:
    return hashlib.sha256(b"hipaa-pbx act v1\0" + canonical(act)).digest()


def name(act: Act) -> str:
    return str(act.__struct_config__.tag)
