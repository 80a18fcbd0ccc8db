"""Spans of time have one unit."""

import pytest

from pbx.cli.lasting import lasting


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (999_999, "11 d"),
    ],
)
def test_spans_have_one_unit(seconds: int, text: str) -> None:
    assert lasting(seconds) == text
