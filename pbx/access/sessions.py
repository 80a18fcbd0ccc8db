"""How long a command-line session lives (45 CFR 164.312(a)(2)(iii)), as pure functions.

The token is the key holder's handle, 32 random bytes that only the person's own terminal keeps;
the store knows its SHA-256.
A session belongs to one account of the operating system, or to one operator's certificate:
presented from another, it is refused.
"""

import base64
import binascii
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from pbx.access.errors import Denied, NotSignedIn
from pbx.access.roles import SENSITIVE_ROLES, Role

SECOND = 1_000_000
MINUTE = 60 * SECOND

IDLE = 15 * MINUTE
IDLE_SENSITIVE = 5 * MINUTE
IDLE_BY_EXCEPTION = 60 * MINUTE
ABSOLUTE = 12 * 60 * MINUTE
TOKEN_LENGTH = 43
"""32 bytes in base64 without padding."""
CONCURRENT = 5
"""Live sessions of one person; the oldest gives way to a sixth."""


class EndReason(StrEnum):
    """Why a session ended; kept with it and in the ledger."""

    SIGNED_OUT = "signed-out"
    ENDED_BY_OTHER = "ended-by-other"
    IDLE = "idle"
    ABSOLUTE = "absolute"
    SUSPENDED = "suspended"
    LEFT = "left"
    DISPLACED = "displaced"
    """Another sign-in of the same person was one too many."""
    KEY_HOLDER = "key-holder"
    """The key holder does not know the session any more."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a person sits: an account of this machine, or the holder of a certificate."""

    os_uid: int = -1
    certificate: str = ""
    """Serial number of an operator's certificate; empty on the Unix socket."""
    person: UUID | None = None
    """Whose certificate it is."""

    def __str__(self) -> str:
        return f"certificate {self.certificate}" if self.certificate else f"uid {self.os_uid}"


@dataclass(frozen=True, slots=True)
class Session:
    """The times and the owner of one session; everything policy needs to know."""

    id: UUID
    person: UUID
    terminal: Terminal
    started_at: int
    seen_at: int
    ended_at: int | None


def token_of(handle: bytes) -> str:
    """The key holder's session handle as a terminal keeps it."""
    return base64.urlsafe_b64encode(handle).decode().rstrip("=")


def handle_of(token: str) -> bytes:
    """The handle in a token that somebody presents, or `NotSignedIn`."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        raise NotSignedIn("sign in first: pbx login")
    try:
        return base64.b64decode(token + "=", altchars=b"-_", validate=True)
    except binascii.Error:
        raise NotSignedIn("sign in first: pbx login") from None


def digest_of(handle: bytes) -> bytes:
    """What the store keeps of a session handle."""
    return hashlib.sha256(b"hipaa-pbx session\0" + handle).digest()


def idle_limit(roles: Collection[Role]) -> int:
    """Five minutes for whoever audits or decides about access, else fifteen."""
    return IDLE_SENSITIVE if SENSITIVE_ROLES.intersection(roles) else IDLE


def expiry(
    session: Session, roles: Collection[Role], now: int, *, longer_idle: bool = False
) -> EndReason | None:
    """Why the session has run out, or None while it lives; an exception may allow an hour idle.

    A clock that was set back revives nothing: time is at least what the session has already seen.
    """
    now = max(now, session.seen_at)
    if now - session.started_at >= ABSOLUTE:
        return EndReason.ABSOLUTE
    if now - session.seen_at >= (IDLE_BY_EXCEPTION if longer_idle else idle_limit(roles)):
        return EndReason.IDLE
    return None


def locks_at(session: Session, roles: Collection[Role], *, longer_idle: bool = False) -> int:
    """When the session runs out if its person does nothing more."""
    idle = IDLE_BY_EXCEPTION if longer_idle else idle_limit(roles)
    return min(session.seen_at + idle, session.started_at + ABSOLUTE)


def check_owner(session: Session, terminal: Terminal) -> None:
    """The session speaks only from the account, or with the certificate, it was opened with."""
    own = session.terminal
    if (own.os_uid, own.certificate) != (terminal.os_uid, terminal.certificate):
        raise NotSignedIn("the session belongs to another account or certificate")


def check_holder(terminal: Terminal, person: UUID) -> None:
    """With a certificate only its holder signs in."""
    if terminal.certificate and terminal.person != person:
        raise Denied("the certificate is another person's")


def surplus(live: int, most: int = CONCURRENT) -> int:
    """How many of the oldest sessions give way to a new one."""
    return max(0, live - most + 1)
