"""Who is shown to whom: asserted by us, never taken from the phone (RFC 3323, RFC 3325).

What a phone displays depends on where it stands: a screen in a lobby or an exam room is read by
patients, so it names nobody (45 CFR 164.514(d), minimum necessary).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from pbx.sip.message import Request

ANONYMOUS_HOST = "anonymous.invalid"  # RFC 3323 §4.1.1.3
PATIENT_LINE = "Patient line"
_QUOTED = str.maketrans({'"': None, "\\": None})


class Place(StrEnum):
    """Where a phone stands."""

    LOBBY = "lobby"
    NURSE_STATION = "nurse-station"
    EXAM_ROOM = "exam-room"
    PRIVATE = "private"

    @property
    def is_public(self) -> bool:
        """Whether patients and visitors can read the screen."""
        return self in (Place.LOBBY, Place.EXAM_ROOM)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as we know it."""

    number: str
    """Extension or outside number; empty: a phone of nobody's."""
    name: str = ""
    is_outside: bool = False
    wants_privacy: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What one callee phone is told."""

    display: str
    user: str
    is_anonymous: bool = False

    @property
    def quoted(self) -> str:
        """The display name as written before an address."""
        quoted = "".join(c for c in self.display.translate(_QUOTED) if c.isprintable())
        return f'"{quoted}" ' if quoted else ""

    def through(self, group: str) -> Shown:
        """For a phone that rings because it is in a group: the group's name stands first."""
        if not group:
            return self
        return replace(self, display=f"{group}: {self.display or self.user}".rstrip(": "))

    def address(self, domain: str, tag: str) -> str:
        """The From header field of the INVITE to this phone."""
        host = ANONYMOUS_HOST if self.is_anonymous else domain
        return f"{self.quoted}<sip:{self.user or 'phone'}@{host}>;tag={tag}"

    def asserted(self, domain: str) -> str | None:
        """P-Asserted-Identity; a caller who wants privacy is not asserted to a phone."""
        return None if self.is_anonymous or not self.user else f"<sip:{self.user}@{domain}>"


def shown_to(caller: Caller, place: Place, *, is_emergency: bool = False) -> Shown:
    """What a phone at this place displays; an emergency call always shows where it comes from."""
    if is_emergency:
        return Shown(caller.name or caller.number or "Emergency", caller.number or "emergency")
    if caller.wants_privacy:
        return Shown("Anonymous", "anonymous", is_anonymous=True)
    if caller.is_outside and place.is_public:
        return Shown(PATIENT_LINE, "")
    if place.is_public:
        return Shown("", caller.number)
    return Shown(caller.name, caller.number)


def wants_privacy(request: Request) -> bool:
    """Privacy: id, user or header (RFC 3323 §4.2, RFC 3325 §9.3)."""
    values = {
        value.strip().lower()
        for field in request.headers.all("Privacy")
        for value in field.split(";")
    }
    return bool(values & {"id", "user", "header"})
