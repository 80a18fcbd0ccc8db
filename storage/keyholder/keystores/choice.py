"""The key store the configuration names."""

from collections.abc import Mapping
from pathlib import Path

from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.keystores import KeyStore, KeyStoreError
from storage.keyholder.keystores.file import FileKeyStore, PassphraseKeyStore, credential
from storage.keyholder.keystores.pkcs11 import Pkcs11KeyStore


def choose(
    config: KeyHolderConfig, keys: Path, environment: Mapping[str, str]
) -> FileKeyStore | Pkcs11KeyStore:
    """For the kinds that open unattended."""
    match config.root:
        case "key-file":
            return FileKeyStore(root_key_path(config, keys) or keys / "root.key")
        case "credential":
            return credential(config.credential, environment)
        case "pkcs11":
            return Pkcs11KeyStore(config.pkcs11, credential(config.credential, environment).path)
    raise KeyStoreError("passphrase: has to be typed; run: pbx keys unlock")


def root_key_path(config: KeyHolderConfig, keys: Path) -> Path | None:
    if config.root != "key-file":
        return None
    return Path(config.key_file) if config.key_file else keys / "root.key"


def prepare(
    config: KeyHolderConfig,
    keys: Path,
    environment: Mapping[str, str],
    passphrase: bytearray | None = None,
) -> KeyStore:
    """At `pbx init` and restore: makes the key file or the token's key if there is none."""
    if config.root == "passphrase":
        if not passphrase:
            raise KeyStoreError("passphrase: has to be given")
        return PassphraseKeyStore(passphrase)
    keystore = choose(config, keys, environment)
    if isinstance(keystore, Pkcs11KeyStore) or (
        config.root == "key-file" and not keystore.path.exists()
    ):
        keystore.create()
    return keystore
