"""Requests and responses (RFC 3261 section 7)."""

from __future__ import annotations

import pytest

from pbx.sip.errors import LocalError
from pbx.sip.message import Request, Response, response_to
from pbx.sip.parser import parse_message

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
    assert (invite.via.branch, invite.via.is_alias) == ("z9hG4bK74bf9", True)
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
