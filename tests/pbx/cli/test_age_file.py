"""Exports open with age's own tools: here with pyrage, by key and by passphrase."""

import pyrage
import pytest

from pbx.cli import age_file
from pbx.cli.output import CommandError


def test_a_recipient_opens_it_and_nobody_else() -> None:
    identity, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()

    sealed = age_file.to_recipient(
        age_file.recipient(str(identity.to_public())), iter([b"RIFF", b"sound"])
    )

    assert sealed.startswith(b"age-encryption.org/v1")
    assert pyrage.decrypt(sealed, [identity]) == b"RIFFsound"
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [other])


def test_a_passphrase_opens_it() -> None:
    sealed = age_file.to_passphrase(bytearray(b"a long passphrase"), iter([b"sound"]))

    assert pyrage.passphrase.decrypt(sealed, "a long passphrase") == b"sound"


def test_what_is_no_recipient_is_refused_in_one_sentence() -> None:
    with pytest.raises(CommandError, match="age1"):
        age_file.recipient("age1nonsense")
