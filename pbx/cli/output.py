"""How every command speaks: tables or JSON on standard output, one sentence on standard error."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pbx.cli import tables
from pbx.cli.failures import CommandError as CommandError
from pbx.cli.remote import remote
from pbx.exits import Exit as Exit
from pbx.paths import Layout, default_root

PIPED_WIDTH: Final = 4_000
"""Wide enough that no cell is folded where a program reads."""


def layout_of(data: Path | None) -> Layout:
    return Layout((data or default_root()).absolute())


def initialised(data: Path | None) -> Layout:
    """The layout of an installation that exists; else says which command makes one.

    Of an exchange elsewhere there is the operator's directory, with the key holder's pin."""
    if (elsewhere := remote.get()) is not None:
        return Layout(elsewhere.identity.absolute())
    layout = layout_of(data)
    try:
        if layout.is_initialised:
            return layout
        half = layout.unfinished.exists()
    except OSError as error:
        raise CommandError(f"{layout.root}: {error.strerror}.", Exit.REFUSED) from None
    option = "" if data is None and layout.root == default_root() else f" --data {layout.root}"
    if half:
        sentence = f"An earlier init of {layout.root} did not finish; run it again: "
    else:
        sentence = f"There is no installation in {layout.root}; make one with: "
    raise CommandError(f"{sentence}pbx init{option}", Exit.USAGE)


DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data", envvar="PBX_DATA", help="The data directory.", show_default="see `pbx --help`"
    ),
]
DomainOption = Annotated[
    str, typer.Option("--domain", help="The SIP domain: what stands after the @ of every phone.")
]
AddressOption = Annotated[
    list[str] | None,
    typer.Option("--ip", help="An address phones connect to; repeat it. Default: this machine's."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")]


def say(*lines: str) -> None:
    """Plain lines for a person; no markup is interpreted."""
    for line in lines:
        sys.stdout.write(f"{line}\n")


def say_words(label: str, words: Iterable[str]) -> None:
    """A list of words behind its label, on as many lines as the terminal needs."""
    text = label + (", ".join(words) or "none")
    if sys.stdout.isatty():
        width = Console(file=sys.stdout).width
        text = fill(text, width, subsequent_indent=" " * len(label), break_on_hyphens=False)
    say(text)


def warn(sentence: str) -> None:
    sys.stderr.write(f"pbx: {printable(sentence)}\n")


def printable(text: str) -> str:
    """No escape sequence of a peer's or a file's reaches the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def as_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def as_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None
) -> None:
    """A table that fits the terminal, or on lines of any length for programs; never markup."""
    cells = [tuple(printable("" if cell is None else str(cell)) for cell in row) for row in rows]
    if sys.stdout.isatty():
        console = Console(file=sys.stdout)
        shown = tables.lines(columns, cells, console.width)
        if title:
            console.print(Text(title, style="italic"))
        for number, line in enumerate(shown):
            is_head = number == 0 and any(columns)
            console.print(Text(line, style="bold" if is_head else ""), soft_wrap=True)
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    Console(file=sys.stdout, width=PIPED_WIDTH).print(table)


def confirm(question: str, *, yes: bool) -> None:
    """Asks before what cannot be undone; without a terminal only `--yes` goes on."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Say --yes to go on without a terminal.", Exit.REFUSED)
    if not typer.confirm(question):
        raise CommandError("Nothing was changed.", Exit.REFUSED)
