"""Encrypted files in the age format (age-encryption.org/v1), through pyrage."""

from __future__ import annotations

from collections.abc import Iterator

import pyrage

from pbx.cli.output import CommandError, Exit


def recipient(text: str) -> pyrage.x25519.Recipient:
    """A public key (age1…)."""
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise CommandError(
            "A recipient is an age public key: age1 and 58 more characters.", Exit.USAGE
        ) from None


def to_recipient(key: pyrage.x25519.Recipient, parts: Iterator[bytes]) -> bytes:
    """For whoever has the identity of this public key."""
    return bytes(pyrage.encrypt(b"".join(parts), [key]))


def to_passphrase(passphrase: bytearray, parts: Iterator[bytes]) -> bytes:
    """For whoever knows the passphrase (scrypt)."""
    return bytes(pyrage.passphrase.encrypt(b"".join(parts), passphrase.decode()))
