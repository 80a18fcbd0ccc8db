"""STUN (RFC 8489) as an ICE-lite agent needs it: binding requests read, and answered.

A request counts only with a FINGERPRINT and a MESSAGE-INTEGRITY under our password: what anybody
else sends is not answered at all, so that nobody is reflected to.
"""

import hmac
import ipaddress
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha1

BINDING_REQUEST, BINDING_SUCCESS, BINDING_ERROR = 0x0001, 0x0101, 0x0111
COOKIE = 0x2112A442
HEAD = struct.Struct("!HHI12s")
FIELD = struct.Struct("!HH")

USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, UNKNOWN_ATTRIBUTES = 0x0006, 0x0008, 0x0009, 0x000A
XOR_MAPPED_ADDRESS, PRIORITY, USE_CANDIDATE = 0x0020, 0x0024, 0x0025
FINGERPRINT, ICE_CONTROLLED = 0x8028, 0x8029
UNDERSTOOD = frozenset({USERNAME, MESSAGE_INTEGRITY, PRIORITY, USE_CANDIDATE})
OPTIONAL = 0x8000
"""RFC 8489 §14: attributes from here on may be passed over."""

FINGERPRINT_XOR = 0x5354554E
INTEGRITY_LENGTH, FINGERPRINT_LENGTH = 24, 8
"""With their heads, as they stand at the end of a message."""

ROLE_CONFLICT = 487, "Role Conflict"
UNKNOWN = 420, "Unknown Attribute"


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """A connectivity check (RFC 8445 §7) of somebody who knows our password."""

    transaction: bytes
    is_nominating: bool
    is_controlled: bool
    """It believes that we decide: a lite agent never does (RFC 8445 §6.1.1)."""
    unknown: tuple[int, ...]


def read(datagram: bytes, username: str, password: str) -> BindingRequest | None:
    """The request, if it is one for `username` under `password`."""
    if len(datagram) < HEAD.size or not _is_whole(datagram):
        return None
    kind, _, _, transaction = HEAD.unpack_from(datagram)
    found: dict[int, bytes] = {}
    signed = 0
    for place, attribute, value in _attributes(datagram):
        if attribute == MESSAGE_INTEGRITY and not signed:
            signed = place
        elif not signed:  # RFC 8489 §14.5: what follows it is not covered
            found.setdefault(attribute, value)
    if kind != BINDING_REQUEST or not _is_signed(datagram, signed, password):
        return None
    if not hmac.compare_digest(found.get(USERNAME, b""), username.encode()):
        return None
    unknown = tuple(a for a in found if a < OPTIONAL and a not in UNDERSTOOD)
    return BindingRequest(transaction, USE_CANDIDATE in found, ICE_CONTROLLED in found, unknown)


def success(request: BindingRequest, address: tuple[str, int], password: str) -> bytes:
    """Where the request came from, as we see it."""
    where = _attribute(XOR_MAPPED_ADDRESS, _xored(address, request.transaction))
    return _message(BINDING_SUCCESS, request.transaction, where, password)


def failure(request: BindingRequest, error: tuple[int, str], password: str) -> bytes:
    """Why it is not taken."""
    code, reason = error
    attributes = _attribute(
        ERROR_CODE, struct.pack("!HBB", 0, *divmod(code, 100)) + reason.encode()
    )
    if error is UNKNOWN:
        numbers = struct.pack(f"!{len(request.unknown)}H", *request.unknown)
        attributes += _attribute(UNKNOWN_ATTRIBUTES, numbers)
    return _message(BINDING_ERROR, request.transaction, attributes, password)


def request(transaction: bytes, username: str, password: str, *extra: tuple[int, bytes]) -> bytes:
    """A binding request, as a full agent writes it."""
    attributes = _attribute(USERNAME, username.encode())
    attributes += b"".join(_attribute(*pair) for pair in extra)
    return _message(BINDING_REQUEST, transaction, attributes, password)


def _is_whole(datagram: bytes) -> bool:
    """Length, cookie and FINGERPRINT: cheap to tell, and wrong in nearly all garbage."""
    _, length, cookie, _ = HEAD.unpack_from(datagram)
    if cookie != COOKIE or length % 4 or len(datagram) != HEAD.size + length:
        return False
    end = len(datagram) - FINGERPRINT_LENGTH
    return end >= HEAD.size and datagram[end:] == _fingerprint(datagram[:end])


def _attributes(datagram: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Where each begins, its number, its value."""
    place = HEAD.size
    while place + FIELD.size <= len(datagram):
        attribute, length = FIELD.unpack_from(datagram, place)
        start = place + FIELD.size
        if start + length > len(datagram):
            return
        yield place, attribute, datagram[start : start + length]
        place = start + length + -length % 4


def _is_signed(datagram: bytes, place: int, password: str) -> bool:
    """RFC 8489 §14.5: the length in the head is the one it had when it was signed."""
    if not place:
        return False
    given = datagram[place : place + INTEGRITY_LENGTH]
    return hmac.compare_digest(given, _integrity(datagram[:place], password))


def _integrity(before: bytes, password: str) -> bytes:
    signed = _with_length(before, len(before) + INTEGRITY_LENGTH)
    return _attribute(MESSAGE_INTEGRITY, hmac.digest(password.encode(), signed, sha1))


def _fingerprint(before: bytes) -> bytes:
    summed = _with_length(before, len(before) + FINGERPRINT_LENGTH)
    return _attribute(FINGERPRINT, struct.pack("!I", zlib.crc32(summed) ^ FINGERPRINT_XOR))


def _with_length(message: bytes, whole: int) -> bytes:
    return message[:2] + struct.pack("!H", whole - HEAD.size) + message[4:]


def _message(kind: int, transaction: bytes, attributes: bytes, password: str) -> bytes:
    unsigned = HEAD.pack(kind, len(attributes), COOKIE, transaction) + attributes
    signed = unsigned + _integrity(unsigned, password)
    whole = signed + _fingerprint(signed)
    return _with_length(whole, len(whole))


def _attribute(attribute: int, value: bytes) -> bytes:
    return FIELD.pack(attribute, len(value)) + value + bytes(-len(value) % 4)


def _xored(address: tuple[str, int], transaction: bytes) -> bytes:
    """RFC 8489 §14.2."""
    there = ipaddress.ip_address(address[0].partition("%")[0])
    mask = (struct.pack("!I", COOKIE) + transaction)[: len(there.packed)]
    octets = bytes(a ^ b for a, b in zip(there.packed, mask, strict=True))
    family = 1 if there.version == 4 else 2
    return struct.pack("!xBH", family, address[1] ^ (COOKIE >> 16)) + octets
