"""Tables for spreadsheets (RFC 4180), in which no cell is a formula."""

import csv
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

STARTS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What spreadsheets take for the beginning of one, if it is the first character of a cell."""


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, heading: bool = True) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    if heading:
        writer.writerow(columns)
    for row in rows:
        writer.writerow([inert(cell) for cell in row])


def inert(cell: Any) -> str:
    """The cell as text that stays text: an apostrophe goes before what would be calculated."""
    text = "" if cell is None else str(cell).replace("\x00", "")
    return f"'{text}" if text.startswith(STARTS_FORMULA) else text
