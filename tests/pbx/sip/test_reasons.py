"""Reason phrases."""

from __future__ import annotations

from pbx.sip.reasons import REASONS


def test_every_status_is_in_range_and_has_a_phrase() -> None:
    assert all(100 <= status <= 699 and phrase.isascii() for status, phrase in REASONS.items())
    assert REASONS[488] == "Not Acceptable Here"
