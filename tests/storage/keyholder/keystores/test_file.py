"""storage/keyholder/keystores/file.py"""

from pathlib import Path

import pytest

from storage.keyholder.keystores import KeyStoreError
from storage.keyholder.keystores.file import FileKeyStore, PassphraseKeyStore, credential
from tests.support.keyholder import CHEAP, text

KEY = b"s" * 32


def test_a_passphrase_opens_what_it_wrapped_and_is_forgotten() -> None:
    typed = text("correct horse")
    store = PassphraseKeyStore(typed, CHEAP)

    wrapped = store.wrap(KEY)

    assert not any(typed)
    again = PassphraseKeyStore(text("correct horse"), CHEAP)
    assert again.unwrap(wrapped) == KEY
    assert PassphraseKeyStore(text("correct horse")).unwrap(again.wrap(b"n" * 32)) == b"n" * 32


def test_a_wrong_passphrase_opens_nothing() -> None:
    wrapped = PassphraseKeyStore(text("right"), CHEAP).wrap(KEY)

    with pytest.raises(KeyStoreError, match="does not open"):
        PassphraseKeyStore(text("wrong"), CHEAP).unwrap(wrapped)
    with pytest.raises(KeyStoreError, match="not made with a passphrase"):
        PassphraseKeyStore(text("right"), CHEAP).unwrap(b"\xc1")


def test_a_key_file_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    store = FileKeyStore(tmp_path / "root.key")
    store.create()

    assert store.unwrap(store.wrap(KEY)) == KEY
    assert store.path.stat().st_mode & 0o777 == 0o400
    with pytest.raises(KeyStoreError, match="exists already"):
        store.create()
    other = FileKeyStore(tmp_path / "other.key")
    other.create()
    with pytest.raises(KeyStoreError, match="does not open"):
        other.unwrap(store.wrap(KEY))


def test_a_key_file_that_protects_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    store = FileKeyStore(path)
    with pytest.raises(KeyStoreError, match="missing"):
        store.wrap(KEY)
    path.write_bytes(b"x" * 32)
    path.chmod(0o440)
    with pytest.raises(KeyStoreError, match="readable by others"):
        store.wrap(KEY)
    path.chmod(0o600)
    path.write_bytes(b"x" * 31)
    with pytest.raises(KeyStoreError, match="shorter"):
        store.unwrap(b"")


def test_a_credential_is_found_in_the_directory_of_the_service(tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(b"x" * 32)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    store = credential("root", environment)

    assert store.name == "credential"
    assert store.unwrap(store.wrap(KEY)) == KEY
    with pytest.raises(KeyStoreError, match="without credentials"):
        credential("root", {})
