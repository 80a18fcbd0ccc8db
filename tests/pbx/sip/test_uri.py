"""SIP, SIPS and tel URIs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.errors import LocalError, PeerError
from pbx.sip.uri import LONGEST, OtherUri, SipUri, TelUri, Uri, parse_uri, unescape

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
SIP_URIS = st.builds(
    SipUri,
    scheme=st.sampled_from(["sip", "sips"]),
    user=TEXTS,
    password=st.none() | TEXTS,
    host=st.sampled_from(["b", "192.0.2.1", "[2001:db8::1]"]),
    port=st.none() | st.integers(1, 65535),
    parameters=st.dictionaries(
        TEXTS.filter(lambda text: text == text.lower()), st.none() | TEXTS, max_size=3
    ),
    headers=st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
)


# RFC 3261 section 19.1.3
@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:alice@atlanta.com", SipUri(user="alice", host="atlanta.com")),
        (
            "sip:alice:secretword@atlanta.com;transport=tcp",
            SipUri(
                user="alice",
                password="secretword",
                host="atlanta.com",
                parameters={"transport": "tcp"},
            ),
        ),
        (
            "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
            SipUri(
                scheme="sips",
                user="alice",
                host="atlanta.com",
                headers=(("subject", "project x"), ("priority", "urgent")),
            ),
        ),
        (
            "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            SipUri(
                user="+1-212-555-1212",
                password="1234",
                host="gateway.com",
                parameters={"user": "phone"},
            ),
        ),
        ("sip:alice@192.0.2.4", SipUri(user="alice", host="192.0.2.4")),
        (
            "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
            SipUri(
                host="atlanta.com",
                parameters={"method": "REGISTER"},
                headers=(("to", "alice@atlanta.com"),),
            ),
        ),
        ("sip:alice;day=tuesday@atlanta.com", SipUri(user="alice;day=tuesday", host="atlanta.com")),
        ("SIP:a@B:5061;LR", SipUri(user="a", host="b", port=5061, parameters={"lr": None})),
        ("sip:*43@b", SipUri(user="*43", host="b")),
        ("sip:%23%34@b", SipUri(user="#4", host="b")),
        ("sip:#4@b", SipUri(user="#4", host="b")),
        ("sip:a:@b", SipUri(user="a", password="", host="b")),
        ("sip:b?x=", SipUri(host="b", headers=(("x", ""),))),
    ],
)
def test_a_sip_uri(text: str, uri: SipUri) -> None:
    assert parse_uri(text) == uri
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@b",
        "sip:a@",
        "sip:a@@b",
        "sip:a b@c",
        "sip:a%4@b",
        "sip:a%ff@b",
        "sip:a@b:",
        "sip:a@b:0",
        "sip:a@b:99999",
        "sip:a@b;",
        "sip:a@b;x;X",
        "sip:a@b;x=%FF",
        "sip:a@b?x",
        "sip:a@b?=x",
        "sip:2001:db8::1",
        "sip:a@[::g]",
        "sip:a@b..c",
        "tel:",
        "tel:xyz",
        "tel:+",
        "tel:+-",
        "tel:(.);phone-context=a",
        "nothing",
        "1a:b",
        "mailto:<a>",
        "sip:a\r\n@b",
    ],
)
def test_a_broken_uri_is_refused(text: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_uri(text)
    assert caught.value.status == 400


def test_a_long_uri_is_414() -> None:
    with pytest.raises(PeerError) as caught:
        parse_uri("sip:" + "a" * LONGEST)
    assert caught.value.status == 414


@given(SIP_URIS)
def test_a_sip_uri_reads_as_it_was_written(uri: SipUri) -> None:
    assert parse_uri(str(uri)) == uri


@given(SIP_URIS)
def test_a_sip_uri_matches_itself(uri: SipUri) -> None:
    assert uri.matches(parse_uri(str(uri)))


def test_the_parts_people_ask_for() -> None:
    uri = parse_uri("sips:a:p@b:5061;transport=TLS;lr?x=y")

    assert isinstance(uri, SipUri)
    assert (uri.aor, uri.transport) == ("sips:a@b", "tls")
    bare = SipUri(host="b")
    assert (bare.aor, bare.transport) == ("sip:b", None)


# RFC 3261 section 19.1.4
EQUAL = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    ("tel:+1-201-555-0123", "TEL:+12015550123"),
    ("tel:7042;phone-context=example.com", "tel:70-42;phone-context=EXAMPLE.com"),
    ("urn:a:b", "urn:a:b"),
]
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ("sip:a@b;user=phone", "sip:a@b"),
    ("sip:a@b", "sips:a@b"),
    ("sip:a@b", "tel:+1"),
    ("tel:+1", "sip:a@b"),
    ("tel:+1", "tel:+2"),
    ("tel:+1", "tel:+1;ext=2"),
    ("tel:+1;ext=1", "tel:+1;ext=2"),
    ("urn:a:b", "urn:a:c"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_uris_match_both_ways(one: str, other: str) -> None:
    assert parse_uri(one).matches(parse_uri(other))
    assert parse_uri(other).matches(parse_uri(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_uris_do_not_match(one: str, other: str) -> None:
    assert not parse_uri(one).matches(parse_uri(other))
    assert not parse_uri(other).matches(parse_uri(one))


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("tel:+1-201-555-0123", TelUri(number="+1-201-555-0123")),
        (
            "tel:7042;phone-context=example.com",
            TelUri(number="7042", parameters={"phone-context": "example.com"}),
        ),
        ("tel:911", TelUri(number="911")),
        ("tel:*2f;phone-context=+1", TelUri(number="*2f", parameters={"phone-context": "+1"})),
        ("nobody:opaque", OtherUri(scheme="nobody", rest="opaque")),
        ("http://www.example.com/a?b#c", OtherUri(scheme="http", rest="//www.example.com/a?b#c")),
    ],
)
def test_other_schemes(text: str, uri: Uri) -> None:
    assert parse_uri(text) == uri
    assert str(uri) == text


def test_the_digits_of_a_tel_uri_have_no_separators() -> None:
    assert TelUri(number="+1 (201) 555-0123.a").digits.startswith("+1")
    assert TelUri(number="+1-(201).555").digits == "+1201555"


@pytest.mark.parametrize("bad", ["a\r\nb", "a\0b", "a\nb"])
def test_a_line_end_is_escaped_or_refused_never_written(bad: str) -> None:
    escaped = str(SipUri(user=bad, password=bad, host="h", parameters={bad: bad}))
    assert not set("\r\n\0") & set(escaped)
    for uri in (SipUri(host=bad), TelUri(number=bad), OtherUri(scheme="x", rest=bad)):
        with pytest.raises(LocalError):
            str(uri)


def test_text_without_escapes_is_not_changed() -> None:
    assert unescape("a+b") == "a+b"
