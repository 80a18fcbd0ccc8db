"""storage/keyholder/keystores/choice.py"""

from pathlib import Path

import pytest

from storage.keyholder.config import KeyHolderConfig, Pkcs11Config
from storage.keyholder.keystores import KeyStoreError
from storage.keyholder.keystores.choice import choose, prepare, root_key_path
from storage.keyholder.keystores.file import FileKeyStore, PassphraseKeyStore
from tests.support.keyholder import text
from tests.support.softhsm import SoftHsm


def test_a_key_file_is_made_at_first_and_kept(tmp_path: Path) -> None:
    elsewhere = KeyHolderConfig(key_file=str(tmp_path / "volume.key"))
    for config, path in (
        (KeyHolderConfig(), tmp_path / "root.key"),
        (elsewhere, tmp_path / "volume.key"),
    ):
        made = prepare(config, tmp_path, {})
        content = path.read_bytes()
        prepare(config, tmp_path, {})
        assert path.read_bytes() == content
        assert isinstance(made, FileKeyStore)
        assert root_key_path(config, tmp_path) == path


def test_a_passphrase_has_to_be_typed(tmp_path: Path) -> None:
    config = KeyHolderConfig(root="passphrase")

    assert isinstance(prepare(config, tmp_path, {}, text("typed")), PassphraseKeyStore)
    with pytest.raises(KeyStoreError, match="given"):
        prepare(config, tmp_path, {})
    with pytest.raises(KeyStoreError, match="pbx keys unlock"):
        choose(config, tmp_path, {})


def test_a_credential_is_given_by_the_service_manager(tmp_path: Path) -> None:
    config = KeyHolderConfig(root="credential")

    made = prepare(config, tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert made.name == "credential"
    assert root_key_path(config, tmp_path) is None


def test_a_token_gets_its_key(tmp_path: Path, softhsm: SoftHsm) -> None:
    config = KeyHolderConfig(
        root="pkcs11", credential="pin", pkcs11=Pkcs11Config(module=softhsm.module, label="chosen")
    )
    environment = {"CREDENTIALS_DIRECTORY": str(softhsm.pin_file.parent)}

    made = prepare(config, tmp_path, environment)

    assert choose(config, tmp_path, environment).unwrap(made.wrap(b"k" * 32)) == b"k" * 32
