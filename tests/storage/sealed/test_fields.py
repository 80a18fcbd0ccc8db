"""storage/sealed/fields.py"""

from uuid import UUID

import pytest

from storage.sealed.fields import Cell, FieldKey, normalised
from storage.sealed.primitives import OpenError

HERE = Cell("people", "name", UUID(int=1))
KEY = FieldKey(b"k" * 32, "directory")


def test_a_field_opens_where_it_was_sealed() -> None:
    assert KEY.open(KEY.seal("Ann Lee", HERE), HERE) == "Ann Lee"


@pytest.mark.parametrize(
    "elsewhere",
    [
        Cell("devices", "name", UUID(int=1)),
        Cell("people", "login", UUID(int=1)),
        Cell("people", "name", UUID(int=2)),
        Cell("peopl", "ename", UUID(int=1)),
    ],
)
def test_a_field_moved_to_another_cell_does_not_open(elsewhere: Cell) -> None:
    sealed = KEY.seal("Ann Lee", HERE)

    with pytest.raises(OpenError):
        KEY.open(sealed, elsewhere)


def test_a_key_of_another_purpose_opens_nothing() -> None:
    with pytest.raises(OpenError):
        FieldKey(b"k" * 32, "greetings").open(KEY.seal("Ann Lee", HERE), HERE)


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(OpenError, match="version"):
        KEY.open(b"\2" + KEY.seal("Ann Lee", HERE)[1:], HERE)


def test_sealing_twice_gives_different_bytes_and_one_index() -> None:
    assert KEY.seal("Ann", HERE) != KEY.seal("Ann", HERE)
    assert KEY.index(" ANN ", "people", "name") == KEY.index("ann", "people", "name")
    assert KEY.index("ann", "people", "name") != KEY.index("ann", "people", "login")
    assert KEY.index("ann", "people", "name") != KEY.index("anne", "people", "name")
    assert normalised(" \uff21nn") == "ann"
