"""One audio m-line read for what the relay needs: keys, payload types, address, direction."""

import ipaddress
from dataclasses import dataclass

from media.errors import MediaError
from media.sdp import crypto_attribute, dtls_terms, ice
from media.sdp.crypto_attribute import SUITES, CryptoAttribute
from media.sdp.dtls_terms import DtlsTerms, Setup
from media.sdp.formats import Formats, formats_of
from media.sdp.ice import IceTerms
from media.sdp.model import Connection, Media, SessionDescription
from media.sdp.parser import Malformed, number
from media.values import Direction, Manner

SDES_PROTOCOLS = ("RTP/SAVP", "RTP/SAVPF", "RTP/AVP", "RTP/AVPF")
"""RTP/AVP with a crypto line is how some phones say "encrypted if you can": we can."""
DTLS_PROTOCOLS = ("UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF")
DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")
NOWHERE = ("0.0.0.0", "::")  # noqa: S104 - the hold form of RFC 2543: send nothing there

INCOMPATIBLE_TRANSPORT, INCOMPATIBLE_FORMAT, NO_AUDIO = 302, 305, 304
"""Warn-codes of RFC 3261 §20.43."""


class Unacceptable(MediaError):
    """This stream cannot be taken; `warning` is the warn-code that says so."""

    def __init__(self, reason: str, warning: int = INCOMPATIBLE_TRANSPORT) -> None:
        super().__init__(reason)
        self.reason, self.warning = reason, warning


@dataclass(frozen=True, slots=True)
class Audio:
    """A stream that can be sealed."""

    protocol: str
    formats: Formats
    crypto: tuple[CryptoAttribute, ...]
    """Usable lines only, as the phone ordered them; none: keyed by a handshake."""
    dtls: DtlsTerms | None
    """The handshake's terms; None: keyed by a crypto line."""
    address: str | None
    """None: nowhere (held), or a host name."""
    port: int
    rtcp_port: int
    direction: Direction
    muxed: bool
    ptime: int | None
    ice: IceTerms | None

    @property
    def chosen(self) -> CryptoAttribute:
        """The line of the suite we prefer; the phone's order breaks a tie."""
        return min(self.crypto, key=lambda line: SUITES.index(line.suite))

    @property
    def manner(self) -> Manner:
        """How this phone likes to be offered to."""
        return Manner(
            keying="dtls" if self.dtls else "sdes",
            feedback=self.protocol.endswith("SAVPF"),
            muxed=self.muxed,
            ice=self.ice is not None and self.ice.is_usable,
        )


def protocol_of(manner: Manner) -> str:
    """What the m= line of an offer of this manner says."""
    protocols = DTLS_PROTOCOLS if manner.keying == "dtls" else SDES_PROTOCOLS
    return protocols[1 if manner.feedback else 0]


def read(session: SessionDescription, media: Media, unsaid: Setup = "active") -> Audio:
    """The stream, or `Unacceptable` with the reason that helps its owner most.

    `unsaid` is what a missing a=setup means: active in an offer, passive in an answer."""
    if media.protocol not in DTLS_PROTOCOLS + SDES_PROTOCOLS:
        raise Unacceptable("the stream is neither RTP/SAVP nor RTP/SAVPF")
    crypto, dtls = _keys(session, media, unsaid)
    formats = formats_of(media)
    if not any(codec.is_voice for codec in formats.values()):
        raise Unacceptable("no known audio codec", INCOMPATIBLE_FORMAT)
    connection = media.connection or session.connection
    if connection is None:
        raise Malformed("c: required for the session or the stream")
    return Audio(
        media.protocol,
        formats,
        crypto,
        dtls,
        _address(connection),
        media.port,
        _rtcp_port(media),
        _direction(session, media, connection),
        media.has("rtcp-mux"),
        _ptime(media),
        ice.read(session, media, connection),
    )


def _keys(
    session: SessionDescription, media: Media, unsaid: Setup
) -> tuple[tuple[CryptoAttribute, ...], DtlsTerms | None]:
    """Crypto lines, or the terms of a handshake: by the transport, else by what is there."""
    lines, reasons = _crypto_lines(media)
    if lines and media.protocol in SDES_PROTOCOLS:
        return lines, None
    try:
        terms = dtls_terms.read(session, media, unsaid)
    except dtls_terms.Unusable as unusable:
        raise Unacceptable(str(unusable)) from None
    if terms is not None:
        return (), terms
    if media.protocol in DTLS_PROTOCOLS:
        raise Unacceptable("encryption is required: no a=fingerprint line")
    raise Unacceptable(reasons[0] if reasons else "encryption is required: no a=crypto line")


def _crypto_lines(media: Media) -> tuple[tuple[CryptoAttribute, ...], list[str]]:
    lines, reasons = [], []
    for value in media.all("crypto"):
        try:
            lines.append(crypto_attribute.parse(value))
        except crypto_attribute.Unusable as unusable:
            reasons.append(str(unusable))
    return tuple(lines), reasons


def _address(connection: Connection) -> str | None:
    try:
        ipaddress.ip_address(connection.address)
    except ValueError:
        return None
    return connection.address if connection.address not in NOWHERE else None


def _rtcp_port(media: Media) -> int:
    """RFC 3605 names a port; without it the odd neighbour."""
    for value in media.all("rtcp"):
        return number(value.partition(" ")[0], 65_535, "rtcp")
    return min(media.port + 1, 65_535)


def _direction(session: SessionDescription, media: Media, where: Connection) -> Direction:
    names = [a.name for a in (*session.attributes, *media.attributes)]
    said = [direction for name in names for direction in DIRECTIONS if name == direction]
    direction: Direction = said[-1] if said else "sendrecv"
    if where.address in NOWHERE and media.port != ice.LATER:  # RFC 3264 §8.4: wants to hear nothing
        return "sendonly" if direction.startswith("send") else "inactive"
    return direction


def _ptime(media: Media) -> int | None:
    """Whole milliseconds; others (RFC 8866 §6.4) are the phone's own wish."""
    value = next(iter(media.all("ptime")), "")
    is_whole = value.isascii() and value.isdigit() and len(value) <= 3
    return int(value) or None if is_whole else None


def mirrored(direction: Direction) -> Direction:
    """What the other side's direction is from here (RFC 3264 §6.1)."""
    swapped: dict[Direction, Direction] = {"sendonly": "recvonly", "recvonly": "sendonly"}
    return swapped.get(direction, direction)


def both(one: Direction, other: Direction) -> Direction:
    """Sends only if both send, receives only if both receive."""
    sends = {"sendrecv", "sendonly"}
    receives = {"sendrecv", "recvonly"}
    if one in sends and other in sends:
        return "sendrecv" if one in receives and other in receives else "sendonly"
    return "recvonly" if one in receives and other in receives else "inactive"
