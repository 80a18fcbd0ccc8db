"""What travels sealed: the secrets of a proof, and answers that are secrets."""

import msgspec

from storage.sealed.primitives import wipe


class Protected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The secrets of a proof, readable by the key holder alone."""

    password: bytearray = msgspec.field(default_factory=bytearray)
    new_password: bytearray = msgspec.field(default_factory=bytearray)
    totp: bytearray = msgspec.field(default_factory=bytearray)
    recovery_code: bytearray = msgspec.field(default_factory=bytearray)
    enrolment_code: bytearray = msgspec.field(default_factory=bytearray)
    pin: bytearray = msgspec.field(default_factory=bytearray)
    new_pin: bytearray = msgspec.field(default_factory=bytearray)
    recovery_passphrase: bytearray = msgspec.field(default_factory=bytearray)
    assertion: bytearray = msgspec.field(default_factory=bytearray)
    """`presence.Assertion` of a security key, in place of a code."""
    registration: bytearray = msgspec.field(default_factory=bytearray)
    """`presence.Registration` of a new security key."""
    binding: bytearray = msgspec.field(default_factory=bytearray)
    """With a log-in: what openings in its session are vouched for with (`vouchers`)."""

    def wipe(self) -> None:
        for field in self.__struct_fields__:
            wipe(getattr(self, field))


class Enrolment(msgspec.Struct, frozen=True):
    """Answer sealed to the asker: shown once, stored by nobody but the key holder."""

    totp_secret: str
    """Base32, as authenticator apps take it."""
    totp_uri: str
    recovery_codes: tuple[str, ...]


class HalfCode(msgspec.Struct, frozen=True):
    """Answer sealed to one of the two people of a reset."""

    half: str
    position: int
    """1 or 2; 0 means the whole code."""


class RecoveryShare(msgspec.Struct, frozen=True):
    """Answer sealed to the holder of a share of the recovery secret."""

    mnemonic: str
    threshold: int
    total: int
