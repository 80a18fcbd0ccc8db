"""Replaces."""

from __future__ import annotations

import pytest

from pbx.sip.errors import LocalError, PeerError
from pbx.sip.replaces import Replaces


@pytest.mark.parametrize(
    ("text", "replaces"),
    [
        ("98732@h;from-tag=r33th4x0r;to-tag=ff87ff", Replaces("98732@h", "ff87ff", "r33th4x0r")),
        ("1;to-tag=a;from-tag=b;early-only", Replaces("1", "a", "b", True)),
    ],
)
def test_a_dialog_to_replace(text: str, replaces: Replaces) -> None:
    assert Replaces.parse(text) == replaces
    assert Replaces.parse(str(replaces)) == replaces


@pytest.mark.parametrize(
    "text",
    ["", ";to-tag=a;from-tag=b", "1;to-tag=a", "1;from-tag=b", "1;to-tag=a;to-tag=b"],
)
def test_a_broken_replaces_is_refused(text: str) -> None:
    with pytest.raises(PeerError, match=r"^Replaces: "):
        Replaces.parse(text)


def test_a_line_end_is_not_written() -> None:
    with pytest.raises(LocalError):
        str(Replaces("1\r\n", "a", "b"))
