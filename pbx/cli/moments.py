"""Moments and spans as people write them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from pbx.cli.output import CommandError, Exit
from storage.identifiers import system_clock

SPAN = re.compile(r"\+(\d{1,5})([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

UntilOption = Annotated[
    str | None,
    typer.Option("--until", help="2026-12-31, 2026-12-31T17:00, or from now: +2h, +30d, +6w."),
]


def moment(text: str) -> int:
    """Microseconds since 1970, UTC; a day alone means its first moment, local time."""
    if found := SPAN.fullmatch(text):
        span = timedelta(**{UNITS[found[2]]: int(found[1])})
        return system_clock() + int(span.total_seconds()) * 1_000_000
    try:
        return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        raise CommandError(
            "A moment is written 2026-12-31, 2026-12-31T17:00, or +30d.", Exit.USAGE
        ) from None


def until(text: str | None) -> int | None:
    return None if text is None else moment(text)


def shown(at: int | None) -> str:
    """Local time to the minute."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at / 1_000_000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
