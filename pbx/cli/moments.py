"""Moments and spans as people write them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from pbx.cli.output import CommandError, Exit
from storage.identifiers import system_clock

SPAN = re.compile(r"\+(\d{1,5})([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

AGO = re.compile(r"(\d{1,5})([mhdw])")
FromOption = Annotated[
    str | None,
    typer.Option("--from", help="2026-12-01, 2026-12-01T08:00, or so long ago: 2h, 30d, 6w."),
]
ToOption = Annotated[
    str | None, typer.Option("--until", help="Before this moment; written like --from.")
]
DayOption = Annotated[
    str | None, typer.Option("--day", help="One day alone, local time: 2026-12-01.")
]
DAY = timedelta(days=1)

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


def past(text: str | None) -> int | None:
    """A moment, or so long ago."""
    if text is None or not (found := AGO.fullmatch(text)):
        return until(text)
    span = timedelta(**{UNITS[found[2]]: int(found[1])})
    return system_clock() - int(span.total_seconds()) * 1_000_000


def span(from_: str | None, to: str | None, day: str | None) -> tuple[int | None, int | None]:
    """From when until when is asked for; a day is as long as its clocks make it."""
    if day is None:
        since, end = past(from_), past(to)
        if since is not None and end is not None and end <= since:
            raise CommandError("The span ends after it begins: --from before --until.", Exit.USAGE)
        return since, end
    if from_ or to:
        raise CommandError("Say --day, or --from and --until.", Exit.USAGE)
    try:
        first = datetime.strptime(day, "%Y-%m-%d")  # noqa: DTZ007 - local time is meant
        following = (first + DAY).astimezone(UTC)
        return int(first.astimezone(UTC).timestamp()) * 1_000_000, int(
            following.timestamp()
        ) * 10**6
    except (ValueError, OverflowError):
        raise CommandError("A day is written 2026-12-31.", Exit.USAGE) from None


def exactly(at: int) -> str:
    """Local time to the second."""
    local = datetime.fromtimestamp(at / 1_000_000, UTC).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S")


def until(text: str | None) -> int | None:
    return None if text is None else moment(text)


def shown(at: int | None) -> str:
    """Local time to the minute."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at / 1_000_000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
