"""What a spreadsheet gets is text, whatever was typed into the exchange."""

import csv
import io
from typing import Any

import pytest

from pbx.cli.comma_separated import as_csv, inert


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(start: str) -> None:
    assert inert(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"


def test_other_cells_are_as_they_were() -> None:
    assert [inert(cell) for cell in ("anna", 7, None, "a-b", "x\x00")] == [
        "anna", "7", "", "a-b", "x",
    ]  # fmt: skip


def test_quotes_commas_and_lines_stay_in_their_cell(capsys: Any) -> None:
    rows = [('a "b", c', "two\nlines"), ("=1+1", "")]

    as_csv(("ONE", "TWO"), rows)

    read = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))
    assert read == [["ONE", "TWO"], ['a "b", c', "two\nlines"], ["'=1+1", ""]]
