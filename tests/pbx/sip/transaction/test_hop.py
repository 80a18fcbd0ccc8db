"""ACK of a failure (RFC 3261 §17.1.1.3) and CANCEL (§9.1)."""

from pbx.sip.parser import parse_message
from pbx.sip.transaction.hop import acknowledgement, cancellation
from tests.support.transactions import make_request, make_response


def test_the_ack_has_the_response_to_and_the_invite_rest():
    ack = parse_message(
        acknowledgement(make_request("INVITE"), make_response("INVITE", 486)).encode()
    )
    assert ack.start_line == "ACK sip:1002@clinic.example SIP/2.0"
    assert list(ack.headers)[:-1] == [
        ("Via", "SIP/2.0/TLS 192.0.2.1:50000;branch=z9hG4bKinvite"),
        ("Max-Forwards", "70"),
        ("From", "<sip:1001@clinic.example>;tag=alice1"),
        ("To", "<sip:1002@clinic.example>;tag=bob1"),
        ("Call-ID", "call-1"),
        ("Route", "<sip:edge.example;lr>"),
        ("CSeq", "1 ACK"),
    ]


def test_the_cancel_has_the_invite_to_even_when_a_tag_is_known():
    cancel = parse_message(cancellation(make_request("INVITE")).encode())
    assert (cancel.method, cancel.to.tag, cancel.cseq.number) == ("CANCEL", None, 1)
    assert cancel.via.branch == "z9hG4bKinvite"
    assert "Reason" not in cancel.headers


def test_the_cancel_says_why():
    reason = 'SIP;cause=200;text="Call completed elsewhere"'
    assert cancellation(make_request("INVITE"), reason).headers.first("Reason") == reason
