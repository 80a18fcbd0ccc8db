"""Bodies about people, their roles, and what waits for a second person."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from pbx.access.policy import PersonKind
from pbx.access.roles import Role
from pbx.admin.wire.fields import Login, Moment, PersonName, Reason, Sealed, Version
from storage.keyholder.signing import SignedStatement


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    login: str
    name: str
    kind: str
    state: str
    enrolled: bool
    active_at: int
    until: int | None
    ended_at: int | None
    version: int
    roles: list[str]
    """Those in force, as the exchange knows them."""


class NewPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UUID
    login: Login
    name: PersonName
    kind: PersonKind = PersonKind.STAFF
    until: Moment | None = None
    proof: Sealed


class NameChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Version
    name: PersonName


class EndChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An earlier end takes one person; a later one, or none any more, a second person too."""

    version: Version
    until: Moment | None
    proof: Sealed


class Departing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without a proof only while the key holder is away; it waits for one then."""

    proof: Sealed | None = None


class Resumption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    until: Moment | None = None
    proof: Sealed


class EndedView(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    count: int
    complete: bool


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence that everything of a person has ended."""

    operation: UUID
    person: UUID
    at: int
    milliseconds: int
    ended: list[EndedView]


class OperatorRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    signing_request: Annotated[str, Meta(max_length=8_192)] = ""
    """PEM; empty: a key is made, told once and not kept."""


class OperatorCertificate(msgspec.Struct, frozen=True, kw_only=True):
    operation: UUID
    person: UUID
    serial: str
    expires: str
    chain_pem: str
    key_pem: str
    root_pem: str


class MatrixLine(msgspec.Struct, frozen=True, kw_only=True):
    privilege: str
    allowed: list[str]
    everybody: bool
    step_up: bool


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    person: UUID
    role: str
    state: str
    reason: str
    requested_by: UUID | None
    approved_by: UUID | None
    by_installation: bool
    proposal: UUID | None
    starts_at: int | None
    until: int | None
    ended_at: int | None


class NewGrant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UUID
    person: UUID
    role: Role
    reason: Reason
    start: Moment
    until: Moment | None = None
    proof: Sealed


class ProposalView(msgspec.Struct, frozen=True, kw_only=True):
    """An act that waits for a second person; `digest` is what they prove they approve."""

    id: UUID
    act: str
    digest: bytes
    requester: UUID
    subject: UUID | None
    detail: dict[str, str]
    until: int
    statement: SignedStatement
    """The key holder's own words: whoever approves shows and hashes these, not `detail`."""


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    digest: Annotated[bytes, Meta(min_length=32, max_length=32)]
    proof: Sealed
