"""ICE in descriptions (RFC 8839), for an agent that is always lite (RFC 8445 §2.5)."""

import secrets
from dataclasses import dataclass

from media.sdp.model import Attribute, Connection, Media, SessionDescription
from media.sdp.parser import Malformed

LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
UFRAG_LENGTHS, PASSWORD_LENGTHS = range(4, 257), range(22, 257)
PRIORITY = 126 << 24 | 65_535 << 8
"""RFC 8445 §5.1.2.1: a host candidate, the only one; 256 less the component is added."""
LATER = 9
"""The port of a description whose candidates come later (RFC 8840 §4.1.3)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one side's checks are signed with."""

    ufrag: str
    password: str

    def __repr__(self) -> str:
        return "Credentials()"  # a password has no path to a log


@dataclass(frozen=True, slots=True)
class IceTerms:
    """What a phone says of its candidates."""

    credentials: Credentials
    is_mismatched: bool
    """Something on the way changed the addresses, and knew nothing of candidates."""
    is_lite: bool
    """It checks nothing either (RFC 8445 §6.1.1): its packets show the way, as without ICE."""

    @property
    def is_usable(self) -> bool:
        """Whether its checks will come, and can be believed."""
        return not self.is_mismatched and not self.is_lite


@dataclass(frozen=True, slots=True)
class Ice:
    """Agreed checks: while this stays equal, nothing is begun anew (RFC 8445 §9)."""

    ours: Credentials
    theirs: Credentials

    @property
    def username(self) -> str:
        """Of a check that the phone sends (RFC 8445 §7.2.2)."""
        return f"{self.ours.ufrag}:{self.theirs.ufrag}"


def fresh() -> Credentials:
    """RFC 8445 §5.3: at least 24 and 128 random bits."""
    return Credentials(secrets.token_hex(4), secrets.token_hex(16))


def read(session: SessionDescription, media: Media, where: Connection) -> IceTerms | None:
    """The stream's terms; None if the phone does not speak of ICE."""
    ufrag, password = _value(session, media, "ice-ufrag"), _value(session, media, "ice-pwd")
    if ufrag is None or password is None:
        return None
    if not (_is_word(ufrag, UFRAG_LENGTHS) and _is_word(password, PASSWORD_LENGTHS)):
        raise Malformed("ice-ufrag, ice-pwd: 4 and 22 letters, digits, + or /")
    is_lite = any(a.name == "ice-lite" for a in session.attributes)
    return IceTerms(Credentials(ufrag, password), not _matches(media, where), is_lite)


def session_lines() -> list[Attribute]:
    """What stands above the streams."""
    return [Attribute("ice-lite"), Attribute("ice-options", "ice2")]


def stream_lines(ours: Credentials, where: Connection, port: int, muxed: bool) -> list[Attribute]:
    """Our credentials and host candidates: one for each port."""
    lines = [Attribute("ice-ufrag", ours.ufrag), Attribute("ice-pwd", ours.password)]
    for component in (1,) if muxed else (1, 2):
        priority = PRIORITY + 256 - component
        place = f"{where.address} {port + component - 1}"
        lines.append(Attribute("candidate", f"1 {component} UDP {priority} {place} typ host"))
    return lines


def _matches(media: Media, where: Connection) -> bool:
    """RFC 8839 §3.2.5: the address of c= and m= is one of the candidates."""
    places = []
    for value in media.all("candidate"):
        fields = value.split()
        if len(fields) >= 6 and fields[1] == "1":
            places.append((fields[4].lower(), fields[5]))
    return not places or media.port == LATER or (where.address.lower(), str(media.port)) in places


def _value(session: SessionDescription, media: Media, name: str) -> str | None:
    values = media.all(name) or [a.value for a in session.attributes if a.name == name]
    return values[0] if values else None


def _is_word(text: str, lengths: range) -> bool:
    return len(text) in lengths and LETTERS.issuperset(text)
