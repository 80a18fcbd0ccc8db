"""`pbx audit move-off`: months of the ledger that are old leave the table for files."""

import asyncio
import re
from pathlib import Path
from typing import Annotated, Final

import typer

from pbx.cli.local_ledger import record
from pbx.cli.local_store import LocalStore, failures_as_sentences
from pbx.cli.output import (
    CommandError,
    DataOption,
    Exit,
    JsonOption,
    YesOption,
    as_json,
    confirm,
    say,
)
from storage.database import Database
from storage.identifiers import system_clock
from storage.ledger import months
from storage.ledger.actions import Action
from storage.ledger.segments import Segment, file_of, move_off, staying

YEARS: Final = 6
"""45 CFR 164.316(b)(2)(i): so long what documents an action is kept. Moved off, it still is."""
MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


def move_months_off(
    directory: Annotated[
        Path, typer.Argument(help="Where the files are to be: a directory, best on other storage.")
    ],
    before: Annotated[
        str | None,
        typer.Option("--before", help="Months before this one: 2026-01. Default: six years ago."),
    ] = None,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Move months of the ledger that are over and signed into files, and out of the table.

    Nothing is lost to verification: `pbx audit verify --segments DIRECTORY` walks them as well.
    Searches do not find them any more. Each month is a row of its own before it goes.
    Example: pbx audit move-off /mnt/archive --before 2026-01
    """
    store = LocalStore.of(data)
    first = _month(before)
    if not directory.is_dir():
        raise CommandError(f"{directory}: no directory.", Exit.USAGE)
    with failures_as_sentences():
        old = [one for one in asyncio.run(_staying(store)) if one.month < first]
    if old:
        rows = sum(one.last - one.first + 1 for one in old)
        confirm(f"{len(old)} months with {rows} rows leave the ledger for {directory}. Go on?",
                yes=yes)  # fmt: skip
    moved = [_move(store, one, directory) for one in old]
    if json:
        as_json({"before": _shown(first), "files": [str(path) for path in moved]})
        return
    say(*(str(path) for path in moved))
    if not moved:
        say(f"No month before {_shown(first)} is over, and still here.")
        return
    say(f"Keep them for {YEARS} years from their last row; to verify them:")
    say(f"  pbx audit verify --segments {directory}")


def _move(store: LocalStore, segment: Segment, directory: Path) -> Path:
    path = file_of(directory, segment)
    if path.exists():
        raise CommandError(
            f"{path}: exists already, perhaps of an attempt that was cut short; look at it, "
            "and move it away.", Exit.REFUSED,
        )  # fmt: skip
    after = {"writer": segment.writer, "month": segment.month,
             "first": segment.first, "last": segment.last}  # fmt: skip
    record(store, Action.AUDIT_MOVED_OFF, "ledger", after)
    try:
        with failures_as_sentences():
            return move_off(store.owner, segment, directory, system_clock)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}.", Exit.UNAVAILABLE) from None


async def _staying(store: LocalStore) -> list[Segment]:
    database = Database.connect(store.service)
    try:
        await database.check()
        async with database.read() as connection:
            return await staying(connection)
    finally:
        await database.close()


def _month(text: str | None) -> int:
    """The first month that stays."""
    if text is None:
        month = months.month_of(system_clock())
        return month - YEARS * 100
    if not (found := MONTH.fullmatch(text)):
        raise CommandError("A month is written 2026-01.", Exit.USAGE)
    if (month := int(found[1]) * 100 + int(found[2])) > months.month_of(system_clock()):
        raise CommandError("--before: is no month of the future.", Exit.USAGE)
    return month


def _shown(month: int) -> str:
    return f"{month // 100}-{month % 100:02}"
