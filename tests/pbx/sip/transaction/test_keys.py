"""Matching by RFC 3261 §17.1.3 and §17.2.3."""

import pytest

from pbx.sip.headers import Headers
from pbx.sip.message import Request
from pbx.sip.transaction.keys import client_key, merge_key, server_key
from tests.support.transactions import make_request, make_response


def key(request: Request, flow: int = 1, method: str = "INVITE"):
    return server_key(flow, request, request.via, method)


def test_invite_and_its_ack_and_cancel_share_a_key():
    assert len({key(make_request(m)) for m in ("INVITE", "ACK", "CANCEL")}) == 1


@pytest.mark.parametrize(
    "via",
    [
        "SIP/2.0/TLS 192.0.2.1:50000;branch=z9hG4bKother",
        "SIP/2.0/TLS 192.0.2.1:50001;branch=z9hG4bKinvite",
        "SIP/2.0/TLS 192.0.2.1;branch=z9hG4bKinvite",
    ],
)
def test_another_branch_or_sent_by_is_another_transaction(via):
    request = make_request("INVITE")
    other = make_request("INVITE")
    other.headers.set("Via", via)
    assert key(request) != key(other)


def test_nobody_reaches_a_transaction_from_another_flow():
    assert key(make_request("CANCEL"), flow=1) != key(make_request("CANCEL"), flow=2)


def old(**changes: str) -> Request:
    fields = {"Via": "SIP/2.0/TLS 192.0.2.9;branch=1", "From": "<sip:a@b>;tag=f", "To": "<sip:c@d>",
              "Call-ID": "old-1", "CSeq": "7 INVITE"} | changes  # fmt: skip
    return Request("INVITE", "sip:c@d", Headers(*fields.items()))


@pytest.mark.parametrize(
    "changes",
    [
        {"Via": "SIP/2.0/TLS 192.0.2.9;branch=2"},
        {"From": "<sip:a@b>;tag=g"},
        {"From": "<sip:a@b>"},
        {"Call-ID": "old-2"},
        {"CSeq": "8 INVITE"},
    ],
)
def test_before_rfc_3261_everything_counts(changes):
    assert key(old()) == key(old(CSeq="7 ACK"))
    assert key(old()) != key(old(**{k: v for k, v in changes.items()}))


def test_a_peer_without_any_branch_has_a_key_too():
    assert key(old(Via="SIP/2.0/TLS 192.0.2.9")) != key(old())


def test_no_branch_can_look_like_a_made_up_one():
    assert " " in key(old())[1]


def test_our_requests_are_known_by_branch_and_method():
    assert client_key(make_response("INVITE", 200)) == ("z9hG4bKinvite", "INVITE")
    assert client_key(make_response("CANCEL", 200)) != client_key(make_response("INVITE", 200))


def test_merged_requests_are_alike_but_for_their_branch():
    one, other = make_request("INVITE"), make_request("INVITE")
    other.headers.set("Via", "SIP/2.0/TLS 192.0.2.1:50000;branch=z9hG4bKother")
    assert merge_key(1, one) == merge_key(1, other)
    assert merge_key(1, one) != merge_key(2, other)
    other.headers.set("CSeq", "2 INVITE")
    assert merge_key(1, one) != merge_key(1, other)
    assert merge_key(1, old(From="<sip:a@b>"))[2] == ""
