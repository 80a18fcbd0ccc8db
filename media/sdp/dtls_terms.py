"""What a description says of the handshake that makes the keys (RFC 5763, RFC 8842)."""

from dataclasses import dataclass
from typing import Literal

from media.errors import MediaError
from media.sdp import fingerprint
from media.sdp.fingerprint import Fingerprint
from media.sdp.model import Media, SessionDescription

Setup = Literal["active", "passive", "actpass"]
SETUPS: tuple[Setup, ...] = ("active", "passive", "actpass")

MAX_FINGERPRINTS = 8
MAX_TLS_ID = 255
"""RFC 8842 §4."""


class Unusable(MediaError):
    """No handshake can come of this; says by which rule."""


@dataclass(frozen=True, slots=True)
class DtlsTerms:
    """One side's certificates, and which side begins."""

    fingerprints: frozenset[Fingerprint]
    """Any of them may be shown: one for each certificate or hash (RFC 8122 §5)."""
    setup: Setup
    tls_id: str = ""
    """Another one asks for another association (RFC 8842 §4); empty: not said."""


@dataclass(frozen=True, slots=True)
class Dtls:
    """An agreed association: while this stays equal, so do its keys (RFC 8842 §3.1)."""

    fingerprints: frozenset[Fingerprint]
    tls_id: str
    is_active: bool
    """Whether we send the first message."""


def read(session: SessionDescription, media: Media, unsaid: Setup) -> DtlsTerms | None:
    """The stream's terms, or the session's; None if there are no fingerprints at all.

    `unsaid` is what a missing a=setup means (RFC 4145 §4)."""
    values = _values(session, media, "fingerprint")
    if not values:
        return None
    setups = _values(session, media, "setup") or [unsaid]
    setup = next((known for known in SETUPS if known == setups[0].lower()), None)
    if setup is None:
        raise Unusable("setup: active, passive or actpass")
    tls_ids = _values(session, media, "tls-id") or [""]
    if len(tls_ids[0]) > MAX_TLS_ID:
        raise Unusable("tls-id: too long")
    return DtlsTerms(_usable(values), setup, tls_ids[0])


def _usable(values: list[str]) -> frozenset[Fingerprint]:
    """The strong ones; those of SHA-1 beside them are passed over, alone they are refused."""
    if len(values) > MAX_FINGERPRINTS:
        raise Unusable("fingerprint: too many")
    found, reasons = set(), []
    for value in values:
        try:
            found.add(Fingerprint.parse(value))
        except fingerprint.Unusable as unusable:
            reasons.append(str(unusable))
    if not found:
        raise Unusable(reasons[0])
    return frozenset(found)


def _values(session: SessionDescription, media: Media, name: str) -> list[str]:
    return media.all(name) or [a.value for a in session.attributes if a.name == name]
