"""The directory key is made once, private, and never by accident again."""

from pathlib import Path
from uuid import UUID

import pytest

from storage import directory
from storage.keyfiles import KeyFileError
from storage.sealed.fields import Cell


def test_a_key_is_made_private_and_opens_what_it_sealed(tmp_path: Path) -> None:
    directory.create(tmp_path)
    cell = Cell("person", "name", UUID(int=1))

    sealed = directory.load(tmp_path).seal("Anna", cell)

    assert directory.load(tmp_path).open(sealed, cell) == "Anna"
    assert (tmp_path / directory.DIRECTORY_KEY).stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    directory.create(tmp_path)

    with pytest.raises(FileExistsError):
        directory.create(tmp_path)


def test_no_key_and_a_short_key_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="missing"):
        directory.load(tmp_path)
    (tmp_path / directory.DIRECTORY_KEY).write_bytes(b"short")
    with pytest.raises(KeyFileError, match="32 bytes"):
        directory.load(tmp_path)
