"""Bodies about extensions and phones."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec

from pbx.admin.wire.fields import Label, Moment, Reason, Sealed, Version
from storage.devices import Place


class TenureView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    person: UUID
    mailbox: UUID
    started_at: int
    until: int | None
    closes: tuple[UUID, ...] = ()
    """The mailboxes that close when the number is released or goes to somebody else for good."""


class ExtensionView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    number: str
    version: int
    tenure: TenureView | None


class Assignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Opens a tenure; version 0 makes the extension. The proof names what closes with it."""

    person: UUID
    tenure: UUID
    mailbox: UUID
    version: Version
    until: Moment | None = None
    proof: Sealed


class Releasing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The proof is about the mailboxes that the extension's tenure names."""

    version: Version
    proof: Sealed


class Undoing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`mailbox` is the one that opens again for its owner, by the proof."""

    version: Version
    mailbox: UUID | None = None
    proof: Sealed


class UndoView(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo would do: who has the number now, and whose epoch would go on."""

    version: int
    mailbox: UUID | None
    """Opens again for its owner, which takes a second person; none if nothing was closed."""
    person: UUID | None
    until: int | None
    closes: tuple[UUID, ...] = ()


class NewDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UUID
    label: Label
    place: Place = Place.LOBBY
    md5: "Md5Exception | None" = None
    """For a phone that can do no better than MD5; recorded as an exception."""


class Md5Exception(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a phone may log in with MD5, who answers for it, and until when."""

    id: UUID
    owner: UUID
    reason: Reason
    expires_at: Moment


class PhoneSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What is typed into a phone; the exchange keeps no copy of the secret."""

    operation: UUID
    device: UUID
    username: str
    secret: str
    algorithm: str
    domain: str
    """The server's name, as its certificate has it, and the realm."""
    addresses: tuple[str, ...]
    port: int
    """0: the kernel chooses it when it opens."""
    ca_file: str
    ca_pem: str
    """The authority that phones trust; not a secret."""


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """An exception is in force; one for MD5 comes with a new secret for the phone."""

    operation: UUID
    phone: PhoneSecret | None = None


class NewSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The phone's next secret is of the algorithm it has; `sha256` moves it away from MD5."""

    sha256: bool = False


class CertificateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With a signing request the phone keeps its own key; else one is made for it."""

    signing_request: Annotated[str, msgspec.Meta(max_length=16_384)] = ""


class PhoneCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A client certificate; the exchange keeps no copy of its key."""

    operation: UUID
    identity: str
    serial: str
    expires: str
    port: int
    chain_pem: str
    key_pem: str


class EmergencyDuty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a phone rings for an emergency call that has no outside line."""

    answers: bool


class Unlocked(msgspec.Struct, frozen=True, kw_only=True):
    operation: UUID
    opened: int
    """How many locks that opened; one per source address."""


class LockView(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    seconds: int
    """Until it opens by itself."""


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    label: str
    place: str
    extension: UUID | None
    version: int
    site: UUID | None = None
    username: str = ""
    """Empty: it has no SIP identity."""
    algorithm: str = ""
    """Empty: it has no secret."""
    has_certificate: bool = False
    answers_emergency: bool = False
    is_registered: bool = False
    is_shared: bool = False
    """It has no owner: people sign in on it."""
    signed_in: UUID | None = None
    """The person who is, on a shared phone."""


class MediaManner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a phone describes its media."""

    keying: Literal["sdes", "dtls"]
    feedback: bool = False
    mux: bool = False
    ice: bool = False


class DeviceDetails(DeviceView, frozen=True, kw_only=True):
    """One phone, with where it was last seen."""

    has_used_sha256: bool = False
    first_seen_at: int | None = None
    seen_at: int | None = None
    source: str = ""
    user_agent: str = ""
    locks: tuple[LockView, ...] = ()
    manner: str = ""
    """How it describes its media; empty: nobody has said, and it has offered nothing."""


class RegistrationView(msgspec.Struct, frozen=True, kw_only=True):
    """A phone that can be reached now."""

    device: UUID
    label: str
    source: str
    user_agent: str
    tls: str
    login: str
    since: int
    seen_at: int
    expires_at: int
    signed_in: UUID | None = None
    """The person who is, on a shared phone."""


class Sharing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether people sign in on a phone, which then has no owner."""

    version: Version
    shared: bool


class SignedOut(msgspec.Struct, frozen=True, kw_only=True):
    operation: UUID
    was_signed_in: bool


class Placement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Version
    place: Place


class DeviceAssignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`extension` is a number; None leaves the phone to nobody."""

    version: Version
    extension: Label | None
