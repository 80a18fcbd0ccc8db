"""CSeq and RAck."""

from __future__ import annotations

import pytest

from pbx.sip.cseq import CSeq, RAck
from pbx.sip.errors import PeerError


@pytest.mark.parametrize("text", ["1 INVITE", "0009 \t INVITE", "2147483647 a"])
def test_cseq_is_a_number_and_a_method(text: str) -> None:
    cseq = CSeq.parse(text)

    assert CSeq.parse(str(cseq)) == cseq
    assert cseq.method == text.split()[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "INVITE",
        "1INVITE",
        "1 INV@TE",
        "1 a b",
        "-1 a",
        "² a",
        "2147483648 a",
        "1" * 99 + " a",
    ],
)
def test_a_broken_cseq_is_refused(text: str) -> None:
    with pytest.raises(PeerError, match=r"^CSeq: "):
        CSeq.parse(text)


def test_rack_names_a_response_and_its_request() -> None:
    rack = RAck.parse("776656  1 INVITE")

    assert rack == RAck(776656, CSeq(1, "INVITE"))
    assert str(rack) == "776656 1 INVITE"


@pytest.mark.parametrize("text", ["", "1 INVITE", "1 1", "4294967296 1 a", "1 2147483648 a"])
def test_a_broken_rack_is_refused(text: str) -> None:
    with pytest.raises(PeerError, match=r"^RAck: "):
        RAck.parse(text)
