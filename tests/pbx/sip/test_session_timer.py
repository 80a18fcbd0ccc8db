"""Session-Expires and Min-SE."""

from __future__ import annotations

import pytest

from pbx.sip.errors import PeerError
from pbx.sip.session_timer import SessionExpires, parse_min_se


def test_a_session_interval_and_its_refresher() -> None:
    timer = SessionExpires.parse("1800;refresher=UAS")

    assert (timer.seconds, timer.refresher, str(timer)) == (1800, "uas", "1800;refresher=UAS")
    assert SessionExpires.parse("90").refresher is None


@pytest.mark.parametrize("text", ["", "x", "90;refresher", "90;refresher=both", "4294967296"])
def test_a_broken_session_interval_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        SessionExpires.parse(text)


def test_min_se() -> None:
    assert parse_min_se("90;x=y") == 90
    with pytest.raises(PeerError):
        parse_min_se("soon")
