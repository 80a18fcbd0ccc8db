"""The test phone's media: keys of its own, SRTP by libsrtp's public interface, and an ear.

Session descriptions are written and read here, not by `media.sdp`, and packets are protected
through pylibsrtp, not by the relay's own module: a second opinion on both.
"""

from __future__ import annotations

import asyncio
import base64
import math
import secrets
import socket
import struct
from array import array

from pylibsrtp import Error, Policy, Session

from pbx.testcall.errors import CallTestFailed

SUITES = {
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    "AES_CM_128_HMAC_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
}
"""RFC 4568 and RFC 7714: the profile, and the octets of key and salt."""
RATE, FRAME = 8_000, 160
HEADER = struct.Struct("!BBHII")
LOUD = 8_000


class Media:
    """One end of the call's sound: sends one tone, listens for another."""

    def __init__(self, host: str, suite: str, hertz: float) -> None:
        self.suite, self._hertz = suite, hertz
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._host = host
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self._key = secrets.token_bytes(SUITES[suite][1])
        self._outbound = _context(suite, self._key, inbound=False)
        self._inbound: Session | None = None
        self._there: tuple[str, int] | None = None
        self._sequence = secrets.randbelow(1 << 15)
        self._timestamp = secrets.randbelow(1 << 31)
        self._ssrc = secrets.randbits(32)
        self._sent = 0
        self._tag = "1"
        """Of the crypto line; an answer has its offer's (RFC 4568 §5.1.2)."""
        self.heard = array("h")
        self.refused = 0

    def description(self) -> bytes:
        """An offer or an answer with exactly one crypto line."""
        version = 6 if ":" in self._host else 4
        key = base64.b64encode(self._key).decode()
        port = self._socket.getsockname()[1]
        lines = (
            "v=0",
            f"o=- {self._ssrc} 1 IN IP{version} {self._host}",
            "s=-",
            f"c=IN IP{version} {self._host}",
            "t=0 0",
            f"m=audio {port} RTP/SAVP 0",
            "a=rtpmap:0 PCMU/8000",
            f"a=crypto:{self._tag} {self.suite} inline:{key}",
            "a=rtcp-mux",
            "a=sendrecv",
        )
        return ("\r\n".join(lines) + "\r\n").encode()

    def take(self, description: bytes) -> None:
        """The other side's keys and address; one that is not what we asked for fails the test."""
        text = description.decode(errors="replace").splitlines()
        try:
            media = next(line for line in text if line.startswith("m=audio ")).split()
            host = next(line for line in text if line.startswith("c=IN ")).split()[2]
            crypto = [line.split() for line in text if line.startswith("a=crypto:")]
            tag, inline = next((w[0], w[2]) for w in crypto if w[1] == self.suite)
            port = int(media[1])
            master = base64.b64decode(inline.removeprefix("inline:").partition("|")[0])
        except (StopIteration, IndexError, ValueError):
            raise CallTestFailed("the exchange offered no key of the suite we asked for") from None
        if media[2] != "RTP/SAVP" or len(master) != SUITES[self.suite][1]:
            raise CallTestFailed("the exchange agreed to something other than SRTP")
        self._inbound = _context(self.suite, master, inbound=True)
        self._there = (host, port)
        self._tag = tag.removeprefix("a=crypto:")

    async def talk(self, seconds: float) -> None:
        """Send the tone, 50 packets a second, and take what comes."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(int(seconds * RATE / FRAME)):
            self._send()
            await asyncio.sleep(max(0.0, begun + (number + 1) * FRAME / RATE - loop.time()))
            self._receive()

    def close(self) -> None:
        self._socket.close()

    def _send(self) -> None:
        if self._there is None:
            return
        step = 2 * math.pi * self._hertz / RATE
        tone = bytes(_ulaw(int(LOUD * math.sin(step * (self._sent + n)))) for n in range(FRAME))
        head = HEADER.pack(0x80, 0, self._sequence, self._timestamp, self._ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
        self._sent += FRAME
        self._socket.sendto(self._outbound.protect(head + tone), self._there)

    def _receive(self) -> None:
        while self._inbound is not None:
            try:
                packet = self._socket.recv(2048)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            if len(packet) < 12 or 64 <= packet[1] & 0x7F < 96:
                continue  # RTCP beside RTP (RFC 5761 §4)
            try:
                plain = self._inbound.unprotect(packet)
            except Error:
                self.refused += 1
                continue
            if plain[1] & 0x7F == 0:
                self.heard.extend(_sample(octet) for octet in plain[HEADER.size :])


def loudness(samples: array[int], hertz: float) -> float:
    """The share of the sound's energy that lies at one frequency, 0 to 1 (Goertzel)."""
    energy = sum(sample * sample for sample in samples)
    if not energy:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * hertz / RATE)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    magnitude = before * before + last * last - coefficient * before * last
    return 2 * magnitude / (len(samples) * energy)


def _context(suite: str, key: bytes, *, inbound: bool) -> Session:
    kind = Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND
    return Session(Policy(key=key, ssrc_type=kind, srtp_profile=SUITES[suite][0]))


def _ulaw(sample: int) -> int:
    """ITU-T G.711, µ-law."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32_635) + 0x84
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | (magnitude >> (exponent + 3) & 0x0F)) & 0xFF


def _sample(octet: int) -> int:
    octet = ~octet & 0xFF
    magnitude = ((octet & 0x0F) << 3) + 0x84 << (octet >> 4 & 7)
    return 0x84 - magnitude if octet & 0x80 else magnitude - 0x84
