"""DTLS-SRTP (RFC 5763, RFC 5764) by OpenSSL, in memory: datagrams in, datagrams and keys out.

A handshake takes about a millisecond of this worker's core in two or three steps of at most half of
one (ECDSA and ECDH on P-256 or X25519): less than a thread that fights for the interpreter would
take from the relay. No key leaves before the peer has shown a certificate that its session
description announced: OpenSSL asks while it verifies, and `_conclude` looks again.
"""

import contextlib
import datetime
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

from media.sdp.crypto_attribute import (
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AES_CM_128_HMAC_SHA1_80,
    Suite,
)
from media.sdp.fingerprint import Fingerprint

PROFILES = {
    b"SRTP_AEAD_AES_256_GCM": AEAD_AES_256_GCM,
    b"SRTP_AEAD_AES_128_GCM": AEAD_AES_128_GCM,
    b"SRTP_AES128_CM_SHA1_80": AES_CM_128_HMAC_SHA1_80,
}
"""In the order we prefer; as the server we choose by it."""
CIPHERS = (
    b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
    b":ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256"
)
"""RFC 8827 §6.5 wants the second; those with RSA are for a phone with such a certificate."""
DTLS_1_2 = 0xFEFD
LABEL = b"EXTRACTOR-dtls_srtp"  # RFC 5764 §4.2
MTU = 1200
"""Octets of a datagram: passes every tunnel; RFC 9000 §14 takes the same."""
RECORD_HEAD = 13
LIFETIME = datetime.timedelta(days=3650)
MOST_ATTEMPTS = 8
"""A stranger who forges the phone's address can spoil an attempt, not all of them."""
HANDSHAKE, CLIENT_HELLO = 22, 1

Failure = Literal["fingerprint", "handshake"]


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The master keys of one association; without a repr, so that none ends in a log."""

    suite: Suite
    ours: bytes
    theirs: bytes


class Identity:
    """The certificate of one worker's run: made at its start, gone with its process."""

    def __init__(self, profiles: bytes = b":".join(PROFILES)) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "media")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))  # phones' clocks differ
            .not_valid_after(now + LIFETIME)
            .sign(key, hashes.SHA256())
        )
        self.fingerprint = Fingerprint.of(certificate.public_bytes(Encoding.DER))
        self.context = SSL.Context(SSL.DTLS_METHOD)
        self.context.set_min_proto_version(DTLS_1_2)
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)
        self.context.set_cipher_list(CIPHERS)
        self.context.set_tlsext_use_srtp(profiles)
        self.context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        self.context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _is_announced)


class Handshake:
    """One association. What it wants sent is returned by whatever made it so."""

    __slots__ = ("_announced", "_attempts", "_connection", "_identity", "_is_active",
                 "failure", "secrets")  # fmt: skip

    def __init__(
        self, identity: Identity, announced: frozenset[Fingerprint], *, is_active: bool
    ) -> None:
        self._identity, self._announced, self._is_active = identity, announced, is_active
        self._attempts = 0
        self.secrets: Secrets | None = None
        self.failure: Failure | None = None
        self._connection = self._begin()

    def start(self) -> list[bytes]:
        """The first message, if it is ours."""
        return self._advance() if self._is_active else []

    def receive(self, datagram: bytes) -> list[bytes]:
        """A datagram of the peer's, or of somebody who says so."""
        if self.failure is not None:
            return []
        self._connection.bio_write(datagram)
        return self._advance() if self.secrets is None else self._repeat()

    def seconds_left(self) -> float | None:
        """Until `expire` is due; None: nothing waits for an answer."""
        if self.failure is not None or self.secrets is not None:
            return None
        left: float | None = self._connection.DTLSv1_get_timeout()
        return left

    def expire(self) -> list[bytes]:
        """The answer did not come: OpenSSL says it again if it is time to."""
        return self._advance()

    def _begin(self) -> SSL.Connection:
        connection = SSL.Connection(self._identity.context, None)
        connection.set_app_data(self._announced)  # no reference to us: a worker collects no cycles
        connection.set_ciphertext_mtu(MTU)
        if self._is_active:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        return connection

    def _advance(self) -> list[bytes]:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return self._written()
        except SSL.Error as error:
            if _says(error, "certificate verify failed"):
                self.failure = "fingerprint"
                return self._written()  # the alert that tells the peer
            return self._again()
        self._conclude()
        return self._written()

    def _again(self) -> list[bytes]:
        """Anybody can spoil a handshake before its keys are agreed: try afresh, not for ever."""
        self._attempts += 1
        if self._attempts >= MOST_ATTEMPTS:
            self.failure = "handshake"
            return []
        self._connection = self._begin()
        return self.start()

    def _conclude(self) -> None:
        """Finished: the keys, if all is as announced."""
        shown = self._connection.get_peer_certificate()
        suite = PROFILES.get(self._connection.get_selected_srtp_profile())
        if shown is None or not _matches(shown, self._announced):
            self.failure = "fingerprint"
        elif suite is None:
            self.failure = "handshake"
        else:
            self.secrets = self._export(suite)

    def _export(self, suite: Suite) -> Secrets:
        """Client's key, server's key, client's salt, server's salt (RFC 5764 §4.2)."""
        key, salt = suite.key_length, suite.salt_length
        drawn: bytes = self._connection.export_keying_material(LABEL, 2 * (key + salt), None)
        salts = drawn[2 * key :]
        client, server = drawn[:key] + salts[:salt], drawn[key : 2 * key] + salts[salt:]
        if self._is_active:
            return Secrets(suite, client, server)
        return Secrets(suite, server, client)

    def _repeat(self) -> list[bytes]:
        """After the end only the peer's last message matters, if it comes again: ours was lost.
        Its data and its farewell are not for us (RFC 5764 §3: the session ends by signalling)."""
        with contextlib.suppress(SSL.Error):  # it wants more: nothing is left in its memory
            while True:
                self._connection.recv(MTU)
        return self._written()

    def _written(self) -> list[bytes]:
        octets = b""
        while True:
            try:
                octets += self._connection.bio_read(65_536)
            except SSL.WantReadError:
                return datagrams(octets)


def is_first_message(datagram: bytes) -> bool:
    """Whether it is a ClientHello, which may overtake the answer that goes with it."""
    return len(datagram) > RECORD_HEAD and (datagram[0], datagram[RECORD_HEAD]) == (
        HANDSHAKE,
        CLIENT_HELLO,
    )


def datagrams(octets: bytes) -> list[bytes]:
    """Records as OpenSSL wrote them one after the other, as many to a datagram as it holds."""
    found: list[bytes] = []
    while octets:
        end = RECORD_HEAD + int.from_bytes(octets[RECORD_HEAD - 2 : RECORD_HEAD], "big")
        if found and len(found[-1]) + end <= MTU:
            found[-1] += octets[:end]
        else:
            found.append(octets[:end])
        octets = octets[end:]
    return found


def _is_announced(
    connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, is_good: int
) -> bool:
    """The peer's own certificate is one whose fingerprint came with the signalling; whoever
    signed it, and until when, says nothing (RFC 5763 §5)."""
    return depth > 0 or _matches(certificate, connection.get_app_data())


def _matches(certificate: crypto.X509, announced: frozenset[Fingerprint]) -> bool:
    """As it was sent: nobody has to be able to read it, and what cannot be read ends no worker."""
    shown = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
    return any(fingerprint.matches(shown) for fingerprint in announced)


def _says(error: SSL.Error, reason: str) -> bool:
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return any(reason in part for part in reasons)
