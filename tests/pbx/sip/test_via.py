"""Via."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.errors import PeerError
from pbx.sip.via import MAGIC, Via

TOKENS = st.text("abcABC019-.!%*_+`'~", min_size=1, max_size=20)
VIAS = st.builds(
    Via,
    transport=st.sampled_from(["TLS", "WSS", "TCP", "UNKNOWN"]),
    host=st.sampled_from(["h", "192.0.2.1", "[2001:db8::1]", "a.example"]),
    port=st.none() | st.integers(1, 65535),
    parameters=st.dictionaries(TOKENS.map(str.lower), st.none() | TOKENS, max_size=5),
)


def test_the_fields_of_a_hop() -> None:
    via = Via.parse("SIP/2.0/tls Host:5061;branch=z9hG4bK1;received=192.0.2.1;rport=40000;alias")

    assert (via.transport, via.host, via.port, via.sent_by) == ("TLS", "host", 5061, "host:5061")
    assert via.branch is not None
    assert via.branch.startswith(MAGIC)
    assert (via.received, via.rport, via.wants_rport) == ("192.0.2.1", 40000, True)


def test_what_is_absent_is_none() -> None:
    via = Via.parse("SIP/2.0/TLS host;rport")

    assert (via.sent_by, via.branch, via.received, via.rport) == ("host", None, None, None)
    assert via.wants_rport


@given(VIAS)
def test_a_hop_reads_as_it_was_written(via: Via) -> None:
    assert Via.parse(str(via)) == via


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/TLS",
        "SIP/3.0/TLS h",
        "HTTP/2.0/TLS h",
        "SIP/2.0/T@S h",
        "SIP/2.0/TLS h:",
        "SIP/2.0/TLS h:0",
        "SIP/2.0/TLS h;branch=a;Branch=b",
        "SIP/2.0/TLS ::1",
        "SIP/2.0/TLS h h",
        "SIP/2.0/TLS h;;",
        "SIP/2.0/TLS h\x0b;a",
    ],
)
def test_a_broken_hop_is_refused(text: str) -> None:
    with pytest.raises(PeerError, match=r"^Via: "):
        Via.parse(text)


def test_a_broken_rport_is_refused_when_it_is_read() -> None:
    with pytest.raises(PeerError):
        Via.parse("SIP/2.0/TLS h;rport=70000").rport  # noqa: B018
