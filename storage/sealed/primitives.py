"""Every cryptographic primitive of the product, to be read in one sitting.

* AES-256-GCM for data (fields, segments, stores); the context is always associated data.
* HPKE (RFC 9180) for sealing to a key: ML-KEM-1024+P-384 so that what is recorded today survives
  a quantum computer within its six years, or P-384 alone where a policy asks for it. The library
  takes no associated data, so all context goes into `info`.
* HKDF-SHA256 with a label per purpose; HMAC-SHA256 for keyed indexes; Ed25519 for signatures.
* argon2id for what people type; HOTP (RFC 4226) under TOTP (RFC 6238).

Errors take no values: a failed `open` says that it failed and nothing else.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass
from enum import StrEnum

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hpke, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY = 32
NONCE = 12
TAG = 16
SIGNATURE = 64
_SEED, _MLKEM_PUBLIC, _SCALAR, _POINT = 64, 1568, 48, 97

Bytes = bytes | bytearray | memoryview


class SealedError(Exception):
    """Base of what this package raises."""


class OpenError(SealedError):
    """Wrong key, wrong context, or altered: the three are not told apart."""


class KeyFormatError(SealedError):
    """The bytes are not a key of the named suite."""


# -- randomness, comparison, forgetting


def random(length: int) -> bytes:
    return os.urandom(length)


def secret(length: int) -> bytearray:
    """Random octets of which there is no second copy: they can be wiped."""
    space = bytearray(length)
    with open("/dev/urandom", "rb", buffering=0) as source:
        source.readinto(space)
    return space


def equal(one: Bytes, other: Bytes) -> bool:
    """In time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)


def wipe(secret: bytearray) -> None:
    """Overwrites our copy; Python and OpenSSL may have made others (SECURITY.md says so)."""
    secret[:] = bytes(len(secret))


# -- data: AES-256-GCM


def seal(key: Bytes, plaintext: Bytes, context: bytes) -> bytes:
    """A random nonce, then the ciphertext; below 2**32 uses of one key (NIST SP 800-38D §8.3)."""
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, context)


def open_sealed(key: Bytes, sealed: Bytes, context: bytes) -> bytes:
    data = bytes(sealed)
    if len(data) < NONCE + 16:
        raise OpenError("sealed data is too short")
    try:
        return AESGCM(key).decrypt(data[:NONCE], data[NONCE:], context)
    except InvalidTag:
        raise OpenError("sealed data does not open") from None


def seal_segment(
    key: Bytes, prefix: bytes, number: int, last: bool, plaintext: Bytes, header: bytes
) -> bytes:
    """One segment of a sealed file; the STREAM construction: nonce = prefix, counter, last flag.

    The nonce never repeats under one key because each file has a key of its own."""
    return AESGCM(key).encrypt(_segment_nonce(prefix, number, last), plaintext, header)


def open_segment(
    key: Bytes, prefix: bytes, number: int, last: bool, sealed: Bytes, header: bytes
) -> bytes:
    try:
        return AESGCM(key).decrypt(_segment_nonce(prefix, number, last), sealed, header)
    except InvalidTag:
        raise OpenError("segment does not open") from None


def open_segment_into(
    key: Bytes,
    prefix: bytes,
    number: int,
    last: bool,
    sealed: Bytes,
    header: bytes,
    space: bytearray,
) -> int:
    """As `open_segment`, into a space that the caller wipes; returns how much of it was filled."""
    size = len(sealed) - TAG
    if not 0 <= size <= len(space):
        raise OpenError("segment does not fit")
    with memoryview(space) as view:
        try:
            return AESGCM(key).decrypt_into(
                _segment_nonce(prefix, number, last), sealed, header, view[:size]
            )
        except InvalidTag:
            raise OpenError("segment does not open") from None


def _segment_nonce(prefix: bytes, number: int, last: bool) -> bytes:
    if len(prefix) != 7:
        raise KeyFormatError("nonce prefix: exactly 7 bytes")
    return prefix + number.to_bytes(4, "big") + (b"\1" if last else b"\0")


# -- sealing to a key: HPKE


class Suite(StrEnum):
    HYBRID = "mlkem1024-p384-hkdf-sha384-aes256gcm"
    P384 = "p384-hkdf-sha384-aes256gcm"


@dataclass(frozen=True, slots=True)
class Pair:
    suite: Suite
    public: bytes
    private: bytearray
    """ML-KEM seed then P-384 scalar, or the scalar alone."""


_HPKE = {
    Suite.HYBRID: hpke.Suite(hpke.KEM.MLKEM1024_P384, hpke.KDF.HKDF_SHA384, hpke.AEAD.AES_256_GCM),
    Suite.P384: hpke.Suite(hpke.KEM.P384, hpke.KDF.HKDF_SHA384, hpke.AEAD.AES_256_GCM),
}
_PublicKey = hpke.MLKEM1024P384PublicKey | ec.EllipticCurvePublicKey
_PrivateKey = hpke.MLKEM1024P384PrivateKey | ec.EllipticCurvePrivateKey


def generate_pair(suite: Suite) -> Pair:
    """A scalar is drawn by the library, so that it is uniform below the order of the curve."""
    scalar = ec.generate_private_key(ec.SECP384R1())
    private = bytearray(scalar.private_numbers().private_value.to_bytes(_SCALAR, "big"))
    if suite is Suite.HYBRID:
        private[:0] = os.urandom(_SEED)
    return Pair(suite, public_of(suite, private), private)


def pair_from_secret(secret: Bytes, label: str) -> Pair:
    """A hybrid pair that can be made again from 32 bytes: the recovery key."""
    seed = hkdf(secret, f"{label} ml-kem seed", b"", _SEED)
    number = int.from_bytes(hkdf(secret, f"{label} p-384 scalar", b"", 72), "big")
    # 576 bits reduced below the order: a bias of 2**-192 (FIPS 186-5 A.2.1).
    scalar = number % (_P384_ORDER - 1) + 1
    private = bytearray(seed + scalar.to_bytes(_SCALAR, "big"))
    return Pair(Suite.HYBRID, public_of(Suite.HYBRID, private), private)


_P384_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)


def public_of(suite: Suite, private: Bytes) -> bytes:
    scalar = _scalar(bytes(private)[-_SCALAR:])
    point = scalar.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    if suite is Suite.P384:
        return point
    seed = mlkem.MLKEM1024PrivateKey.from_seed_bytes(bytes(private)[:_SEED])
    return seed.public_key().public_bytes_raw() + point


def seal_to(suite: Suite, public: bytes, plaintext: Bytes, info: bytes) -> bytes:
    return _HPKE[suite].encrypt(plaintext, _public(suite, public), info)


def open_with(suite: Suite, private: Bytes, sealed: Bytes, info: bytes) -> bytes:
    try:
        return _HPKE[suite].decrypt(sealed, _private(suite, private), info)
    except (InvalidTag, ValueError):
        raise OpenError("sealed message does not open") from None


def _public(suite: Suite, public: bytes) -> _PublicKey:
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), public[-_POINT:])
        if suite is Suite.P384:
            if len(public) != _POINT:
                raise ValueError
            return point
        lattice = mlkem.MLKEM1024PublicKey.from_public_bytes(public[:-_POINT])
        return hpke.MLKEM1024P384PublicKey(lattice, point)
    except ValueError:
        raise KeyFormatError("public key: not a key of its suite") from None


def _private(suite: Suite, private: Bytes) -> _PrivateKey:
    data = bytes(private)
    if len(data) != _SCALAR + (_SEED if suite is Suite.HYBRID else 0):
        raise KeyFormatError("private key: not a key of its suite")
    scalar = _scalar(data[-_SCALAR:])
    if suite is Suite.P384:
        return scalar
    return hpke.MLKEM1024P384PrivateKey(
        mlkem.MLKEM1024PrivateKey.from_seed_bytes(data[:_SEED]), scalar
    )


def _scalar(data: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(data, "big"), ec.SECP384R1())


# -- derivation and keyed hashes


def hkdf(key: Bytes, label: str, context: bytes = b"", length: int = KEY) -> bytes:
    """One key per purpose: the label names it, the context narrows it."""
    info = b"hipaa-pbx " + label.encode() + b"\0" + context
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(bytes(key))


def mac(key: Bytes, label: str, data: Bytes) -> bytes:
    """HMAC-SHA256; the length of the label keeps label and data apart."""
    name = label.encode()
    return hmac.digest(key, bytes([len(name)]) + name + bytes(data), hashlib.sha256)


def sha256(*parts: Bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


# -- signatures: Ed25519


def generate_signing_key() -> bytearray:
    return bytearray(os.urandom(KEY))


def verifying_key(signing_key: Bytes) -> bytes:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(signing_key)
    return private.public_key().public_bytes_raw()


def sign(signing_key: Bytes, label: str, message: bytes) -> bytes:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(signing_key)
    return private.sign(b"hipaa-pbx " + label.encode() + b"\0" + message)


def verify(public: bytes, label: str, message: bytes, signature: bytes) -> bool:
    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(public)
        key.verify(signature, b"hipaa-pbx " + label.encode() + b"\0" + message)
    except (InvalidSignature, ValueError):
        return False
    return True


# -- what people type: argon2id, HOTP


@dataclass(frozen=True, slots=True)
class Argon2:
    """RFC 9106 §4, second recommended option, with memory doubled for a server of few log-ins."""

    passes: int = 3
    kibibytes: int = 65_536
    lanes: int = 1


def stretch(secret: Bytes, salt: bytes, cost: Argon2) -> bytes:
    return hash_secret_raw(
        bytes(secret), salt, cost.passes, cost.kibibytes, cost.lanes, KEY, Type.ID
    )


def hotp(secret: Bytes, counter: int) -> str:
    """Six digits (RFC 4226 §5.3); TOTP is this over 30-second steps (RFC 6238)."""
    digest = hmac.digest(bytes(secret), counter.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"
