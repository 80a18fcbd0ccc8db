"""a=crypto, SDP security descriptions (RFC 4568; AEAD suites: RFC 7714)."""

import base64
import binascii
from dataclasses import dataclass

from media.errors import MediaError


@dataclass(frozen=True, slots=True)
class Suite:
    """An SRTP crypto suite we use."""

    name: str
    key_length: int
    salt_length: int

    @property
    def master_length(self) -> int:
        """Octets of key and salt together, as they stand behind `inline:`."""
        return self.key_length + self.salt_length


AEAD_AES_256_GCM = Suite("AEAD_AES_256_GCM", 32, 12)
AEAD_AES_128_GCM = Suite("AEAD_AES_128_GCM", 16, 12)
AES_CM_128_HMAC_SHA1_80 = Suite("AES_CM_128_HMAC_SHA1_80", 16, 14)

SUITES = (AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80)
"""In the order we prefer. AES_CM_128_HMAC_SHA1_32 is never among them: a 32-bit tag is short, and
the SRTCP of phones that offer it did not authenticate."""

BY_NAME = {suite.name: suite for suite in SUITES}

WEAKENING = ("UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP")
UNSUPPORTED = ("KDR", "FEC_ORDER", "FEC_KEY")
MAX_LIFETIME = 2**48


class Unusable(MediaError):
    """This line is never chosen; says by which rule, never with its value."""


@dataclass(frozen=True, slots=True)
class CryptoAttribute:
    """One usable line: a tag, a suite, and the sender's master key and salt."""

    tag: int
    suite: Suite
    master: bytes
    lifetime: int | None = None
    """Packets the sender will protect under the key, if it says so."""

    def __repr__(self) -> str:
        return f"CryptoAttribute({self.tag}, {self.suite.name})"  # a key has no path to a log

    def __str__(self) -> str:
        key = base64.b64encode(self.master).decode("ascii")
        return f"{self.tag} {self.suite.name} inline:{key}"


def parse(value: str) -> CryptoAttribute:
    """The line, or `Unusable` with the first rule that it breaks."""
    parts = value.split()
    if len(parts) < 3:
        raise Unusable("crypto: tag, suite and key are required")
    tag, name, keys, *parameters = parts
    if not (tag.isascii() and tag.isdigit() and len(tag) <= 9):
        raise Unusable("crypto: the tag is 1 to 9 digits")
    suite = BY_NAME.get(name.upper())
    if suite is None:
        raise Unusable(_refusal(name))
    for parameter in parameters:
        _check(parameter)
    master, lifetime = _inline(keys, suite)
    return CryptoAttribute(int(tag), suite, master, lifetime)


def _refusal(name: str) -> str:
    if name.upper() == "AES_CM_128_HMAC_SHA1_32":
        return "crypto: AES_CM_128_HMAC_SHA1_32 is not accepted, its tag is too short"
    return "crypto: no supported suite"


def _check(parameter: str) -> None:
    name = parameter.partition("=")[0].upper()
    if name in WEAKENING:
        raise Unusable(f"crypto: {name} is not accepted")
    if name in UNSUPPORTED:
        raise Unusable(f"crypto: {name} is not supported")
    # RFC 4568 §6.3.7: an unknown parameter voids the line, unless it begins with a hyphen.
    if name != "WSH" and not name.startswith("-"):
        raise Unusable("crypto: unknown session parameter")


def _inline(keys: str, suite: Suite) -> tuple[bytes, int | None]:
    if ";" in keys:
        raise Unusable("crypto: several keys need an MKI, which is not supported")
    method, colon, info = keys.partition(":")
    if method.lower() != "inline" or not colon:
        raise Unusable("crypto: the key method is inline")
    text, *fields = info.split("|")
    master = _master(text, suite)
    if len(fields) > 1 or any(":" in f for f in fields):
        raise Unusable("crypto: MKI is not supported")
    return master, _lifetime(fields[0]) if fields else None


def _master(text: str, suite: Suite) -> bytes:
    try:
        master = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Unusable("crypto: the key is base64") from None
    if len(master) != suite.master_length:
        raise Unusable("crypto: the key has the length of its suite")
    return master


def _lifetime(text: str) -> int:
    power = text.removeprefix("2^")
    if not (power.isascii() and power.isdigit() and len(power) <= 15):
        raise Unusable("crypto: the lifetime is a number")
    if power is not text and int(power) > 48:
        raise Unusable("crypto: the lifetime is 1 to 2^48 packets")
    lifetime = 2 ** int(power) if power is not text else int(power)
    if not 1 <= lifetime <= MAX_LIFETIME:
        raise Unusable("crypto: the lifetime is 1 to 2^48 packets")
    return lifetime
