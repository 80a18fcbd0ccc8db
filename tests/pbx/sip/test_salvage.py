"""What of a broken request can still be answered."""

from __future__ import annotations

import pytest

from pbx.sip.salvage import salvage

VIA = "Via: SIP/2.0/TLS h;branch=z9hG4bK1"


def test_the_five_fields_are_kept_and_nothing_else() -> None:
    lines = [
        "REGISTER x",
        VIA,
        "v: two",
        "f: <sip:a>",
        "From: again",
        "T:",
        "Subject: s",
        "bad line",
    ]

    request = salvage("\r\n".join([*lines, "CSeq: 1\r\n REGISTER", "i : \0c\rd\n"]))

    assert request is not None
    assert list(request.headers) == [
        ("Via", "SIP/2.0/TLS h;branch=z9hG4bK1"),
        ("Via", "two"),
        ("From", "<sip:a>"),
        ("To", ""),
        ("CSeq", "1 REGISTER"),
        ("Call-ID", "cd"),
    ]


@pytest.mark.parametrize(
    "head",
    [
        "",
        f"ACK sip:a x\r\n{VIA}",
        f"SIP/2.0 200 OK\r\n{VIA}",
        "INVITE sip:a x\r\nTo: b",
    ],
)
def test_responses_acks_and_requests_without_via_are_not_answered(head: str) -> None:
    assert salvage(head) is None
