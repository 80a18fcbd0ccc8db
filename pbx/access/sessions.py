"""How long a command-line session lives (45 CFR 164.312(a)(2)(iii)), as pure functions.

The token is 32 random bytes that only the person's own terminal keeps; the store knows its SHA-256.
A session belongs to one account of the operating system: presented from another, it is refused.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from pbx.access.errors import NotSignedIn, RuleBroken
from pbx.access.roles import SENSITIVE_ROLES, Role

SECOND = 1_000_000
MINUTE = 60 * SECOND

IDLE = 15 * MINUTE
IDLE_SENSITIVE = 5 * MINUTE
ABSOLUTE = 12 * 60 * MINUTE
CONCURRENT = 5
"""Live sessions of one person; a sixth sign-in is refused until one has ended."""


class EndReason(StrEnum):
    """Why a session ended; kept with it and in the ledger."""

    SIGNED_OUT = "signed-out"
    ENDED_BY_OTHER = "ended-by-other"
    IDLE = "idle"
    ABSOLUTE = "absolute"
    SUSPENDED = "suspended"
    LEFT = "left"
    FACTORS_RESET = "factors-reset"


@dataclass(frozen=True, slots=True)
class Session:
    """The times and the owner of one session; everything policy needs to know."""

    id: UUID
    person: UUID
    os_uid: int
    started_at: int
    seen_at: int
    ended_at: int | None


def new_token() -> str:
    """A token nobody guesses: 256 bits, URL-safe."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> bytes:
    """What the store keeps of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def idle_limit(roles: Collection[Role]) -> int:
    """Five minutes for whoever can read about others or decide about access, else fifteen."""
    return IDLE_SENSITIVE if SENSITIVE_ROLES.intersection(roles) else IDLE


def expiry(session: Session, roles: Collection[Role], now: int) -> EndReason | None:
    """Why the session has run out, or None while it lives.

    A clock that was set back revives nothing: time is at least what the session has already seen.
    """
    now = max(now, session.seen_at)
    if now - session.started_at >= ABSOLUTE:
        return EndReason.ABSOLUTE
    if now - session.seen_at >= idle_limit(roles):
        return EndReason.IDLE
    return None


def check_owner(session: Session, os_uid: int) -> None:
    """The session speaks only from the operating-system account it was opened from."""
    if session.os_uid != os_uid:
        raise NotSignedIn("the session belongs to another account of this machine")


def check_concurrent(live: int, most: int = CONCURRENT) -> None:
    """Refuses one session too many."""
    if live >= most:
        raise RuleBroken("too many sessions are open: end one with `pbx sessions end`")
