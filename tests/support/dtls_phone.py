"""A phone keyed by DTLS-SRTP: its own OpenSSL contexts and exporter, not `media.worker.dtls`."""

import datetime
import hashlib
import re
import socket
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from pylibsrtp import Session

from tests.support.rtp_phone import RtpPhone, context

ALL = b"SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"
SUITES = {
    b"SRTP_AEAD_AES_256_GCM": ("AEAD_AES_256_GCM", 32, 12),
    b"SRTP_AEAD_AES_128_GCM": ("AEAD_AES_128_GCM", 16, 12),
    b"SRTP_AES128_CM_SHA1_80": ("AES_CM_128_HMAC_SHA1_80", 16, 14),
}


class Certificate:
    """A key and what names it."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "phone")])
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        builder = x509.CertificateBuilder(name, name, self.key.public_key(), 7, now - day, now)
        self.certificate = builder.sign(self.key, hashes.SHA256())  # over since a moment ago
        self.der = self.certificate.public_bytes(Encoding.DER)

    def fingerprint(self, algorithm: str = "sha-256") -> str:
        digest = hashlib.new(algorithm.replace("-", ""), self.der).digest()
        return f"{algorithm} {digest.hex(':').upper()}"


@dataclass
class Side:
    """A handshake on one of the phone's sockets."""

    connection: SSL.Connection
    socket: socket.socket
    to: int
    """What to add to the port of the other side."""
    done: bool = False
    failed: str = ""
    loses: int = 0
    """So many of its datagrams get lost."""


@dataclass
class DtlsPhone(RtpPhone):
    """`setup` is what it offers; the answer decides."""

    setup: str = "actpass"
    protocol: str = "UDP/TLS/RTP/SAVPF"
    profiles: bytes = ALL
    certificate: Certificate = field(default_factory=Certificate)
    announced: str = ""
    """The fingerprint it names; empty: the true one."""
    extra: tuple[str, ...] = ()
    sides: list[Side] = field(default_factory=list)
    peer_fingerprint: str = ""
    reports_in: Session | None = None
    reports_out: Session | None = None

    # --- session descriptions

    def sdp(self, direction: str = "sendrecv", address: str | None = None) -> bytes:
        lines = super().sdp(direction, address).decode().split("\r\n")
        kept = [line for line in lines if not line.startswith("a=crypto")]
        text = "\r\n".join(kept).replace(" RTP/SAVP ", f" {self.protocol} ")
        shown = self.announced or self.certificate.fingerprint()
        mine = [f"a=fingerprint:{shown}", f"a=setup:{self.setup}", *self.extra]
        return (text + "\r\n".join(mine) + "\r\n").encode()

    def read(self, sdp: bytes) -> None:
        """Take the other side's description and get ready: a client if it is passive."""
        text = sdp.decode()
        self.peer_fingerprint = re.findall(r"a=fingerprint:(sha-256 \S+)", text)[0]
        port = int(re.findall(r"m=audio (\d+)", text)[0])
        self.there = (re.findall(r"c=IN IP[46] (\S+)", text)[0], port)
        theirs = re.findall(r"a=setup:(\w+)", text)[0]
        if theirs == "actpass":
            self.setup = "active" if self.setup == "actpass" else self.setup
        else:
            self.setup = "passive" if theirs == "active" else "active"
        self.muxed = self.muxed and "a=rtcp-mux" in text
        self.begin()

    def begin(self) -> None:
        """A fresh handshake on each socket."""
        sockets = [(self.rtp, 0)] if self.muxed else [(self.rtp, 0), (self.rtcp, 1)]
        self.sides = [Side(self._connection(), opened, to) for opened, to in sockets]

    def _connection(self) -> SSL.Connection:
        made = SSL.Context(SSL.DTLS_METHOD)
        made.use_certificate(self.certificate.certificate)
        made.use_privatekey(self.certificate.key)
        made.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        made.set_tlsext_use_srtp(self.profiles)
        made.set_options(SSL.OP_NO_QUERY_MTU)
        connection = SSL.Connection(made, None)
        connection.set_ciphertext_mtu(1200)
        if self.setup == "active":
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        return connection

    # --- handshakes

    @property
    def is_keyed(self) -> bool:
        return bool(self.sides) and all(side.done for side in self.sides)

    @property
    def failure(self) -> str:
        return next((side.failed for side in self.sides if side.failed), "")

    def pump(self) -> bool:
        """Do what has arrived; whether all handshakes are over."""
        for side in self.sides:
            if not side.failed:
                self._take(side)
                self._step(side)
        return self.is_keyed

    def _take(self, side: Side) -> None:
        """DTLS only: media stays in the socket."""
        while True:
            try:
                first = side.socket.recv(1, socket.MSG_PEEK)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if not first or first[0] not in range(20, 64):
                return
            side.connection.bio_write(side.socket.recv(4096))

    def _step(self, side: Side) -> None:
        try:
            side.connection.do_handshake()
            if not side.done:
                side.done = True
                self._key(side)
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            side.failed = str(error)
        self._send(side)

    def _send(self, side: Side) -> None:
        assert self.there is not None
        try:
            octets = side.connection.bio_read(65536)
        except SSL.WantReadError:
            return
        while octets:
            end = 13 + int.from_bytes(octets[11:13], "big")
            if side.loses:
                side.loses -= 1
            else:
                side.socket.sendto(octets[:end], (self.there[0], self.there[1] + side.to))
            octets = octets[end:]

    def _key(self, side: Side) -> None:
        shown = side.connection.get_peer_certificate(as_cryptography=True)
        assert shown is not None
        digest = hashlib.sha256(shown.public_bytes(Encoding.DER)).digest()
        assert self.peer_fingerprint == f"sha-256 {digest.hex(':').upper()}"
        suite, key, salt = SUITES[side.connection.get_selected_srtp_profile()]
        drawn = side.connection.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (key + salt), None
        )
        client = drawn[:key] + drawn[2 * key : 2 * key + salt]
        server = drawn[key : 2 * key] + drawn[2 * key + salt :]
        ours, theirs = (client, server) if self.setup == "active" else (server, client)
        outbound, inbound = (
            context(suite, ours, inbound=False),
            context(suite, theirs, inbound=True),
        )
        if side.to == 0:
            self.suite, self.outbound, self.inbound = suite, outbound, inbound
        if side.to == 1 or self.muxed:
            self.reports_out, self.reports_in = outbound, inbound

    # --- RTCP under its own keys

    def send_report(self, report: bytes, port: int | None = None) -> None:
        assert self.there is not None and self.reports_out is not None
        wire = self.reports_out.protect_rtcp(report)
        opened, to = (self.rtp, 0) if self.muxed else (self.rtcp, 1)
        opened.sendto(wire, (self.there[0], port or self.there[1] + to))
