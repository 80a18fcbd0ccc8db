"""Header field names."""

from __future__ import annotations

import pytest

from pbx.sip.errors import PeerError
from pbx.sip.names import COMPACT, KNOWN, SINGULAR, canonical


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Via", "Via"),
        ("VIA", "Via"),
        ("v", "Via"),
        ("V", "Via"),
        ("call-id", "Call-ID"),
        ("www-AUTHENTICATE", "WWW-Authenticate"),
        ("X-Clinic", "x-clinic"),
        ("x-clinic", "x-clinic"),
    ],
)
def test_names_are_compared_without_case_and_compact_forms_are_long(name: str, key: str) -> None:
    assert canonical(name) == key


@pytest.mark.parametrize("name", ["", " ", "a b", "a:", "é", "a\r\nb", "(x)"])
def test_a_name_is_a_token(name: str) -> None:
    with pytest.raises(PeerError):
        canonical(name)


def test_every_compact_form_stands_for_a_known_name() -> None:
    assert all(KNOWN[long] == long for long in COMPACT.values())


def test_the_fields_that_lists_may_split_are_not_singular() -> None:
    assert not SINGULAR & {"Via", "Route", "Record-Route", "Contact", "Authorization", "Require"}
    assert {"Call-ID", "CSeq", "From", "To", "Max-Forwards", "Content-Length"} <= SINGULAR
