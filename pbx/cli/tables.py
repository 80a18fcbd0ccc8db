"""A table on a terminal: no word is broken, and what has no room beside stands below its row.

Prose gives way first, down to its longest word; then the widest column, an identifier mostly, goes
to a line of its own under each row, where it can be copied whole.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

GAP: Final = 2
INDENT: Final = 4
PROSE: Final = 24
"""A cell longer than this, of several words, may be wrapped."""
LEAST: Final = 14
"""Columns that prose keeps, if it has as much to say; what is narrower stays in its row."""
IDENTIFIER: Final = re.compile(r"[0-9a-f-]{32,}")


@dataclass(frozen=True, slots=True)
class Column:
    width: int
    """Of its longest line."""
    least: int
    """What it can be wrapped to without breaking a word."""
    is_identifier: bool
    """Even as the first column, by which rows are found, it may stand below."""


@dataclass(frozen=True, slots=True)
class Laid:
    """Which columns stand beside each other, how wide, and which below."""

    beside: dict[int, int]
    below: tuple[int, ...]


def lines(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """The header, then the rows."""
    laid = laid_out(columns, rows, width)
    if any(columns):
        yield from _beside(columns, laid)
    for row in rows:
        yield from _beside(row, laid)
        for place in laid.below:
            if row[place]:
                yield from _below(f"{columns[place]} {row[place]}".strip(), width)


def laid_out(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Laid:
    found = {
        place: _column(title, [row[place] for row in rows]) for place, title in enumerate(columns)
    }
    below: list[int] = []
    while True:
        room = width - GAP * (len(found) - 1)
        wide = {
            place: (column.least, column.width)
            for place, column in found.items()
            if (column.is_identifier if place == 0 else column.least >= LEAST)
        }
        if sum(column.least for column in found.values()) <= room or not wide or len(found) == 1:
            return Laid(_shared(found, room), tuple(sorted(below)))
        widest = max(wide, key=lambda place: wide[place])
        del found[widest]
        below.append(widest)


def _column(title: str, cells: Sequence[str]) -> Column:
    told = [line for cell in cells for line in cell.splitlines()]
    width = max(len(title), *map(len, told), 0)
    if not any(len(line) > PROSE and " " in line for line in told):
        return Column(width, width, bool(told) and all(map(IDENTIFIER.fullmatch, told)))
    word = max(len(word) for line in told for word in line.split(" "))
    return Column(width, max(len(title), word, min(width, LEAST)), False)


def _shared(found: dict[int, Column], room: int) -> dict[int, int]:
    """Whoever has most to give gives first; where nobody has, words are broken after all."""
    widths = {place: column.width for place, column in found.items()}
    while sum(widths.values()) > room:
        giving = [place for place in widths if widths[place] > found[place].least] or [
            place for place in widths if widths[place] > 1
        ]
        if not giving:
            break
        widths[max(giving, key=lambda place: widths[place])] -= 1
    return widths


def _beside(row: Sequence[str], laid: Laid) -> Iterator[str]:
    wrapped = {place: _wrapped(row[place], width) for place, width in laid.beside.items()}
    for number in range(max(map(len, wrapped.values()), default=0)):
        cells = (
            (told[number] if number < len(told) else "").ljust(laid.beside[place])
            for place, told in wrapped.items()
        )
        yield (" " * GAP).join(cells).rstrip()


def _wrapped(cell: str, width: int) -> list[str]:
    return [
        part
        for line in cell.splitlines()
        for part in wrap(line, width, break_on_hyphens=False) or [""]
    ] or [""]


def _below(text: str, width: int) -> Iterator[str]:
    for line in wrap(text, max(width - INDENT, 1), break_on_hyphens=False):
        yield " " * INDENT + line
