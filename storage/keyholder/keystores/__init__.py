"""Where the root wrapping key comes from: passphrase, credential, key file, PKCS#11 token."""

from typing import Protocol

from storage.sealed import primitives

CONTEXT = b"hipaa-pbx store key v1"


class KeyStoreError(Exception):
    """The root key is missing or wrong; the text says what to do and no more."""


class KeyStore(Protocol):
    """The small interface a further kind has to offer."""

    @property
    def name(self) -> str: ...

    def wrap(self, key: primitives.Bytes) -> bytes:
        """The store key as it may lie beside the data."""
        ...

    def unwrap(self, wrapped: bytes) -> bytearray:
        """The store key; raises `KeyStoreError` for a wrong root key."""
        ...
