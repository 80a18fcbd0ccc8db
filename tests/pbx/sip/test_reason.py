"""Reason."""

from __future__ import annotations

import pytest

from pbx.sip.errors import PeerError
from pbx.sip.reason import Reason


def test_a_reason() -> None:
    reason = Reason.parse('Q.850 ;cause=16 ;text="Terminated"')

    assert (reason.protocol, reason.cause, reason.text) == ("Q.850", 16, "Terminated")
    bare = Reason.parse("SIP")
    assert (bare.cause, bare.text) == (None, "")


def test_a_reason_of_ours_reads_back() -> None:
    reason = Reason.sip(200, 'Call completed "elsewhere"')

    assert str(reason) == 'SIP;cause=200;text="Call completed \\"elsewhere\\""'
    assert Reason.parse(str(reason)) == reason
    assert reason.text == 'Call completed "elsewhere"'


def test_a_broken_reason_is_refused() -> None:
    with pytest.raises(PeerError):
        Reason.parse("S P")
    with pytest.raises(PeerError):
        Reason.parse("SIP;cause=1000").cause  # noqa: B018
