"""The UAC core: RFC 3261 §8.1, §9.1, §12.2.1, §13.2, §15.1.1 and RFC 3262 §4, on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pbx.sip.dialog import Dialog
from pbx.sip.events import (
    FlowClosed,
    FlowLost,
    MessageRefused,
    RequestReceived,
    ResponseReceived,
    TimedOut,
    TransactionId,
)
from pbx.sip.flows import FlowId
from pbx.sip.message import Message, Request, Response
from pbx.sip.parser import parse_message
from pbx.sip.stack import Stack, StackConfig
from tests.support.pair import ALICE, EXCHANGE, answer, facts, request

OFFER = b"v=0"


@dataclass
class Desk:
    """One stack as client; the peer is this test."""

    config: StackConfig = field(default_factory=StackConfig)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.stack = Stack(self.config)
        self.stack.flow_opened(FlowId(1), facts(ALICE, EXCHANGE))

    def said(self) -> list[Message]:
        return [parse_message(data) for _, data in self.stack.outgoing()]

    def methods(self) -> list[str]:
        return [message.method for message in self.said() if isinstance(message, Request)]

    def send(self, message: Request) -> tuple[TransactionId, Request]:
        """Send a request; the handle, and the request as the peer sees it."""
        transaction = self.stack.request(FlowId(1), message, self.now)
        (sent,) = self.said()
        assert isinstance(sent, Request)
        return transaction, sent

    def reply(self, sent: Request, status: int, *fields, tag="bob", body=b"", flow=1) -> None:
        response = answer(sent, status, *fields, body=body)
        if status > 100 and tag and sent.to.tag is None:
            response.headers.amend("To", f"{sent.headers.first('To')};tag={tag}")
        self.stack.receive(FlowId(flow), response.encode(), self.now)

    def replies(self) -> list[tuple[int, Dialog | None]]:
        """Status and dialog of every response that was reported."""
        events = self.stack.events()
        assert all(isinstance(e, ResponseReceived) for e in events)
        return [(e.response.status, e.dialog) for e in events if isinstance(e, ResponseReceived)]

    def call(self, *fields) -> tuple[Dialog, TransactionId, Request]:
        """A call that the peer answered and we acknowledged."""
        transaction, invite = self.send(request(body=OFFER))
        self.reply(invite, 200, *fields, body=OFFER)
        ((_, dialog),) = self.replies()
        assert dialog is not None
        assert self.stack.acknowledge(transaction, dialog, FlowId(1))
        assert self.methods() == ["ACK"]
        return dialog, transaction, invite

    def at(self, now: float) -> None:
        self.now = now
        self.stack.expire(now)


def rows(desk: Desk) -> list[str]:
    return [f"{row.method} {row.state}" for row in desk.stack.snapshot().transactions]


# Requests (§8.1.1)


def test_a_request_gets_a_via_of_ours_and_an_invite_says_what_we_can():
    desk = Desk()
    _, invite = desk.send(request())
    assert str(invite.via).startswith("SIP/2.0/TLS 192.0.2.1:50000;branch=z9hG4bK")
    assert invite.via.wants_rport
    assert "Allow" in invite.headers and "timer" in invite.supported
    assert invite.headers.first("Session-Expires") == "1800"
    _, options = desk.send(request("OPTIONS"))
    assert "Allow" not in options.headers and "Session-Expires" not in options.headers
    assert options.via.branch != invite.via.branch


@pytest.mark.parametrize(
    ("sent_by", "local", "expected"),
    [
        (None, ("2001:db8::1", 5061), "[2001:db8::1]:5061"),
        ("pbx.clinic.example", ALICE, "pbx.clinic.example"),
    ],
)
def test_sent_by_is_configured_or_the_flows_own_address(sent_by, local, expected):
    desk = Desk(StackConfig(sent_by=sent_by))
    desk.stack.flow_opened(FlowId(1), facts(local, EXCHANGE))
    assert desk.send(request("OPTIONS"))[1].via.sent_by == expected


def test_an_interval_that_was_asked_for_stays_and_none_is_added_without_policy():
    assert Desk().send(request("INVITE", ("Session-Expires", "3600")))[1].headers.first(
        "Session-Expires"
    ) == "3600"  # fmt: skip
    assert "Session-Expires" not in Desk(StackConfig(session=None)).send(request())[1].headers


def test_a_request_on_a_flow_that_is_gone_is_over_at_once():
    desk = Desk()
    transaction = desk.stack.request(FlowId(9), request("OPTIONS"), 0.0)
    assert desk.stack.events() == [FlowLost(transaction)]
    assert desk.said() == [] and desk.stack.counters.late == 1


def test_a_bye_on_a_flow_that_is_gone_ends_its_dialog_all_the_same():
    desk = Desk()
    dialog, _, _ = desk.call()
    assert desk.stack.snapshot().dialogs == 1
    transaction = desk.stack.request(FlowId(9), dialog.request("BYE"), 0.0)
    assert desk.stack.events() == [FlowLost(transaction)]
    assert desk.stack.snapshot().dialogs == 0


# Responses (§8.1.3, §17.1.3)


def test_a_final_response_ends_the_transaction_and_comes_once():
    desk = Desk()
    _, options = desk.send(request("OPTIONS"))
    desk.reply(options, 100)
    desk.reply(options, 200)
    desk.reply(options, 200)
    assert [status for status, _ in desk.replies()] == [100, 200]
    assert rows(desk) == [] and desk.stack.counters.stray == 1


def test_a_response_by_another_flow_or_with_two_vias_is_dropped():
    desk = Desk()
    _, options = desk.send(request("OPTIONS"))
    desk.stack.flow_opened(FlowId(2), facts(ALICE, EXCHANGE))
    desk.reply(options, 200, flow=2)
    desk.reply(options, 200, ("Via", f"{options.headers.first('Via')}, SIP/2.0/TLS other"))
    assert desk.replies() == [] and desk.stack.counters.stray == 2
    assert rows(desk) == ["OPTIONS trying"]


def rung_by_another_life(*fields: tuple[str, str], method: str = "INVITE") -> tuple[Desk, Request]:
    """A phone that rings, and an exchange that knows nothing of it."""
    _, asked = Desk().send(request(method, *fields))
    desk = Desk()
    desk.stack.flow_authenticated(FlowId(1))
    return desk, asked


def test_whoever_answers_a_call_that_nobody_knows_is_hung_up_on():
    desk, invite = rung_by_another_life()
    contact, route = ("Contact", "<sips:bob@192.0.2.9>"), ("Record-Route", "<sips:edge.example;lr>")
    desk.reply(invite, 200, contact, route)
    ack, bye = desk.said()
    assert isinstance(ack, Request) and isinstance(bye, Request)
    assert (ack.method, bye.method) == ("ACK", "BYE")
    assert ack.cseq.number == invite.cseq.number < bye.cseq.number - 64, "PRACKs had theirs"
    for message in (ack, bye):
        assert message.uri_text == "sips:bob@192.0.2.9"
        assert message.headers.first("Route") == "<sips:edge.example;lr>"
        assert message.call_id == invite.call_id
        assert (message.from_.tag, message.to.tag) == (invite.from_.tag, "bob")
    assert bye.via.branch != ack.via.branch
    assert rows(desk) == [] and desk.stack.events() == [] and desk.stack.snapshot().dialogs == 0
    desk.reply(invite, 200, contact)
    assert desk.methods() == ["ACK", "BYE"], "it has not heard the first"


@pytest.mark.parametrize(("method", "status"), [("INVITE", 183), ("INVITE", 486), ("OPTIONS", 200)])
def test_what_answers_no_call_is_dropped(method, status):
    desk, asked = rung_by_another_life(method=method)
    desk.reply(asked, status)
    assert desk.said() == [] and desk.stack.counters.stray == 1


def test_a_stranger_is_not_written_to_for_an_answer():
    _, invite = rung_by_another_life()
    desk = Desk()
    desk.reply(invite, 200)
    assert desk.said() == [] and desk.stack.counters.stray == 1


def test_an_answer_in_a_call_that_goes_on_ends_nothing():
    desk = Desk()
    desk.stack.flow_authenticated(FlowId(1))
    _, _, invite = desk.call()
    desk.at(100.0)
    assert rows(desk) == [] and desk.stack.snapshot().dialogs == 1
    desk.reply(invite, 200)
    assert desk.said() == [] and desk.stack.counters.stray == 1


def test_an_answer_that_says_badly_where_it_comes_from_is_refused():
    desk, invite = rung_by_another_life()
    desk.reply(invite, 200, ("Contact", "<sips:bob@192.0.2.9:port>"))
    assert desk.said() == []
    assert [type(event) for event in desk.stack.events()] == [MessageRefused]


def test_a_request_without_answer_times_out_by_timer_f():
    desk = Desk()
    transaction, _ = desk.send(request("OPTIONS"))
    desk.at(31.9)
    assert desk.stack.events() == []
    desk.at(32.0)
    assert desk.stack.events() == [TimedOut(transaction, "F")]
    assert rows(desk) == []


def test_an_invite_without_answer_times_out_by_timer_b_and_not_while_it_rings():
    desk = Desk()
    transaction, _ = desk.send(request())
    desk.at(32.0)
    assert desk.stack.events() == [TimedOut(transaction, "B")]
    _, invite = desk.send(request())
    desk.reply(invite, 180)
    desk.at(10_000.0)
    assert [status for status, _ in desk.replies()] == [180]


def test_a_flow_that_dies_takes_open_requests_and_no_accepted_ones():
    desk = Desk()
    desk.call()
    one, _ = desk.send(request("OPTIONS", ("Call-ID", "2")))
    desk.stack.flow_closed(FlowId(1), 0.0)
    assert [e for e in desk.stack.events() if isinstance(e, FlowLost)] == [FlowLost(one)]
    assert rows(desk) == [] and desk.stack.snapshot().dialogs == 1


def test_what_the_server_half_holds_is_not_the_clients_to_lose():
    desk = Desk()
    theirs = request("INVITE")
    theirs.headers.prepend("Via", "SIP/2.0/TLS 192.0.2.100:5061;branch=z9hG4bKtheirs")
    desk.stack.receive(FlowId(1), theirs.encode(), 0.0)
    (event,) = desk.stack.events()
    assert isinstance(event, RequestReceived)
    desk.stack.respond(event.transaction, answer(event.request, 200), 0.0)
    desk.stack.flow_closed(FlowId(1), 0.0)
    assert desk.stack.events() == [FlowClosed(FlowId(1))]


# INVITE (§13.2): early and forked dialogs, ACK


def test_ringing_makes_an_early_dialog_and_the_2xx_confirms_it():
    desk = Desk()
    transaction, invite = desk.send(request())
    desk.reply(invite, 100)
    desk.reply(invite, 180)
    desk.reply(invite, 200)
    (_, none), (_, early), (_, dialog) = desk.replies()
    assert none is None and early is dialog and dialog is not None and not dialog.state.is_early
    desk.stack.acknowledge(
        transaction, dialog, FlowId(1), body=OFFER, content_type="application/sdp"
    )
    (ack,) = desk.said()
    assert (ack.body, ack.cseq.number, ack.to.tag) == (OFFER, 1, "bob")
    assert ack.via.branch != invite.via.branch  # §13.2.2.4: a transaction of its own
    desk.reply(invite, 200)
    assert desk.methods() == ["ACK"] and desk.replies() == []
    desk.at(32.0)
    assert rows(desk) == [] and desk.stack.snapshot().dialogs == 1


def test_each_to_tag_is_a_dialog_and_those_that_stay_early_end_with_the_transaction():
    desk = Desk()
    _, invite = desk.send(request())
    for tag in ("a", "b", "c"):
        desk.reply(invite, 180, tag=tag)
    desk.reply(invite, 200, tag="b")
    desk.reply(invite, 200, tag="d")
    dialogs = [dialog for _, dialog in desk.replies()]
    assert len({id(d) for d in dialogs}) == 4 and dialogs[3] is dialogs[1]
    assert desk.stack.snapshot().dialogs == 4
    desk.at(32.0)
    assert desk.stack.snapshot().dialogs == 2  # b and d; each wants ACK, one wants BYE


def test_a_refusal_is_acknowledged_here_and_ends_all_early_dialogs():
    desk = Desk()
    _, invite = desk.send(request())
    desk.reply(invite, 180, tag="a")
    desk.reply(invite, 486, tag="b")
    (ack,) = desk.said()
    assert (ack.to.tag, ack.via.branch) == ("b", invite.via.branch)
    assert [status for status, _ in desk.replies()] == [180, 486]
    assert rows(desk) == [] and desk.stack.snapshot().dialogs == 0


def test_a_response_without_tag_makes_no_dialog():
    desk = Desk()
    _, invite = desk.send(request())
    desk.reply(invite, 180, tag="")
    assert desk.replies() == [(180, None)]


def test_only_so_many_forks_make_dialogs():
    desk = Desk()
    _, invite = desk.send(request())
    for number in range(20):
        desk.reply(invite, 180, tag=f"t{number}")
    assert desk.stack.snapshot().dialogs == 16
    assert sum(dialog is None for _, dialog in desk.replies()) == 4


@pytest.mark.parametrize("case", ["unknown", "flow", "not an invite"])
def test_an_ack_that_cannot_be_sent_says_so(case):
    desk = Desk()
    dialog, transaction, _ = desk.call()
    flow = FlowId(9) if case == "flow" else FlowId(1)
    if case == "unknown":
        transaction = TransactionId(99)
    if case == "not an invite":
        transaction, _ = desk.send(dialog.request("INFO"))
    assert not desk.stack.acknowledge(transaction, dialog, flow)
    assert desk.stack.counters.late == 1 and desk.said() == []


# CANCEL (§9.1)


def test_a_cancel_waits_for_a_provisional_response():
    desk = Desk()
    transaction, invite = desk.send(request())
    desk.stack.cancel(transaction, 0.0, "SIP;cause=200")
    assert desk.said() == []
    desk.reply(invite, 180)
    (cancel,) = desk.said()
    assert isinstance(cancel, Request) and cancel.method == "CANCEL"
    assert (cancel.via.branch, cancel.headers.first("Reason")) == (
        invite.via.branch,
        "SIP;cause=200",
    )
    desk.reply(cancel, 200)
    desk.reply(invite, 487)
    assert [status for status, _ in desk.replies()] == [180, 487]  # none for the CANCEL
    assert rows(desk) == []


def test_a_cancelled_invite_without_final_response_is_over_after_64_t1():
    desk = Desk()
    transaction, invite = desk.send(request())
    desk.reply(invite, 180)
    desk.stack.events()
    desk.stack.cancel(transaction, 0.0)
    assert desk.methods() == ["CANCEL"]
    desk.at(32.0)
    assert desk.stack.events() == [TimedOut(transaction, "B")]
    assert rows(desk) == [] and desk.stack.snapshot().dialogs == 0


def test_a_2xx_can_win_the_race():
    desk = Desk()
    transaction, invite = desk.send(request())
    desk.stack.cancel(transaction, 0.0)
    desk.reply(invite, 200)
    ((status, dialog),) = desk.replies()
    assert status == 200 and dialog is not None
    assert desk.said() == []
    assert desk.stack.acknowledge(transaction, dialog, FlowId(1))


@pytest.mark.parametrize("method", [None, "OPTIONS"])
def test_only_an_invite_can_be_cancelled(method):
    desk = Desk()
    transaction = desk.send(request(method))[0] if method else TransactionId(99)
    desk.stack.cancel(transaction, 0.0)
    assert desk.said() == []


# Requests inside a dialog


def test_bye_ends_the_dialog_whatever_the_answer():
    for status in (200, 401, 481):
        desk = Desk()
        dialog, _, _ = desk.call()
        _, bye = desk.send(dialog.request("BYE"))
        desk.reply(bye, 100)
        assert desk.stack.snapshot().dialogs == 1
        desk.reply(bye, status)
        assert [s for s, _ in desk.replies()] == [100, status]
        assert desk.stack.snapshot().dialogs == 0


def test_bye_ends_the_dialog_even_without_answer():
    desk = Desk()
    dialog, _, _ = desk.call()
    transaction, _ = desk.send(dialog.request("BYE"))
    desk.at(32.0)
    assert desk.stack.events() == [TimedOut(transaction, "F", dialog)]
    assert desk.stack.snapshot().dialogs == 0


def test_an_open_reinvite_refuses_theirs_until_it_is_over():
    desk = Desk()
    dialog, _, _ = desk.call()
    transaction, _ = desk.send(dialog.request("INVITE", OFFER, "application/sdp"))
    theirs = request(
        "INVITE",
        ("From", "<sip:1002@clinic.example>;tag=bob"),
        ("To", "<sip:1001@clinic.example>;tag=alice1"),
        ("CSeq", "1 INVITE"),
        body=OFFER,
    )
    theirs.headers.prepend("Via", "SIP/2.0/TLS 192.0.2.100:5061;branch=z9hG4bKtheirs")
    desk.stack.receive(FlowId(1), theirs.encode(), 0.0)
    (glare,) = desk.said()
    assert isinstance(glare, Response) and glare.status == 491
    desk.stack.events()
    desk.at(32.0)
    assert desk.stack.events() == [TimedOut(transaction, "B", dialog)]
    theirs.headers.set("CSeq", "2 INVITE")
    desk.stack.receive(FlowId(1), theirs.encode(), 32.0)
    assert [type(e).__name__ for e in desk.stack.events()] == ["RequestReceived"]


def test_the_2xx_settles_the_session_timer_and_422_is_remembered():
    desk = Desk()
    dialog, _, _ = desk.call(("Session-Expires", "600;refresher=uac"))
    desk.at(300.0)
    assert [type(e).__name__ for e in desk.stack.events()] == ["RefreshDue"]
    _, update = desk.send(dialog.request("UPDATE"))
    assert update.headers.first("Session-Expires") == "1800;refresher=uac"
    desk.reply(update, 422, ("Min-SE", "3600"))
    _, again = desk.send(dialog.request("UPDATE"))
    assert again.headers.first("Session-Expires") == "3600;refresher=uac"
    assert again.headers.first("Min-SE") == "3600"
    desk.reply(again, 200, ("Session-Expires", "3600;refresher=uac"))
    assert dialog.state.session is not None and dialog.state.session.interval == 3600


def test_without_policy_no_session_runs():
    desk = Desk(StackConfig(session=None))
    dialog, _, _ = desk.call(("Session-Expires", "600;refresher=uac"))
    assert dialog.state.session is None


def test_info_settles_no_session():
    desk = Desk()
    dialog, _, _ = desk.call()
    _, info = desk.send(dialog.request("INFO"))
    desk.reply(info, 200, ("Session-Expires", "600"))
    assert dialog.state.session is None


# Reliable provisional responses (RFC 3262 §4)

RELIABLE = (("Require", "100rel"), ("RSeq", "7"))


def test_a_reliable_response_is_confirmed_once_and_in_order():
    desk = Desk()
    _, invite = desk.send(request(body=OFFER))
    desk.reply(invite, 183, *RELIABLE, body=OFFER)
    (prack,) = desk.said()
    assert isinstance(prack, Request) and prack.headers.first("RAck") == "7 1 INVITE"
    assert prack.cseq.number == 2 and prack.to.tag == "bob"
    desk.reply(invite, 183, *RELIABLE, body=OFFER)
    desk.reply(invite, 183, ("Require", "100rel"), ("RSeq", "9"))
    assert desk.said() == []
    desk.reply(prack, 200)
    assert [status for status, _ in desk.replies()] == [183]  # nor is the PRACK's answer reported
    desk.reply(invite, 180, ("Require", "100rel"), ("RSeq", "8"))
    assert desk.methods() == ["PRACK"]


def test_an_offer_in_a_reliable_response_is_for_the_transaction_user_to_confirm():
    desk = Desk()
    _, invite = desk.send(request())
    desk.reply(invite, 183, *RELIABLE, body=OFFER)
    assert desk.said() == []
    assert [status for status, _ in desk.replies()] == [183]


def test_without_offer_on_either_side_the_stack_confirms():
    desk = Desk()
    _, invite = desk.send(request())
    desk.reply(invite, 180, *RELIABLE)
    assert desk.methods() == ["PRACK"]


def test_a_prack_that_nobody_answers_is_nobodys_news():
    desk = Desk()
    _, invite = desk.send(request())
    desk.reply(invite, 180, *RELIABLE)
    desk.replies()
    desk.at(32.0)
    assert desk.stack.events() == [] and rows(desk) == ["INVITE proceeding"]


def refused_and(desk: Desk, *kinds: type) -> list[ResponseReceived]:
    refused, *others = desk.stack.events()
    assert isinstance(refused, MessageRefused)
    assert [type(event) for event in others] == list(kinds)
    return others  # type: ignore[return-value]


@pytest.mark.parametrize("rings_first", [False, True])
@pytest.mark.parametrize("value", ["junk <<", "<junk>"])
def test_a_phone_whose_answer_has_a_broken_route_gets_ack_and_bye(
    value: str, rings_first: bool
) -> None:
    desk = Desk()
    _, sent = desk.send(request("INVITE", body=OFFER))
    if rings_first:
        desk.reply(sent, 180)
        desk.stack.events()
    desk.reply(sent, 200, ("Record-Route", value))
    assert desk.methods() == ["ACK", "BYE"]
    [failure] = refused_and(desk, ResponseReceived)
    assert (failure.response.status, failure.dialog) == (502, None)
    assert desk.stack.snapshot().dialogs == 0
    desk.reply(sent, 200, ("Record-Route", value))  # again: the ACK was lost
    assert desk.methods() == ["ACK"]


def test_forks_without_end_whose_answers_cannot_be_read_are_left_alone() -> None:
    desk = Desk()
    _, sent = desk.send(request("INVITE", body=OFFER))
    for number in range(16):
        desk.reply(sent, 180, tag=f"bob{number}")
    desk.said(), desk.stack.events()
    desk.reply(sent, 200, ("Session-Expires", "soon"), tag="bob16")
    assert desk.methods() == []


def test_ringing_with_a_broken_route_still_rings() -> None:
    desk = Desk()
    _, sent = desk.send(request("INVITE", body=OFFER))
    desk.reply(sent, 180, ("Record-Route", "junk <<"))
    [rang] = refused_and(desk, ResponseReceived)
    assert rang.response.status == 180
    desk.reply(sent, 200)
    assert [status for status, _ in desk.replies()] == [200]
