"""What the doctor says of stored messages: it finds what opens, and what was left in clear."""

import os
from pathlib import Path

import pytest

from pbx.doctor import messages
from pbx.doctor.finding import Broken, CannotTell
from pbx.paths import Layout
from storage.sealed.file import Codec, Header, Sealer
from storage.sealed.greetings import greeting_key
from tests.support.keyholder import House

KEY = bytes(range(32))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    for directory in (made.credentials, made.message_spool, made.keys):
        directory.mkdir(parents=True)
    (made.credentials / "greetings.key").write_bytes(KEY)
    return made


def sealed(layout: Layout, key: bytes) -> Path:
    content = os.urandom(16)
    header = Header.new(content, Codec.PCMU, 1)
    own = greeting_key(KEY, content) if key == b"greeting" else key
    sealer = Sealer(bytearray(own), header)
    data = sealer.head + sealer.segment(bytearray(b"\xff" * 8000), 1000, last=True)
    path = layout.message_spool / f"{content.hex()}.sealed"
    path.write_bytes(data)
    return path


def test_a_message_under_a_key_of_its_own_and_a_greeting_hold(layout: Layout) -> None:
    sealed(layout, os.urandom(32))
    sealed(layout, b"greeting")

    said = messages.opened_by_nothing(layout)

    assert said == "1 messages and 1 greetings, 1 keys tried"


def test_a_message_that_opens_with_our_key_is_found(layout: Layout) -> None:
    sealed(layout, KEY)

    with pytest.raises(Broken, match="opens with a key"):
        messages.opened_by_nothing(layout)


def test_sound_in_clear_is_found(layout: Layout) -> None:
    (layout.message_spool / f"{bytes(16).hex()}.sealed").write_bytes(b"RIFF....WAVEfmt ")

    with pytest.raises(Broken, match="in clear"):
        messages.opened_by_nothing(layout)


def test_without_keys_nothing_can_be_told(tmp_path: Path) -> None:
    made = Layout(tmp_path)
    made.credentials.mkdir()

    with pytest.raises(CannotTell):
        messages.opened_by_nothing(made)


def test_a_key_store_that_can_be_listed_is_broken(layout: Layout) -> None:
    with pytest.raises(Broken, match="can be listed"):
        messages.kept_out(layout.keys)


def test_a_key_holder_that_does_not_answer_cannot_be_guessed_at(layout: Layout) -> None:
    house = House(layout.root / "house")
    assert house.pin is not None
    house.pin.write(layout.keyholder_pin)
    house.close()

    with pytest.raises(CannotTell, match="does not answer"):
        messages.guesses_refused(layout)
