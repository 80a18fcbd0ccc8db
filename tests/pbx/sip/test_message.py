"""Requests and responses (RFC 3261 section 7)."""

from __future__ import annotations

import pytest

from pbx.sip.cseq import CSeq, RAck
from pbx.sip.errors import LocalError, PeerError
from pbx.sip.headers import Headers
from pbx.sip.message import Request, Response, response_to
from pbx.sip.parser import parse_message
from pbx.sip.replaces import Replaces
from pbx.sip.uri import SipUri

INVITE = (
    b"INVITE sip:bob@biloxi.example.com;transport=tls SIP/2.0\r\n"
    b"Via: SIP/2.0/TLS client.atlanta.example.com:5061;branch=z9hG4bK74bf9;rport;alias\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "Alice A." <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n'
    b"To: Bob <sip:bob@biloxi.example.com>\r\n"
    b"Call-ID: 3848276298220188511@atlanta.example.com\r\n"
    b"CSeq: 2 INVITE\r\n"
    b'Contact: <sip:alice@client.atlanta.example.com>;+sip.instance="<urn:uuid:0>"\r\n'
    b"Supported: replaces, timer,100rel\r\n"
    b"l: 3\r\n"
    b"\r\n"
    b"v=0"
)


def request(data: bytes = INVITE) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def test_the_routing_fields_of_a_request_are_read() -> None:
    invite = request()

    assert (invite.method, str(invite.uri)) == (
        "INVITE",
        "sip:bob@biloxi.example.com;transport=tls",
    )
    assert (invite.via.transport, invite.via.sent_by) == ("TLS", "client.atlanta.example.com:5061")
    assert invite.via.branch == "z9hG4bK74bf9"
    assert (invite.cseq.number, invite.cseq.method) == (2, "INVITE")
    assert (invite.from_.tag, invite.from_.display) == ("9fxced76sl", "Alice A.")
    assert (invite.to.tag, invite.max_forwards, invite.body) == (None, 70, b"v=0")
    assert invite.supported == ("replaces", "timer", "100rel")
    assert invite.contacts[0].instance == "<urn:uuid:0>"


def test_a_message_is_written_as_it_was_read() -> None:
    assert parse_message(request().encode()) == request()


def test_a_response_copies_the_five_fields_and_adds_a_tag() -> None:
    response = response_to(request(), 180, to_tag="a1")

    assert response.encode() == (
        b"SIP/2.0 180 Ringing\r\n"
        b"Via: SIP/2.0/TLS client.atlanta.example.com:5061;branch=z9hG4bK74bf9;rport;alias\r\n"
        b'From: "Alice A." <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n'
        b"To: Bob <sip:bob@biloxi.example.com>;tag=a1\r\n"
        b"Call-ID: 3848276298220188511@atlanta.example.com\r\n"
        b"CSeq: 2 INVITE\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


def test_a_changed_field_is_read_anew() -> None:
    invite = request()
    assert invite.via.branch == "z9hG4bK74bf9"

    invite.headers.prepend("Via", "SIP/2.0/TLS proxy;branch=z9hG4bK1")

    assert (invite.via.branch, len(invite.vias)) == ("z9hG4bK1", 2)


def options(*fields: tuple[str, str]) -> Request:
    return Request("OPTIONS", "sip:a@b", Headers(*fields))


def test_lists_of_addresses() -> None:
    message = options(
        ("Route", "<sip:one;lr>, <sip:two;lr>"),
        ("Route", "<sip:three;lr>"),
        ("Record-Route", "<sip:four;lr>"),
        ("Path", "<sip:five;lr>"),
    )

    assert [route.uri_text for route in message.routes] == [
        "sip:one;lr",
        "sip:two;lr",
        "sip:three;lr",
    ]
    assert len(message.record_routes) == len(message.addresses("Path")) == 1
    assert options().routes == ()


def test_a_wildcard_contact_is_no_address() -> None:
    assert options(("m", "*")).contacts == ()
    with pytest.raises(PeerError):
        options(("m", "*, <sip:a>")).contacts  # noqa: B018


@pytest.mark.parametrize(
    ("text", "seconds"), [("60", 60), ("soon", None), ("²", None), ("9" * 500, 2**32 - 1)]
)
def test_a_malformed_expires_is_as_absent_and_a_huge_one_is_bounded(
    text: str, seconds: int | None
) -> None:
    assert options(("Expires", text)).expires == seconds
    assert options().expires is None


def test_numbers_are_read_when_asked_for() -> None:
    message = options(("Max-Forwards", "256"), ("RSeq", "9"), ("Min-Expires", "x"))

    assert (message.rseq, options().max_forwards) == (9, None)
    for read in (lambda: message.max_forwards, lambda: message.number("Min-Expires")):
        with pytest.raises(PeerError):
            read()


def test_what_a_body_is() -> None:
    message = options(("c", "Application/SDP ; charset=utf-8"))

    assert message.content_type == "application/sdp"
    assert options().content_type == ""


def test_option_tags_are_folded_and_methods_are_not() -> None:
    message = options(("Require", "100Rel, path"), ("Supported", ""), ("Allow", "INVITE"))

    assert (message.require, message.supported, message.allow) == (
        ("100rel", "path"),
        (),
        ("INVITE",),
    )
    with pytest.raises(PeerError):
        options(("Require", "a b")).require  # noqa: B018


def test_typed_fields_of_extensions() -> None:
    message = options(
        ("o", "dialog;id=1"),
        ("Replaces", "1;to-tag=a;from-tag=b"),
        ("RAck", "1 2 INVITE"),
        ("Reason", "SIP;cause=200, Q.850;cause=16"),
    )

    assert message.event is not None
    assert message.event.package == "dialog"
    assert message.replaces == Replaces("1", "a", "b")
    assert message.rack == RAck(1, CSeq(2, "INVITE"))
    assert [reason.cause for reason in message.reasons] == [200, 16]


def test_what_is_absent_is_none_or_empty() -> None:
    message = options()

    assert message.event is message.replaces is message.rack is None
    assert message.reasons == message.authorizations == ()
    assert message.challenges("WWW-Authenticate") == ()


DIGEST = 'Digest username="a", realm="r", nonce="n", uri="sip:r", response="0"'


def test_all_digest_credentials_are_read_and_other_schemes_passed_over() -> None:
    message = options(
        ("Authorization", "Basic YTpi"),
        ("Authorization", DIGEST),
        ("Authorization", DIGEST + ", algorithm=SHA-256"),
    )

    assert [found.algorithm for found in message.authorizations] == ["MD5", "SHA-256"]


def test_a_challenge_we_cannot_read_hides_no_other() -> None:
    message = options(
        ("WWW-Authenticate", "Negotiate"),
        ("WWW-Authenticate", 'Digest realm="r", nonce="n"'),
    )

    assert [found.realm for found in message.challenges("WWW-Authenticate")] == ["r"]


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_message_of_ours_that_lacks_a_field_says_so(name: str) -> None:
    accessor = {"Via": "via", "From": "from_", "To": "to", "Call-ID": "call_id", "CSeq": "cseq"}

    with pytest.raises(PeerError, match=f"{name}: is present"):
        getattr(options(), accessor[name])


def test_the_request_uri_is_given_as_text_or_value() -> None:
    message = Request("OPTIONS", SipUri(user="a", host="b"))
    assert message.start_line == "OPTIONS sip:a@b SIP/2.0"

    message.uri = SipUri(host="c")

    assert (message.uri_text, message.start_line) == ("sip:c", "OPTIONS sip:c SIP/2.0")


def test_a_tag_is_added_only_to_a_readable_to_without_one() -> None:
    tagged = options(("To", "<sip:a>;tag=1"))
    broken = options(("To", '"A <sip:a>'))

    assert response_to(tagged, 200, to_tag="2").headers.first("To") == "<sip:a>;tag=1"
    assert response_to(broken, 400, to_tag="2").headers.first("To") == '"A <sip:a>'
    with pytest.raises(PeerError):
        response_to(options(("To", "<sip:a>")), 200, to_tag="a;b")


def test_messages_are_equal_by_content() -> None:
    assert options(("To", "a")) == options(("t", "a"))
    assert options() != options(("t", "a"))
    assert options() != "OPTIONS"
    with pytest.raises(TypeError):
        hash(options())


def test_the_representation_shows_no_value() -> None:
    assert (repr(options()), repr(Response(200))) == ("<Request OPTIONS>", "<Response 200>")


def test_what_cannot_be_a_start_line_is_not_written() -> None:
    for message in (
        Request("OPTIONS", "sip:a b"),
        Request("OPTIONS", ""),
        Request("", "sip:a"),
        Response(99),
        Response(700),
    ):
        with pytest.raises(LocalError):
            message.encode()


def test_a_status_without_a_known_phrase_has_none() -> None:
    assert Response(299).start_line == "SIP/2.0 299 "


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\0b", "a\r\nRoute: <sip:x>"])
def test_nothing_with_a_line_end_is_written(bad: str) -> None:
    with pytest.raises(LocalError):
        Request("INVITE", "sip:a@b").headers.add("Subject", bad)
    with pytest.raises(LocalError):
        Request("INVITE", "sip:" + bad).encode()
    with pytest.raises(LocalError):
        Request(bad, "sip:a@b").encode()
    with pytest.raises(LocalError):
        Response(200, bad).encode()
