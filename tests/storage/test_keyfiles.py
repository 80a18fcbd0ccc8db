"""Key files: made once, private, 32 bytes, and named without a byte of them in errors."""

from pathlib import Path

import pytest

from storage import keyfiles
from storage.keyfiles import DEVICE_AUTH, GREETINGS, SNAPSHOT, KeyFileError


def test_a_key_is_random_private_and_read_as_it_was_made(tmp_path: Path) -> None:
    keyfiles.create(tmp_path, DEVICE_AUTH)
    keyfiles.create(tmp_path, SNAPSHOT)

    key = keyfiles.load(tmp_path, DEVICE_AUTH)

    assert len(key) == 32
    assert key == keyfiles.load(tmp_path, DEVICE_AUTH)
    assert key != keyfiles.load(tmp_path, SNAPSHOT)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_an_existing_key_is_never_written_over(tmp_path: Path) -> None:
    keyfiles.create(tmp_path, SNAPSHOT)
    before = keyfiles.load(tmp_path, SNAPSHOT)

    with pytest.raises(FileExistsError):
        keyfiles.create(tmp_path, SNAPSHOT)

    assert keyfiles.load(tmp_path, SNAPSHOT) == before


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"^device-auth\.key: missing or not readable$"):
        keyfiles.load(tmp_path, DEVICE_AUTH)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / DEVICE_AUTH).write_bytes(b"x" * length)

    with pytest.raises(KeyFileError, match=r"^device-auth\.key: exactly 32 bytes$"):
        keyfiles.load(tmp_path, DEVICE_AUTH)


def test_a_key_that_an_older_directory_lacks_is_made_once_and_kept(tmp_path: Path) -> None:
    made, is_new = keyfiles.load_or_create(tmp_path, GREETINGS)

    assert is_new
    assert (tmp_path / GREETINGS).stat().st_mode & 0o777 == 0o600
    assert keyfiles.load_or_create(tmp_path, GREETINGS) == (made, False)


def test_a_damaged_key_is_never_taken_for_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / GREETINGS).write_bytes(b"short")

    with pytest.raises(KeyFileError, match="exactly 32 bytes"):
        keyfiles.load_or_create(tmp_path, GREETINGS)


def test_a_key_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"greetings\.key: missing, and cannot be made"):
        keyfiles.load_or_create(tmp_path / "nowhere", GREETINGS)
