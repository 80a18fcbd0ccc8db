"""Root keys without hardware: a passphrase, a systemd credential, or a key file.

A passphrase leaves the key holder locked after a restart (`pbx keys unlock`). A credential
(`LoadCredentialEncrypted=`) or a key file on another volume starts unattended; a key file beside
the store protects nothing from a thief of the disk, which `pbx keys status` says.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from storage.keyholder.keystores import CONTEXT, KeyStoreError
from storage.sealed import primitives
from storage.sealed.primitives import Argon2, OpenError

PASSPHRASE_COST = Argon2(passes=4, kibibytes=262_144, lanes=4)
"""256 MiB: tried by whoever steals the disk, so dearer than a log-in."""

_SHORTEST, _LONGEST = 32, 4096


class _Wrapped(msgspec.Struct, frozen=True):
    salt: bytes
    passes: int
    kibibytes: int
    lanes: int
    sealed: bytes


class PassphraseKeyStore:
    """Keeps the root key it has derived, so that rotation does not ask for the passphrase."""

    name = "passphrase"

    def __init__(self, passphrase: bytearray, cost: Argon2 = PASSPHRASE_COST) -> None:
        self._cost, self._salt = cost, primitives.random(16)
        self._passphrase, self._root = passphrase, bytearray()

    def wrap(self, key: primitives.Bytes) -> bytes:
        self._derive(self._salt, self._cost)
        sealed = primitives.seal(self._root, key, CONTEXT)
        cost = self._cost
        return msgspec.msgpack.encode(
            _Wrapped(self._salt, cost.passes, cost.kibibytes, cost.lanes, sealed)
        )

    def unwrap(self, wrapped: bytes) -> bytearray:
        try:
            held = msgspec.msgpack.decode(wrapped, type=_Wrapped)
        except msgspec.MsgspecError:
            raise KeyStoreError("key store: was not made with a passphrase") from None
        try:
            self._derive(held.salt, Argon2(held.passes, held.kibibytes, held.lanes))
            return bytearray(primitives.open_sealed(self._root, held.sealed, CONTEXT))
        except OpenError:
            raise KeyStoreError("passphrase: does not open the key store") from None

    def _derive(self, salt: bytes, cost: Argon2) -> None:
        """Once; the passphrase is overwritten afterwards."""
        if not self._root:
            self._root = bytearray(primitives.stretch(self._passphrase, salt, cost))
            self._salt, self._cost = salt, cost
            primitives.wipe(self._passphrase)


class FileKeyStore:
    """At least 32 random bytes in a file that only its owner can read."""

    def __init__(self, path: Path, name: str = "key-file") -> None:
        self.path = path
        self.name = name

    def create(self) -> None:
        """Never overwrites: the old key may be the only one that opens a store."""
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, 0o400)
        except OSError:
            raise KeyStoreError("key file: cannot be made, or exists already") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(primitives.random(_SHORTEST))
            file.flush()
            os.fsync(descriptor)

    def wrap(self, key: primitives.Bytes) -> bytes:
        root = self._root()
        try:
            return primitives.seal(root, key, CONTEXT)
        finally:
            primitives.wipe(root)

    def unwrap(self, wrapped: bytes) -> bytearray:
        root = self._root()
        try:
            return bytearray(primitives.open_sealed(root, wrapped, CONTEXT))
        except OpenError:
            raise KeyStoreError(f"{self.name}: does not open the key store") from None
        finally:
            primitives.wipe(root)

    def _root(self) -> bytearray:
        try:
            if self.name == "key-file" and self.path.stat().st_mode & 0o077:
                raise KeyStoreError("key file: readable by others; chmod 400 it")
            with self.path.open("rb") as file:
                content = bytearray(file.read(_LONGEST))
        except OSError:
            raise KeyStoreError(f"{self.name}: missing or not readable") from None
        if len(content) < _SHORTEST:
            raise KeyStoreError(f"{self.name}: shorter than 32 bytes")
        root = bytearray(primitives.hkdf(content, "root key"))
        primitives.wipe(content)
        return root


def credential(name: str, environment: Mapping[str, str]) -> FileKeyStore:
    """A systemd credential; the directory belongs to the service alone (systemd.exec(5))."""
    directory = environment.get("CREDENTIALS_DIRECTORY", "")
    if not directory:
        raise KeyStoreError("credential: the service was started without credentials")
    return FileKeyStore(Path(directory) / name, "credential")
