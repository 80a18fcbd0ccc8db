"""A phone's media as a test sees it: own keys, own SRTP contexts, plain blocking sockets.

It writes and reads session descriptions by itself, not through `media.sdp`, and protects through
pylibsrtp's public API, not through `media.worker.srtp`: a second opinion on both.
"""

import base64
import math
import re
import secrets
import select
import socket
import struct
import time
from dataclasses import dataclass, field

from pylibsrtp import Error, Policy, Session

PROFILES = {
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    "AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AES_CM_128_HMAC_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
}
HEADER = struct.Struct("!BBHII")
FRAME = 160


def context(suite: str, key: bytes, *, inbound: bool) -> Session:
    """One direction."""
    kind = Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND
    return Session(Policy(key=key, ssrc_type=kind, srtp_profile=PROFILES[suite][0]))


@dataclass
class Heard:
    """What arrived, authenticated."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    at: float


@dataclass(eq=False)
class RtpPhone:
    """One leg's far end."""

    suite: str = "AES_CM_128_HMAC_SHA1_80"
    host: str = "127.0.0.1"
    formats: tuple[tuple[int, str], ...] = ((0, "PCMU/8000"), (101, "telephone-event/8000"))
    sequence: int = 1000
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    key: bytes = b""
    muxed: bool = False

    def __post_init__(self) -> None:
        self.key = self.key or secrets.token_bytes(PROFILES[self.suite][1])
        self.timestamp = secrets.randbits(31)
        self.rtp, self.rtcp = self._pair()
        self.outbound = context(self.suite, self.key, inbound=False)
        self.inbound: Session | None = None
        self.there: tuple[str, int] | None = None
        self.refused = 0
        self.heard: list[Heard] = []
        self.tag = 1
        self.tone_at = 0
        self.missed = 0
        """Packets that were not sent for want of time."""

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        return self._socket(), self._socket()

    def _socket(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_DGRAM)
        opened.bind((self.host, 0))
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # a test may look late
        opened.setblocking(False)
        return opened

    # --- session descriptions

    def sdp(self, direction: str = "sendrecv", address: str | None = None) -> bytes:
        """An offer or an answer."""
        version = 6 if ":" in self.host else 4
        numbers = " ".join(str(n) for n, _ in self.formats)
        key = base64.b64encode(self.key).decode()
        lines = [
            "v=0",
            f"o=- 1 1 IN IP{version} {self.host}",
            "s=-",
            f"c=IN IP{version} {address or self.host}",
            "t=0 0",
            f"m=audio {self.rtp.getsockname()[1]} RTP/SAVP {numbers}",
            *(f"a=rtpmap:{n} {name}" for n, name in self.formats),
            f"a=rtcp:{self.rtcp.getsockname()[1]}",
            f"a=crypto:{self.tag} {self.suite} inline:{key}",
            f"a={direction}",
        ]
        if self.muxed:
            lines.append("a=rtcp-mux")
        return ("\r\n".join(lines) + "\r\n").encode()

    def read(self, sdp: bytes) -> None:
        """Take the other side's offer or answer: its key for our suite, its address."""
        text = sdp.decode()
        found = re.findall(rf"a=crypto:(\d+) {self.suite} inline:(\S+)", text)
        assert len(found) == 1, "one line of our suite"
        self.tag = int(found[0][0])
        master = base64.b64decode(found[0][1])
        self.inbound = context(self.suite, master, inbound=True)
        port = int(re.findall(r"m=audio (\d+)", text)[0])
        self.there = (re.findall(r"c=IN IP[46] (\S+)", text)[0], port)

    # --- sending

    def packet(self, payload: bytes, payload_type: int = 0, *, marker: bool = False) -> bytes:
        """The next packet in clear."""
        second = payload_type | (0x80 if marker else 0)
        head = HEADER.pack(0x80, second, self.sequence, self.timestamp & 0xFFFFFFFF, self.ssrc)
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp += FRAME
        return head + payload

    def send(self, payload: bytes = b"\xff" * FRAME, payload_type: int = 0) -> bytes:
        """Protect and send; returns what went over the wire."""
        wire = self.outbound.protect(self.packet(payload, payload_type))
        self.throw(wire)
        return wire

    def throw(self, wire: bytes) -> None:
        """Send these octets as they are."""
        assert self.there is not None
        self.rtp.sendto(wire, self.there)

    def send_tone(self, frequency: float) -> None:
        """20 ms of a tone, without a seam to the last 20 ms."""
        from media.worker.codecs.g711 import encode_ulaw

        step = 2 * math.pi * frequency / 8000
        samples = [int(8000 * math.sin(step * (self.tone_at + n))) for n in range(FRAME)]
        self.tone_at += FRAME
        self.send(encode_ulaw(samples))

    def miss(self, packets: int) -> None:
        """Say nothing for so long: time and tone go on."""
        self.missed += packets
        self.timestamp += packets * FRAME
        self.tone_at += packets * FRAME

    def press(
        self, event: int, payload_type: int = 101, packets: int = 4, *, ends: int = 3
    ) -> None:
        """A key press as RFC 4733 packets with one timestamp, the end three times."""
        at = self.timestamp
        for number in range(packets + ends):
            duration = FRAME * min(number + 1, packets)
            self._event(at, event, duration, payload_type, number == 0, number >= packets)
        self.timestamp = at + FRAME * packets

    def end_again(self, event: int, payload_type: int = 101, packets: int = 4) -> None:
        """One more copy of the end of the key press just sent."""
        after = self.timestamp
        length = FRAME * packets
        self._event(after - length, event, length, payload_type, begins=False, ends=True)
        self.timestamp = after

    def _event(
        self, at: int, event: int, duration: int, payload_type: int, begins: bool, ends: bool
    ) -> None:
        self.timestamp = at
        told = struct.pack("!BBH", event, 0x80 if ends else 0x0A, duration)
        self.throw(self.outbound.protect(self.packet(told, payload_type, marker=begins)))

    def send_report(self, report: bytes, port: int | None = None) -> None:
        """SRTCP to the odd port (or another)."""
        assert self.there is not None
        wire = self.outbound.protect_rtcp(report)
        self.rtcp.sendto(wire, (self.there[0], port or self.there[1] + 1))

    # --- receiving

    def listen(self, seconds: float = 1.0, *, until: int = 1) -> list[Heard]:
        """What arrives until that many packets have, or the time is over."""
        fresh: list[Heard] = []
        deadline = time.monotonic() + seconds
        while len(fresh) < until and (left := deadline - time.monotonic()) > 0:
            if select.select([self.rtp], [], [], left)[0]:
                fresh += self.take()
        return fresh

    def take(self) -> list[Heard]:
        """What has arrived."""
        fresh: list[Heard] = []
        while True:
            try:
                wire = self.rtp.recv(4096)
            except BlockingIOError:
                break
            except ConnectionRefusedError:
                continue
            at = time.monotonic()
            try:
                assert self.inbound is not None
                plain = self.inbound.unprotect(wire)
            except Error:
                self.refused += 1
                continue
            first, second, sequence, timestamp, ssrc = HEADER.unpack_from(plain)
            assert first == 0x80
            payload = plain[HEADER.size :]
            fresh.append(Heard(second & 0x7F, second > 127, sequence, timestamp, ssrc, payload, at))
        self.heard += fresh
        return fresh

    def listen_for_reports(self, seconds: float = 1.0) -> bytes | None:
        """The next SRTCP packet, opened."""
        if not select.select([self.rtcp], [], [], seconds)[0]:
            return None
        assert self.inbound is not None
        return self.inbound.unprotect_rtcp(self.rtcp.recv(4096))

    def move(self) -> None:
        """A NAT that forgot: the same phone from another port."""
        self.rtp.close()
        self.rtp = self._socket()

    def close(self) -> None:
        """Hang up the sockets."""
        self.rtp.close()
        self.rtcp.close()
