"""Root key in a PKCS#11 token: an AES-256 key that never leaves it wraps the store key (GCM)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass

from storage.keyholder.config import Pkcs11Config
from storage.keyholder.keystores import CONTEXT, KeyStoreError
from storage.sealed import primitives

_NONCE, _TAG_BITS = 12, 128


class Pkcs11KeyStore:
    name = "pkcs11"

    def __init__(self, config: Pkcs11Config, pin_file: Path) -> None:
        self._config = config
        self._pin_file = pin_file

    def create(self) -> None:
        """Makes the root key: sensitive, not extractable, for wrapping here alone."""
        with self._session() as session:
            if list(session.get_objects(self._template())):
                raise KeyStoreError("token: has a key of this label already")
            session.generate_key(
                KeyType.AES,
                256,
                label=self._config.label,
                store=True,
                capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
                template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )

    def wrap(self, key: primitives.Bytes) -> bytes:
        nonce = primitives.random(_NONCE)
        with self._root() as root:
            sealed = root.encrypt(
                bytes(key),
                mechanism=Mechanism.AES_GCM,
                mechanism_param=GCMParams(nonce, CONTEXT, _TAG_BITS),
            )
        return nonce + bytes(sealed)

    def unwrap(self, wrapped: bytes) -> bytearray:
        nonce, sealed = wrapped[:_NONCE], wrapped[_NONCE:]
        with self._root() as root:
            opened = root.decrypt(
                sealed,
                mechanism=Mechanism.AES_GCM,
                mechanism_param=GCMParams(nonce, CONTEXT, _TAG_BITS),
            )
        return bytearray(opened)

    def _template(self) -> dict[Attribute, object]:
        return {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.AES,
            Attribute.LABEL: self._config.label,
        }

    @contextmanager
    def _root(self) -> Iterator[Any]:
        with self._session() as session:
            keys = [key for key in session.get_objects(self._template())]
            if len(keys) != 1:
                raise KeyStoreError("token: has no key of this label, or several")
            yield keys[0]

    @contextmanager
    def _session(self) -> Iterator[pkcs11.Session]:
        try:
            pin = self._pin_file.read_text().strip()
            library = pkcs11.lib(self._config.module)
            token = library.get_token(token_label=self._config.token)
            with token.open(rw=True, user_pin=pin) as session:
                yield session
        except OSError:
            raise KeyStoreError("token: the PIN credential is missing") from None
        except (pkcs11.PKCS11Error, RuntimeError) as error:
            raise KeyStoreError(f"token: {type(error).__name__}") from None
