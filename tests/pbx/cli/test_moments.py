"""Moments and spans as people write them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pbx.cli.moments import exactly, past, span
from pbx.cli.output import CommandError
from storage.identifiers import system_clock

HOUR = 3_600_000_000


@pytest.fixture(autouse=True)
def vienna() -> Iterator[None]:
    """A place whose clocks change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Europe/Vienna")
        time.tzset()
        yield
    time.tzset()


def at(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type]  # year, month, day, hour


def test_a_day_is_as_long_as_its_clocks_make_it() -> None:
    assert span(None, None, "2026-06-01") == (at(2026, 5, 31, 22), at(2026, 6, 1, 22))
    first, following = span(None, None, "2026-10-25")
    assert first is not None
    assert following is not None
    assert following - first == 25 * HOUR


def test_so_long_ago_is_counted_from_now() -> None:
    before = system_clock() - 2 * HOUR

    found = past("2h")

    assert found is not None
    assert abs(found - before) < 60_000_000
    assert past(None) is None
    assert past("2026-06-01T10:00") == at(2026, 6, 1, 8)


@pytest.mark.parametrize(
    "asked",
    [("2d", None, "2026-06-01"), (None, "2d", "2026-06-01"), (None, None, "1 June"),
     ("yesterday", None, None)],
)  # fmt: skip
def test_what_is_no_span_is_said_in_one_sentence(asked: tuple[str | None, ...]) -> None:
    with pytest.raises(CommandError, match=r"\.$"):
        span(*asked)


def test_a_moment_is_shown_to_the_second() -> None:
    assert exactly(at(2026, 6, 1, 8)) == "2026-06-01 10:00:00"
