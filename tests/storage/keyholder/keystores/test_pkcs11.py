"""storage/keyholder/keystores/pkcs11.py, against SoftHSM2"""

from pathlib import Path

import pytest

from storage.keyholder.config import Pkcs11Config
from storage.keyholder.keystores import KeyStoreError
from storage.keyholder.keystores.pkcs11 import Pkcs11KeyStore
from tests.support.softhsm import SoftHsm


def store(softhsm: SoftHsm, label: str = "root", pin_file: Path | None = None) -> Pkcs11KeyStore:
    config = Pkcs11Config(module=softhsm.module, label=label)
    return Pkcs11KeyStore(config, pin_file or softhsm.pin_file)


def test_the_root_key_never_leaves_the_token(softhsm: SoftHsm) -> None:
    import pkcs11
    from pkcs11 import Attribute

    made = store(softhsm)
    with pytest.raises(KeyStoreError, match="no key"):
        made.wrap(b"k" * 32)
    made.create()

    wrapped = made.wrap(b"k" * 32)

    assert store(softhsm).unwrap(wrapped) == b"k" * 32
    assert made.name == "pkcs11"
    token = pkcs11.lib(softhsm.module).get_token(token_label="hipaa-pbx")
    with token.open(user_pin=softhsm.pin_file.read_text()) as session:
        key = next(iter(session.get_objects({Attribute.LABEL: "root"})))
        assert key[Attribute.EXTRACTABLE] is False
        assert key[Attribute.SENSITIVE] is True
    with pytest.raises(KeyStoreError, match="already"):
        made.create()


def test_what_it_did_not_wrap_does_not_open(softhsm: SoftHsm) -> None:
    made = store(softhsm, "altered")
    made.create()
    wrapped = bytearray(made.wrap(b"k" * 32))
    wrapped[-1] ^= 1

    with pytest.raises(KeyStoreError, match="token"):
        made.unwrap(bytes(wrapped))


def test_a_wrong_pin_or_a_missing_one_is_refused(softhsm: SoftHsm, tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("99999999")

    with pytest.raises(KeyStoreError, match="PinIncorrect"):
        store(softhsm, pin_file=tmp_path / "pin").wrap(b"k" * 32)
    with pytest.raises(KeyStoreError, match="missing"):
        store(softhsm, pin_file=tmp_path / "none").wrap(b"k" * 32)
