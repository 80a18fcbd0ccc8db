"""SRTP and SRTCP (RFC 3711, RFC 7714) by libsrtp, in place on one buffer.

pylibsrtp's public `protect` and `unprotect` copy each packet twice and allocate a length each time.
The relay does neither: it receives into `Packet.view`, calls libsrtp through the library handle
that pylibsrtp loaded, and sends from the same octets. Its `Session` costs half as much again as
the context inside, brings a buffer that we have no use for, and copies the key, which is not wiped.
This is the only module that touches pylibsrtp's binding.
"""

from typing import Any

from pylibsrtp import Policy, _srtp_assert
from pylibsrtp._binding import ffi, lib

from media.sdp.crypto_attribute import (
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AES_CM_128_HMAC_SHA1_80,
    Suite,
)

CAPACITY = 2048
"""A longer datagram is cut off by the kernel and then fails to authenticate."""

TRAILER = 256
"""More than libsrtp ever appends (tag 16, MKI 128, SRTCP index 4)."""

MAX_SOURCES = 64
"""SSRCs under one key that send voice, and as many that report. libsrtp keeps a state for each that
has authenticated, and looks through all of them at each packet: no phone may have any number."""

OK = 0
REPLAYED = frozenset({9, 10})
"""libsrtp's replay_fail and replay_old; every other failure counts as unauthenticated."""

PROFILES = {
    AEAD_AES_256_GCM: Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    AEAD_AES_128_GCM: Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    AES_CM_128_HMAC_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}

_DIRECTIONS = {True: Policy.SSRC_ANY_INBOUND, False: Policy.SSRC_ANY_OUTBOUND}
_policies = {
    (suite, inbound): Policy(ssrc_type=ssrc_type, srtp_profile=profile)._policy
    for suite, profile in PROFILES.items()
    for inbound, ssrc_type in _DIRECTIONS.items()
}
"""Without keys, which each context brings for the moment in which it is made. The worker has one
thread."""

# Plain functions: status = protect(context.handle, packet.data, packet.length)
protect = lib.srtp_protect
unprotect = lib.srtp_unprotect
protect_rtcp = lib.srtp_protect_rtcp
unprotect_rtcp = lib.srtp_unprotect_rtcp


class Packet:
    """The one buffer of a worker: a packet lives in it from recv to send."""

    __slots__ = ("data", "length", "space", "view")

    def __init__(self) -> None:
        self.data: Any = ffi.new("char[]", CAPACITY + TRAILER)
        self.view = memoryview(ffi.buffer(self.data))
        self.space = self.view[:CAPACITY]
        """Where a datagram is received: leaves room for what protecting appends."""
        self.length: Any = ffi.new("int *")

    def wipe(self) -> None:
        """The last packet's voice does not stay when its leg has gone."""
        self.view[:] = bytes(len(self.view))


class Context:
    """One direction of one leg under one key; lives as long as the key (ROC, replay window)."""

    __slots__ = ("_reporters", "_session", "_speakers", "handle", "master", "suite")

    def __init__(self, suite: Suite, master: bytes, *, inbound: bool) -> None:
        if len(master) != suite.master_length:  # libsrtp would read beyond its end
            raise ValueError("master key and salt: exactly as long as the suite has them")
        policy, session = _policies[suite, inbound], ffi.new("srtp_t *")
        policy.key = ffi.from_buffer("unsigned char[]", master)
        status = lib.srtp_create(session, policy)
        policy.key = ffi.NULL
        _srtp_assert(status)  # type: ignore[no-untyped-call]
        self._session: Any = ffi.gc(session, _end)
        self.handle: Any = session[0]
        self.suite = suite
        self.master = master
        self._speakers: set[int] = set()
        self._reporters: set[bytes] = set()

    def is_keyed(self, suite: Suite, master: bytes) -> bool:
        """Whether a re-offered key is the one in use: then nothing may be reset."""
        return self.suite == suite and self.master == master

    def takes(self, ssrc: int) -> bool:
        """Whether this one, whose packet has authenticated, may go on."""
        if len(self._speakers) < MAX_SOURCES:
            self._speakers.add(ssrc)
        return ssrc in self._speakers

    def protect_rtcp(self, packet: Packet, report: bytes) -> memoryview | None:
        """The report as SRTCP, in the packet's buffer; None if libsrtp refuses."""
        packet.view[: len(report)] = report
        packet.length[0] = len(report)
        if protect_rtcp(self.handle, packet.data, packet.length) != OK:
            return None
        return packet.view[: packet.length[0]]

    def unprotect_rtcp(self, packet: Packet, size: int) -> bytes | None:
        """The report that stood in the packet's buffer; None if it does not authenticate, or if
        too many have reported under this key."""
        ssrc = bytes(packet.view[4:8])
        if ssrc not in self._reporters and len(self._reporters) >= MAX_SOURCES:
            return None
        packet.length[0] = size
        if unprotect_rtcp(self.handle, packet.data, packet.length) != OK:
            return None
        self._reporters.add(ssrc)
        return bytes(packet.view[: packet.length[0]])


def _end(session: Any) -> None:
    lib.srtp_dealloc(session[0])
