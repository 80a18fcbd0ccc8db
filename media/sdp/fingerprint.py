"""a=fingerprint (RFC 8122): the certificate that a DTLS handshake has to show."""

import hashlib
import hmac
from dataclasses import dataclass

from media.errors import MediaError

HASHES = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
"""SHA-256 or better; RFC 8122 §5 forbids MD5 and MD2, and we leave SHA-1 out."""


class Unusable(MediaError):
    """Not a fingerprint we can check."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A hash over a certificate in DER."""

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, value: str) -> "Fingerprint":
        """`sha-256 12:AB:...`"""
        name, _, text = value.strip().partition(" ")
        if name.lower() not in HASHES:
            raise Unusable("fingerprint: SHA-256 or better")
        pairs = text.strip().split(":")
        if any(len(pair) != 2 or not set(pair) <= set("0123456789abcdefABCDEF") for pair in pairs):
            raise Unusable("fingerprint: pairs of hexadecimal digits")
        digest = bytes.fromhex("".join(pairs))
        if len(digest) != hashlib.new(HASHES[name.lower()]).digest_size:
            raise Unusable("fingerprint: as long as its hash")
        return cls(name.lower(), digest)

    @classmethod
    def of(cls, certificate: bytes, algorithm: str = "sha-256") -> "Fingerprint":
        """The fingerprint of a certificate in DER."""
        return cls(algorithm, hashlib.new(HASHES[algorithm], certificate).digest())

    def matches(self, certificate: bytes) -> bool:
        """Whether this is the certificate that was announced."""
        return hmac.compare_digest(self.digest, self.of(certificate, self.algorithm).digest)

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digest.hex(':').upper()}"
