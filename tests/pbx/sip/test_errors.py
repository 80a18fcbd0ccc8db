"""Whose fault it is."""

from __future__ import annotations

from pbx.sip.errors import LocalError, PeerError, SipError


def test_an_error_of_the_peer_says_field_rule_and_status() -> None:
    error = PeerError("CSeq", "is a number and a method", 400)

    assert isinstance(error, SipError)
    assert str(error) == "CSeq: is a number and a method"
    assert (error.header, error.rule, error.status) == ("CSeq", "is a number and a method", 400)
    assert error.request is None


def test_an_error_of_ours_says_field_and_rule() -> None:
    error = LocalError("To", "is a token")

    assert isinstance(error, SipError)
    assert (str(error), error.header, error.rule) == ("To: is a token", "To", "is a token")
