"""[keyholder]: limits of sessions and lock-outs, and where the root key comes from."""

from typing import Literal

import msgspec

from storage.sealed.primitives import Suite


class Pkcs11Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[keyholder.pkcs11]"""

    module: str = ""
    """The vendor's PKCS#11 library, an absolute path."""

    token: str = "hipaa-pbx"  # noqa: S105 - a label, not a secret
    label: str = "root"
    """Label of the AES-256 key in the token; it never leaves it."""


class KeyHolderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[keyholder]"""

    root: Literal["passphrase", "credential", "key-file", "pkcs11"] = "key-file"
    """`passphrase` comes back locked after a restart; the others start unattended."""

    key_file: str = ""
    """For `key-file`: an absolute path, on another volume than the data. Empty: beside the store,
    which protects nothing from a thief of the disk; `pbx keys status` says so."""

    credential: str = "hipaa-pbx-root"
    """For `credential` (and the PKCS#11 PIN): the name of a systemd credential."""

    pkcs11: Pkcs11Config = Pkcs11Config()

    suite: Suite = Suite.HYBRID
    """What is sealed today survives a quantum computer; P-384 alone where a policy asks for it."""

    idle_seconds: int = 900
    sensitive_idle_seconds: int = 300
    phone_idle_seconds: int = 300
    session_seconds: int = 43_200
    sessions_per_person: int = 5

    failures: int = 5
    """Failures of one person within the window, over all paths, until the lock."""

    device_failures: int = 3
    """Failures from one device until it is slowed; fewer than `failures`, so that one phone
    cannot lock a person out."""

    window_seconds: int = 900
    lock_seconds: int = 900

    pin_days: int = 0
    """A PIN older than this has to be changed, by phone, before anything is heard; 0: never."""

    idle_days: int = 35
    """Who has not been seen for so long is suspended."""

    backup_days: int = 35
    """A key backup older than this is to be destroyed; certificates of destruction count on it."""

    weeks_ahead: int = 5
    """Deposit keys made and signed ahead, so that messages can be left while we are away."""

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"keyholder.{name}: between {low} and {high}")
        if self.device_failures >= self.failures:
            raise ValueError("keyholder.device_failures: fewer than keyholder.failures")
        if self.key_file and not self.key_file.startswith("/"):
            raise ValueError("keyholder.key_file: an absolute path")
        if self.root == "pkcs11" and not self.pkcs11.module.startswith("/"):
            raise ValueError("keyholder.pkcs11.module: an absolute path")
        if not self.credential or "/" in self.credential:
            raise ValueError("keyholder.credential: a name without slashes")


_RANGES = (
    ("idle_seconds", 60, 900),
    ("sensitive_idle_seconds", 60, 300),
    ("phone_idle_seconds", 30, 300),
    ("session_seconds", 900, 43_200),
    ("sessions_per_person", 1, 20),
    ("failures", 3, 10),
    ("device_failures", 1, 9),
    ("window_seconds", 300, 86_400),
    ("lock_seconds", 300, 86_400),
    ("pin_days", 0, 3_650),
    ("idle_days", 1, 35),
    ("backup_days", 1, 366),
    ("weeks_ahead", 2, 26),
)
