"""RFC 3261 §12: how a dialog is made, what it sends and what it takes."""

from __future__ import annotations

import msgspec
import pytest

from pbx.sip.dialog import Dialog, DialogId, DialogState, new_tag, uac_id, uas_id
from pbx.sip.message import Request, Response, response_to
from pbx.sip.session_clock import SessionTimer
from tests.support.pair import request

ROUTES = "<sip:p1.example;lr>, <sip:p2.example;lr>"


def answer(status: int, invite: Request | None = None, **fields: str) -> Response:
    response = response_to(invite or request(), status, to_tag="bob1")
    for name, value in fields.items():
        response.headers.add(name.replace("_", "-"), value)
    return response


def uas(status: int = 180) -> Dialog:
    invite = request("INVITE", ("Record-Route", ROUTES), ("Allow", "INVITE, UPDATE"))
    return Dialog.as_uas(invite, answer(status, Contact="<sip:exchange@192.0.2.100>"))


def uac(status: int = 180, **fields: str) -> Dialog:
    return Dialog.as_uac(request(), answer(status, **({"Contact": "<sip:bob@192.0.2.7>"} | fields)))


def theirs(method: str, number: int, body: bytes = b"", **fields: str) -> Request:
    sent = request(method, ("CSeq", f"{number} {method}"), body=body)
    for name, value in fields.items():
        sent.headers.set(name, value)
    return sent


def test_the_called_party_knows_the_caller():
    state = uas().state
    assert state.id == DialogId("call-1@alice", "bob1", "alice1")
    assert state.local == "<sip:1002@clinic.example>;tag=bob1"
    assert state.remote == '"Alice" <sip:1001@clinic.example>;tag=alice1'
    assert state.target == "sip:1001@192.0.2.1:50000;transport=tls"
    assert state.routes == ("<sip:p1.example;lr>", "<sip:p2.example;lr>")
    assert (state.remote_cseq, state.is_early, state.is_caller) == (1, True, False)
    assert state.allow == ("INVITE", "UPDATE")
    assert state.contact == "<sip:exchange@192.0.2.100>"


def test_the_caller_knows_the_called_party_and_turns_the_routes_round():
    state = uac(Record_Route=ROUTES, Allow="INVITE").state
    assert state.id == DialogId("call-1@alice", "alice1", "bob1")
    assert state.target == "sip:bob@192.0.2.7"
    assert state.routes == ("<sip:p2.example;lr>", "<sip:p1.example;lr>")
    assert (state.local_cseq, state.remote_cseq, state.is_caller) == (1, None, True)
    assert not uac(200).state.is_early


def test_a_response_without_contact_leaves_the_request_uri():
    dialog = Dialog.as_uac(request(), answer(180))
    assert dialog.state.target == "sip:1002@clinic.example"
    bare = request()
    bare.headers.remove("Contact")
    assert Dialog.as_uas(bare, answer(180)).state.target == "sip:1001@clinic.example"


def test_peers_without_tags_have_dialogs_too():
    bare = request("INVITE", ("From", "<sip:1001@clinic.example>"))
    assert Dialog.as_uas(bare, answer(180, bare)).id.remote_tag == ""
    assert uas_id(bare) == DialogId("call-1@alice", "", "")
    assert uac_id(bare) == DialogId("call-1@alice", "", "")


def test_a_request_in_the_dialog_has_its_tags_routes_and_next_number():
    dialog = uas(200)
    number = dialog.state.local_cseq
    bye = dialog.request("BYE")
    assert bye.uri_text == "sip:1001@192.0.2.1:50000;transport=tls"
    assert [r.uri_text for r in bye.routes] == ["sip:p1.example;lr", "sip:p2.example;lr"]
    assert (bye.cseq.number, dialog.state.local_cseq) == (number + 1, number + 1)
    assert (bye.from_.tag, bye.to.tag, bye.max_forwards) == ("bob1", "alice1", 70)
    assert "Contact" not in bye.headers
    update = dialog.request("UPDATE", b"v=0", "application/sdp")
    assert (update.body, update.content_type) == (b"v=0", "application/sdp")
    assert update.contacts[0].uri_text == "sip:exchange@192.0.2.100"


def test_a_strict_router_takes_the_request_uri():
    dialog = uac(200, Record_Route="<sip:loose.example;lr>, <sip:strict.example;x=lr>")
    info = dialog.request("INFO")
    assert info.uri_text == "sip:strict.example;x=lr"
    assert [r.uri_text for r in info.routes] == ["sip:loose.example;lr", "sip:bob@192.0.2.7"]


def test_the_ack_has_the_invites_number_and_credentials():
    dialog = uac(200)
    invite = request("INVITE", ("Authorization", "Digest x"), ("Proxy-Authorization", "Digest y"))
    dialog.request("INFO")
    ack = dialog.acknowledge(invite, b"v=0", "application/sdp")
    assert (ack.method, ack.cseq.number, str(ack.cseq)) == ("ACK", 1, "1 ACK")
    assert ack.headers.all("Authorization") == ["Digest x"]
    assert ack.headers.all("Proxy-Authorization") == ["Digest y"]
    assert ack.body == b"v=0" and dialog.state.local_cseq == 2


@pytest.mark.parametrize(
    ("numbers", "statuses"),
    [([2, 3], [None, None]), ([2, 2], [None, 500]), ([1], [500]), ([0], [500]), ([9, 5, 10],
     [None, 500, None])],
)  # fmt: skip
def test_numbers_rise(numbers, statuses):
    dialog = uas(200)
    got = [dialog.admit(theirs("INFO", number)) for number in numbers]
    assert [r and r.status for r in got] == statuses


def test_the_callers_first_request_may_have_any_number():
    dialog = uac(200)
    assert dialog.admit(theirs("BYE", 0)) is None
    assert dialog.state.remote_cseq == 0


OFFER = b"v=0"


def confirmed_uas() -> Dialog:
    dialog = uas(180)
    dialog.answered(request(), answer(200))
    return dialog


def confirmed_uac() -> Dialog:
    dialog = uac(180)
    dialog.received(request(), answer(200))
    return dialog


@pytest.mark.parametrize(
    ("make", "ours", "theirs_open", "new", "status"),
    [  # RFC 3261 §14.2 and RFC 3311 §5.2
        (confirmed_uas, None, None, ("INVITE", OFFER), None),
        (confirmed_uas, None, ("INVITE", OFFER), ("INVITE", OFFER), 500),
        (confirmed_uas, ("INVITE", OFFER), None, ("INVITE", OFFER), 491),
        (confirmed_uas, ("UPDATE", OFFER), None, ("INVITE", OFFER), 491),
        (confirmed_uas, ("UPDATE", b""), None, ("INVITE", OFFER), None),
        (confirmed_uas, None, ("UPDATE", b""), ("UPDATE", b""), 500),
        (confirmed_uas, ("UPDATE", OFFER), None, ("UPDATE", OFFER), 491),
        (confirmed_uas, ("UPDATE", OFFER), None, ("UPDATE", b""), None),
        (confirmed_uas, ("INVITE", OFFER), None, ("UPDATE", OFFER), 491),
        (confirmed_uas, None, ("INVITE", OFFER), ("UPDATE", OFFER), 500),
        (confirmed_uas, None, None, ("UPDATE", OFFER), None),
        (confirmed_uac, None, None, ("INVITE", OFFER), None),
        (uas, None, None, ("UPDATE", OFFER), None),  # the INVITE's offer was answered reliably
        (uac, None, None, ("UPDATE", OFFER), None),
        (uas, None, None, ("INVITE", OFFER), 500),  # a second INVITE before the first is answered
        (confirmed_uas, ("INVITE", OFFER), None, ("INFO", b""), None),
    ],
)
def test_one_offer_at_a_time(make, ours, theirs_open, new, status):
    dialog = make()
    if ours:
        dialog.sent(dialog.request(*ours))
    if theirs_open:
        assert dialog.admit(theirs(theirs_open[0], 2, theirs_open[1])) is None
    refusal = dialog.admit(theirs(new[0], 3, new[1]))
    assert (refusal and refusal.status) == status
    if status == 500:
        assert 0 <= int(refusal.headers.first("Retry-After")) <= 10
    if status == 491:
        assert "Retry-After" not in refusal.headers


def test_what_is_answered_is_open_no_more():
    dialog = confirmed_uas()
    reinvite = theirs("INVITE", 2, OFFER)
    assert dialog.admit(reinvite) is None
    dialog.answered(reinvite, answer(100, reinvite))
    assert dialog.admit(theirs("INVITE", 3)).status == 500
    dialog.answered(reinvite, answer(488, reinvite))
    assert dialog.admit(theirs("INVITE", 4)) is None


def test_what_is_lost_with_its_connection_is_open_no_more_and_an_old_one_ends_nothing():
    dialog = confirmed_uas()
    one, two = (theirs("INVITE", number, OFFER) for number in (2, 3))
    assert dialog.admit(one) is None
    dialog.lost(one)
    assert dialog.admit(two) is None
    dialog.lost(one)
    assert dialog.admit(theirs("INVITE", 4, OFFER)).status == 500


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize(
    ("method", "body", "settled"),
    [("INVITE", b"v=0", False), ("UPDATE", b"v=0", False), ("INFO", b"", True)],
)
def test_nothing_new_is_offered_while_a_session_is_being_described(ours, method, body, settled):
    dialog = uac(200)
    dialog.closed(request())
    assert dialog.is_settled
    if ours:
        asked = dialog.request(method, body)
        dialog.sent(asked)
        assert dialog.is_settled is settled
        dialog.closed(asked)
    else:
        asked = theirs(method, 7, body)
        assert dialog.admit(asked) is None
        assert dialog.is_settled is settled
        dialog.answered(asked, response_to(asked, 488))
    assert dialog.is_settled


def test_our_request_is_over_with_its_final_response_or_without():
    dialog = confirmed_uac()
    one = dialog.request("INVITE", OFFER)
    dialog.sent(one)
    dialog.received(one, answer(100, one))
    assert dialog.admit(theirs("INVITE", 2)).status == 491
    dialog.received(one, answer(491, one))
    assert dialog.admit(theirs("INVITE", 3)) is None
    two = dialog.request("INVITE", OFFER)
    dialog.sent(two)
    dialog.closed(one)  # an old one ends nothing
    assert dialog._open_ours == {"INVITE": two.cseq.number}
    dialog.closed(two)
    assert not dialog._open_ours


def test_a_final_2xx_confirms_and_renews_the_route_set():
    dialog = uac(Record_Route=ROUTES)
    dialog.received(request(), answer(200, Record_Route="<sip:p3.example;lr>", Allow="UPDATE",
                                      Contact="<sip:bob@192.0.2.8>"))  # fmt: skip
    state = dialog.state
    assert (state.is_early, state.routes) == (False, ("<sip:p3.example;lr>",))
    assert (state.target, state.allow) == ("sip:bob@192.0.2.8", ("UPDATE",))


def test_later_2xx_move_the_target_but_not_the_routes():
    dialog = uac(200, Record_Route=ROUTES)
    update = dialog.request("UPDATE")
    dialog.received(update, answer(200, update, Contact="<sip:bob@192.0.2.9>",
                                   Record_Route="<sip:p3.example;lr>"))  # fmt: skip
    assert dialog.state.target == "sip:bob@192.0.2.9"
    assert len(dialog.state.routes) == 2


@pytest.mark.parametrize(("method", "status"), [("UPDATE", 488), ("INFO", 200), ("BYE", 200)])
def test_nothing_else_moves_the_target(method, status):
    dialog = uac(200)
    ours = dialog.request(method)
    dialog.received(ours, answer(status, ours, Contact="<sip:bob@192.0.2.9>"))
    dialog.answered(theirs(method, 2), answer(status))
    assert dialog.state.target == "sip:bob@192.0.2.7"


def test_an_accepted_update_of_theirs_moves_the_target():
    dialog = confirmed_uas()
    update = theirs("UPDATE", 2, Contact="<sip:1001@192.0.2.55>")
    dialog.answered(update, answer(100, update))
    assert dialog.state.target != "sip:1001@192.0.2.55"
    dialog.answered(update, answer(200, update))
    assert dialog.state.target == "sip:1001@192.0.2.55"


def test_ringing_does_not_confirm():
    dialog = uas(180)
    dialog.answered(request(), answer(183))
    assert dialog.state.is_early
    dialog.answered(request(), answer(200))
    assert not dialog.state.is_early
    early = uac(180)
    early.received(request(), answer(183))
    assert early.state.is_early


def test_the_largest_min_se_is_remembered():
    dialog = uac(200)
    dialog.agree(SessionTimer(1800, True), 300)
    dialog.agree(None)
    assert (dialog.state.session, dialog.state.session_minimum) == (None, 300)


def test_a_snapshot_restores_the_dialog_with_a_leap():
    dialog = uac(200, Record_Route=ROUTES)
    dialog.agree(SessionTimer(1800, True))
    data = msgspec.msgpack.encode(dialog.state)
    state = msgspec.msgpack.decode(data, type=DialogState)
    assert state == dialog.state
    restored = Dialog.restored(state)
    assert restored.id == dialog.id
    assert restored.request("BYE").cseq.number == dialog.state.local_cseq + 65


def test_tags_are_long_and_new():
    assert len(new_tag()) == 20 and new_tag() != new_tag()


def test_who_is_renamed_says_so_under_the_same_tag():
    dialog = uas(200)
    tag = dialog.id.local_tag
    dialog.rename(f"<sip:1003@clinic.example>;tag={tag}")
    update = dialog.request("UPDATE")
    assert (update.from_.uri_text, update.from_.tag) == ("sip:1003@clinic.example", tag)
