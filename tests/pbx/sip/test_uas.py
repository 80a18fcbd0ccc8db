"""The UAS core: RFC 3261 §8.2, §9.2, §12, §13.3, §15.1.2 and RFC 3262 §3, on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pbx.sip.checks import Capabilities
from pbx.sip.dialog import Dialog
from pbx.sip.errors import LocalError
from pbx.sip.events import (
    Acknowledged,
    Cancelled,
    FlowClosed,
    FlowLost,
    MessageRefused,
    ProvisionalAcknowledged,
    RequestReceived,
    TimedOut,
    TransactionId,
)
from pbx.sip.flows import FlowId, FlowLimits
from pbx.sip.message import Message, Request, Response
from pbx.sip.parser import parse_message
from pbx.sip.stack import Stack, StackConfig
from tests.support.pair import ALICE, EXCHANGE, answer, facts, raw, request

OFFER = b"v=0"
TIMER = ("Supported", "100rel, timer")


@dataclass
class Desk:
    """One stack as server; the peer is this test, byte by byte."""

    config: StackConfig = field(default_factory=StackConfig)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.stack = Stack(self.config)
        self.stack.flow_opened(FlowId(1), facts(EXCHANGE, ALICE))
        self.serial = 0

    def give(self, message: Request, *, flow: int = 1, branch: str | None = None, **kw) -> None:
        self.serial += 1
        self.stack.receive(FlowId(flow), raw(message, branch or f"z9hG4bK{self.serial}", **kw),
                           self.now)  # fmt: skip

    def said(self) -> list[Message]:
        return [parse_message(data) for _, data in self.stack.outgoing()]

    def statuses(self) -> list[int]:
        return [message.status for message in self.said() if isinstance(message, Response)]

    def invite(self, *fields: tuple[str, str], branch: str = "z9hG4bKinvite", body: bytes = OFFER):
        """An INVITE that arrived."""
        self.give(request("INVITE", *fields, body=body), branch=branch)
        (event,) = self.stack.events()
        assert isinstance(event, RequestReceived)
        return event

    def respond(
        self, event: RequestReceived, status: int, *fields, reliably=False, body=b""
    ) -> bool:
        response = answer(event.request, status, *fields, body=body)
        return self.stack.respond(event.transaction, response, self.now, reliably=reliably)

    def inside(self, method: str, number: int, tag: str, *fields, body: bytes = b"") -> Request:
        to = ("To", f"<sip:1002@clinic.example>;tag={tag}")
        return request(method, ("CSeq", f"{number} {method}"), to, *fields, body=body)

    def call(self) -> tuple[RequestReceived, str]:
        """A call that was answered and acknowledged, and our tag."""
        event = self.invite(TIMER)
        self.respond(event, 200, body=OFFER)
        (ok,) = self.said()
        tag = ok.to.tag or ""
        self.give(self.inside("ACK", 1, tag))
        assert [type(e) for e in self.stack.events()] == [Acknowledged]
        return event, tag

    def at(self, now: float) -> list[int]:
        self.now = now
        self.stack.expire(now)
        return self.statuses()


def rows(desk: Desk) -> list[str]:
    return [f"{row.method} {row.state}" for row in desk.stack.snapshot().transactions]


# Section 8.2: what never reaches the transaction user


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (lambda: request("FOO"), 405),
        (lambda: request("INVITE", ("Require", "teleport")), 420),
        (lambda: request("INVITE", ("Content-Type", "a/b"), body=b"x"), 415),
        (lambda: request("INVITE", ("Session-Expires", "60"), TIMER), 422),
        (lambda: request("UPDATE", ("Session-Expires", "60"), TIMER), 422),
        (lambda: request("INVITE", ("Contact", "*")), 400),
        (lambda: request("BYE", ("To", "<sip:1002@clinic.example>;tag=unknown")), 481),
        (lambda: request("CANCEL"), 481),
        (lambda: request("PRACK"), 481),
    ],
)
def test_the_stack_refuses_by_itself_and_keeps_nothing(message, status):
    desk = Desk()
    desk.give(message())
    (refusal,) = desk.said()
    assert isinstance(refusal, Response) and refusal.status == status
    assert refusal.to.tag
    assert [type(e) for e in desk.stack.events()] == [MessageRefused]
    assert rows(desk) == [] and desk.stack.counters.refused == 1


def test_without_session_policy_no_interval_is_too_small():
    desk = Desk(StackConfig(session=None))
    event = desk.invite(("Session-Expires", "60"), TIMER)
    desk.respond(event, 200)
    (ok,) = desk.said()
    assert "Session-Expires" not in ok.headers


def test_the_same_request_by_another_way_is_482():
    desk = Desk()
    first = desk.invite()
    desk.give(request("INVITE", body=OFFER), branch="z9hG4bKotherway")
    assert desk.statuses() == [482]
    desk.give(request("INVITE", ("CSeq", "2 INVITE"), body=OFFER), branch="z9hG4bKthird")
    assert desk.statuses() == []
    desk.respond(first, 486)
    desk.give(request("ACK"), branch="z9hG4bKinvite")
    desk.stack.events()
    desk.invite(branch="z9hG4bKlater")  # the first is over: nothing to merge with


def test_too_many_open_requests_are_503_and_say_when_to_come_back():
    desk = Desk(StackConfig(limits=FlowLimits(per_stranger=1, per_flow=2)))
    desk.invite()
    desk.give(request("OPTIONS", ("Call-ID", "2")))
    (busy,) = desk.said()
    assert isinstance(busy, Response) and busy.status == 503
    assert 5 <= int(busy.headers.first("Retry-After") or 0) < 15
    assert desk.stack.counters.overloaded == 1
    desk.stack.flow_authenticated(FlowId(1))
    desk.give(request("OPTIONS", ("Call-ID", "2")))
    assert desk.statuses() == []


def test_a_call_for_help_is_taken_where_nothing_else_is():
    can = Capabilities(is_urgent=lambda request: request.uri_text.startswith("sip:911@"))
    desk = Desk(StackConfig(limits=FlowLimits(per_flow=1), capabilities=can))
    desk.stack.flow_authenticated(FlowId(1))
    desk.invite()
    desk.give(request("INVITE", ("Call-ID", "2"), body=OFFER), branch="z9hG4bKsecond")
    assert desk.statuses() == [503]
    help_ = request("INVITE", ("Call-ID", "3"), body=OFFER)
    help_.uri = "sip:911@clinic.example"
    desk.give(help_, branch="z9hG4bKthird")
    assert desk.statuses() == []


# Via (§18.2.1, RFC 3581)


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        ("SIP/2.0/TLS 192.0.2.1:9;branch=z9hG4bKv", "SIP/2.0/TLS 192.0.2.1:9;branch=z9hG4bKv"),
        (
            "SIP/2.0/TLS 10.0.0.1:9;branch=z9hG4bKv",
            "SIP/2.0/TLS 10.0.0.1:9;branch=z9hG4bKv;received=192.0.2.1",
        ),
        (
            "SIP/2.0/TLS phone;rport;branch=z9hG4bKv",
            "SIP/2.0/TLS phone;rport=50000;branch=z9hG4bKv;received=192.0.2.1",
        ),
        (
            "SIP/2.0/TLS phone:9 ; branch=z9hG4bKv;rport",
            "SIP/2.0/TLS phone:9 ; branch=z9hG4bKv;rport=50000;received=192.0.2.1",
        ),
        (
            'SIP/2.0/TLS phone;x=";rport";branch=z9hG4bKv;rport',
            'SIP/2.0/TLS phone;x=";rport";branch=z9hG4bKv;rport=50000;received=192.0.2.1',
        ),
        (
            "SIP/2.0/TLS phone;rportx;branch=z9hG4bKv;rport",
            "SIP/2.0/TLS phone;rportx;branch=z9hG4bKv;rport=50000;received=192.0.2.1",
        ),
        (
            "SIP/2.0/TLS phone;received=198.51.100.9;rport;branch=z9hG4bKv",
            "SIP/2.0/TLS phone;received=192.0.2.1;rport=50000;branch=z9hG4bKv",
        ),
        (
            "SIP/2.0/TLS edge;branch=z9hG4bKv, SIP/2.0/TLS phone;branch=z9hG4bKw",
            "SIP/2.0/TLS edge;branch=z9hG4bKv;received=192.0.2.1, "
            "SIP/2.0/TLS phone;branch=z9hG4bKw",
        ),
    ],
)
def test_every_response_says_where_the_request_came_from(via, expected):
    desk = Desk()
    desk.give(request("OPTIONS"), via=via)
    (event,) = desk.stack.events()
    assert isinstance(event, RequestReceived)
    desk.respond(event, 200)
    (response,) = desk.said()
    assert response.headers.first("Via") == expected


# Responses


def test_one_tag_of_ours_is_in_every_response_but_100():
    desk = Desk()
    event = desk.invite()
    for status in (100, 180, 200):
        desk.respond(event, status)
    trying, ringing, ok = desk.said()
    assert trying.to.tag is None
    assert ringing.to.tag == ok.to.tag != None  # noqa: E711
    assert "Allow" in ok.headers and "Supported" in ok.headers


def test_a_tag_that_the_transaction_user_chose_stays():
    desk = Desk()
    event = desk.invite()
    response = answer(event.request, 486)
    response.headers.set("To", "<sip:1002@clinic.example>;tag=mine")
    desk.stack.respond(event.transaction, response, 0.0)
    assert desk.said()[0].to.tag == "mine"


def test_an_invite_that_nobody_answers_gets_100_from_its_transaction():
    desk = Desk()
    desk.invite()
    assert desk.stack.next_deadline() == 0.2
    assert desk.at(0.2) == [100]
    assert desk.stack.next_deadline() is None


def test_a_retransmitted_invite_gets_the_last_response_again():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 180)
    desk.give(request("INVITE", body=OFFER), branch="z9hG4bKinvite")
    assert desk.statuses() == [180, 180]
    assert desk.stack.events() == []


def test_two_final_responses_are_our_mistake():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 486)
    with pytest.raises(LocalError):
        desk.respond(event, 487)


def test_responses_to_what_is_over_are_dropped_and_counted():
    desk = Desk()
    assert not desk.stack.respond(TransactionId(99), answer(request(), 200), 0.0)
    assert desk.stack.counters.late == 1


def test_a_request_not_answered_in_time_is_over():
    desk = Desk()
    desk.give(request("OPTIONS"))
    (event,) = desk.stack.events()
    assert desk.at(3.5) == [100]
    assert desk.at(31.9) == [] and desk.at(32.0) == []
    assert isinstance(event, RequestReceived)
    assert desk.stack.events() == [TimedOut(event.transaction, "F", None)]
    assert not desk.respond(event, 200) and rows(desk) == []


def test_a_refusal_without_ack_times_out_after_timer_h():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 486)
    assert desk.at(31.9) == [486] and rows(desk) == ["INVITE completed"]
    desk.at(32.0)
    assert desk.stack.events() == [TimedOut(event.transaction, "H", None)]
    assert rows(desk) == []


def test_the_ack_of_a_refusal_ends_it_in_silence():
    desk = Desk()
    desk.respond(desk.invite(), 486)
    desk.give(request("ACK"), branch="z9hG4bKinvite")
    assert desk.stack.events() == [] and rows(desk) == []


# 2xx and ACK (§13.3.1.4)


def test_a_2xx_is_repeated_until_its_ack_comes_by_whatever_flow():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 200)
    assert [desk.at(t) for t in (0.0, 0.5, 1.5, 3.5)] == [[200]] * 4
    tag = desk_dialog(desk).local_tag
    desk.stack.flow_opened(FlowId(2), facts(EXCHANGE, ALICE))
    desk.give(desk.inside("ACK", 1, tag, body=OFFER), flow=2)
    (ack,) = desk.stack.events()
    assert isinstance(ack, Acknowledged)
    assert (ack.transaction, ack.flow, ack.request.body) == (event.transaction, 2, OFFER)
    assert desk.at(7.5) == []
    desk.give(desk.inside("ACK", 1, tag), flow=2)  # repeated
    assert desk.stack.events() == [] and desk.stack.counters.stray == 1
    assert rows(desk) == ["INVITE accepted"]
    desk.at(32.0)  # Timer L
    assert rows(desk) == [] and desk.stack.events() == []


def desk_dialog(desk: Desk):
    """The id of the one dialog there is."""
    (dialog_id,) = desk.stack._shared.dialogs._by_id
    return dialog_id


def test_an_ack_with_the_branch_of_its_invite_counts_as_well():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 200)
    tag = desk_dialog(desk).local_tag
    for _ in range(2):
        desk.give(desk.inside("ACK", 1, tag), branch="z9hG4bKinvite")
    assert [type(e) for e in desk.stack.events()] == [Acknowledged]


@pytest.mark.parametrize(("number", "tag"), [(2, None), (1, "wrong")])
def test_an_ack_of_something_else_confirms_nothing(number, tag):
    desk = Desk()
    desk.respond(desk.invite(), 200)
    desk.give(desk.inside("ACK", number, tag or desk_dialog(desk).local_tag))
    assert desk.stack.events() == [] and desk.stack.counters.stray == 1
    assert desk.at(0.5) == [200, 200]


def test_a_2xx_that_nobody_confirms_is_given_up_after_64_t1():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 200)
    dialog = desk.stack.dialog(desk_dialog(desk))
    desk.at(31.99)
    assert desk.stack.events() == []
    desk.at(32.0)
    assert desk.stack.events() == [TimedOut(event.transaction, "ACK", dialog)]
    assert rows(desk) == [] and len(desk.stack.snapshot().transactions) == 0


def test_a_flow_that_dies_after_the_2xx_leaves_the_call_waiting_for_its_ack():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 200)
    tag = desk_dialog(desk).local_tag
    desk.stack.flow_closed(FlowId(1), 0.1)
    assert [type(e).__name__ for e in desk.stack.events()] == ["FlowClosed"]
    late = desk.stack.counters.late
    desk.at(0.5)
    assert desk.stack.counters.late == late + 1  # there is no flow to repeat it on
    desk.stack.flow_opened(FlowId(2), facts(EXCHANGE, ALICE))
    desk.give(desk.inside("ACK", 1, tag), flow=2)
    assert [e.transaction for e in desk.stack.events()] == [event.transaction]
    assert rows(desk) == []


# Dialogs (§12)


def test_a_request_in_a_dialog_comes_with_it_and_bye_ends_it():
    desk = Desk()
    _, tag = desk.call()
    desk.give(desk.inside("BYE", 2, tag))
    (event,) = desk.stack.events()
    assert isinstance(event, RequestReceived) and event.dialog is not None
    assert desk.respond(event, 200)
    desk.give(desk.inside("BYE", 3, tag))
    assert desk.statuses() == [200, 481]


def test_a_bye_that_is_challenged_ends_nothing():
    desk = Desk()
    _, tag = desk.call()
    desk.give(desk.inside("BYE", 2, tag))
    (event,) = desk.stack.events()
    desk.respond(event, 401)
    assert desk.stack.snapshot().dialogs == 1


@pytest.mark.parametrize(("number", "status"), [(1, 500), (0, 500)])
def test_an_old_number_is_refused(number, status):
    desk = Desk()
    _, tag = desk.call()
    desk.give(desk.inside("INFO", number, tag))
    assert desk.statuses() == [status]


def test_a_refused_invite_has_no_dialog():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 180)
    assert desk.stack.snapshot().dialogs == 1
    desk.respond(event, 486)
    assert desk.stack.snapshot().dialogs == 0


def test_a_refused_reinvite_leaves_the_dialog():
    desk = Desk()
    _, tag = desk.call()
    desk.give(desk.inside("INVITE", 2, tag, body=OFFER))
    (event,) = desk.stack.events()
    desk.respond(event, 488)
    assert desk.stack.snapshot().dialogs == 1
    assert not event.dialog.state.is_early


def test_a_reinvite_in_the_dialog_is_answered_and_acknowledged_there():
    desk = Desk()
    _, tag = desk.call()
    desk.give(desk.inside("INVITE", 2, tag, body=OFFER))
    (event,) = desk.stack.events()
    desk.respond(event, 200, body=OFFER)
    desk.give(desk.inside("ACK", 2, tag))
    (ack,) = desk.stack.events()
    assert isinstance(ack, Acknowledged) and ack.dialog is event.dialog


def test_a_subscription_is_a_dialog():
    desk = Desk()
    desk.give(request("SUBSCRIBE", ("Event", "message-summary")))
    (event,) = desk.stack.events()
    desk.respond(event, 200)
    assert desk.stack.snapshot().dialogs == 1


def test_session_timers_are_settled_by_the_2xx():
    desk = Desk()
    event = desk.invite(TIMER, ("Session-Expires", "600;refresher=uas"))
    desk.respond(event, 180)
    desk.respond(event, 200)
    ringing, ok = desk.said()
    assert "Session-Expires" not in ringing.headers
    assert ok.headers.first("Session-Expires") == "600;refresher=uas"
    desk.give(desk.inside("ACK", 1, ok.to.tag or ""))
    desk.stack.events()
    desk.at(300.0)
    assert [type(e).__name__ for e in desk.stack.events()] == ["RefreshDue"]


# CANCEL (§9.2)


def test_cancel_is_answered_200_and_the_invite_487():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 180)
    desk.give(request("CANCEL", ("Reason", "SIP;cause=200")), branch="z9hG4bKinvite")
    said = desk.said()
    assert [m.status for m in said if isinstance(m, Response)] == [180, 200, 487]
    assert len({m.to.tag for m in said}) == 1
    (cancelled,) = desk.stack.events()
    assert isinstance(cancelled, Cancelled) and cancelled.transaction == event.transaction
    assert cancelled.request.headers.first("Reason") == "SIP;cause=200"
    assert not desk.respond(event, 200)  # the race is lost, quietly
    assert desk.stack.snapshot().dialogs == 0
    desk.give(request("CANCEL"), branch="z9hG4bKinvite")
    assert desk.statuses() == [200] and desk.stack.events() == []


def test_a_cancel_that_comes_too_late_changes_nothing():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 200)
    desk.give(request("CANCEL"), branch="z9hG4bKinvite")
    assert desk.statuses() == [200, 200]
    assert desk.stack.events() == [] and rows(desk) == ["INVITE accepted"]


def test_a_reinvite_is_cancelled_in_its_dialog():
    desk = Desk()
    _, tag = desk.call()
    desk.give(desk.inside("INVITE", 2, tag, body=OFFER), branch="z9hG4bKre")
    desk.stack.events()
    desk.give(desk.inside("CANCEL", 2, tag), branch="z9hG4bKre")
    assert [m.to.tag for m in desk.said()] == [tag, tag]
    assert desk.stack.snapshot().dialogs == 1


def test_a_cancel_from_another_flow_reaches_nothing():
    desk = Desk()
    desk.invite()
    desk.stack.flow_opened(FlowId(2), facts(EXCHANGE, ALICE))
    desk.give(request("CANCEL"), branch="z9hG4bKinvite", flow=2)
    assert desk.statuses() == [481]
    assert rows(desk) == ["INVITE proceeding"]


# Loss of the flow


def test_a_flow_that_dies_takes_its_open_requests():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 180)
    ours = desk.stack.request(FlowId(1), request("OPTIONS"), 0.0)
    desk.stack.flow_closed(FlowId(1), 1.0)
    assert desk.stack.events()[:2] == [FlowLost(event.transaction), FlowLost(ours)]
    assert not desk.respond(event, 200)
    assert (rows(desk), desk.stack.snapshot().dialogs) == ([], 0)


def test_a_request_that_dies_inside_an_early_dialog_leaves_the_dialog():
    desk = Desk()
    event = desk.invite()
    desk.respond(event, 180)
    desk.stack.flow_opened(FlowId(2), facts(EXCHANGE, ALICE))
    desk.give(desk.inside("UPDATE", 2, desk_dialog(desk).local_tag), flow=2)
    desk.stack.flow_closed(FlowId(2), 1.0)
    assert desk.stack.snapshot().dialogs == 1


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_request_that_dies_keeps_none_waiting_that_comes_by_the_next_flow(method):
    desk = Desk()
    _, tag = desk.call()
    desk.give(desk.inside(method, 2, tag, body=OFFER))
    desk.stack.flow_opened(FlowId(2), facts(EXCHANGE, ALICE))
    desk.give(desk.inside(method, 3, tag, body=OFFER), flow=2)
    assert desk.statuses() == [500]  # while the first may still be answered
    desk.stack.flow_closed(FlowId(1), 1.0)
    desk.stack.events()

    desk.give(desk.inside(method, 4, tag, body=OFFER), flow=2)

    assert desk.statuses() == []
    (event,) = [e for e in desk.stack.events() if isinstance(e, RequestReceived)]
    desk.stack.flow_opened(FlowId(3), facts(EXCHANGE, ALICE))
    assert desk.respond(event, 200)
    desk.stack.flow_closed(FlowId(2), 2.0)  # of a request that was answered nothing is lost
    assert desk.stack.snapshot().dialogs == 1


# Reliable provisional responses (RFC 3262)


def prack_of(desk: Desk, response: Message, number: int, **kw) -> Request:
    rack = f"{response.headers.first('RSeq')} 1 INVITE"
    return desk.inside("PRACK", number, response.to.tag or "", ("RAck", rack), **kw)


def test_a_reliable_response_is_repeated_until_its_prack_which_is_answered_here():
    desk = Desk()
    event = desk.invite(TIMER)
    desk.respond(event, 183, reliably=True)
    (early,) = desk.said()
    assert early.require == ("100rel",)
    assert desk.at(0.5) == [183]
    desk.give(prack_of(desk, early, 2))
    assert desk.statuses() == [200]
    (event2,) = desk.stack.events()
    assert isinstance(event2, ProvisionalAcknowledged)
    assert event2.transaction == event.transaction
    assert desk.at(1.5) == []
    desk.give(prack_of(desk, early, 3))
    assert desk.statuses() == [481]


def test_a_prack_with_a_body_is_for_the_transaction_user():
    desk = Desk()
    event = desk.invite(TIMER, body=b"")
    desk.respond(event, 183, reliably=True, body=OFFER)
    (early,) = desk.said()
    desk.give(prack_of(desk, early, 2, body=OFFER))
    confirmed, prack = desk.stack.events()
    assert isinstance(confirmed, ProvisionalAcknowledged) and isinstance(prack, RequestReceived)
    desk.respond(prack, 200)
    assert desk.statuses() == [200]


def test_required_100rel_makes_every_provisional_response_reliable():
    desk = Desk()
    desk.respond(desk.invite(("Require", "100rel")), 180)
    assert "RSeq" in desk.said()[0].headers


def test_100_is_never_reliable():
    desk = Desk()
    desk.respond(desk.invite(("Require", "100rel")), 100)
    assert "RSeq" not in desk.said()[0].headers


def test_reliability_needs_a_peer_that_knows_it():
    desk = Desk()
    event = desk.invite()
    with pytest.raises(LocalError, match="100rel"):
        desk.respond(event, 183, reliably=True)


def test_responses_wait_for_each_other_and_the_2xx_for_all():
    desk = Desk()
    event = desk.invite(TIMER)
    for status, body in ((183, OFFER), (180, b"")):
        assert desk.respond(event, status, reliably=True, body=body)
    assert desk.respond(event, 200, body=OFFER)
    (early,) = desk.said()
    desk.give(prack_of(desk, early, 2))
    prack_ok, ringing = desk.said()
    assert isinstance(ringing, Response) and ringing.status == 180
    desk.give(prack_of(desk, ringing, 3))
    assert desk.statuses() == [200, 200]
    assert rows(desk) == ["INVITE accepted"]
    assert prack_ok.cseq.method == "PRACK"


def test_a_refusal_waits_for_no_prack():
    desk = Desk()
    event = desk.invite(TIMER)
    desk.respond(event, 183, reliably=True, body=OFFER)
    desk.respond(event, 486)
    assert desk.statuses() == [183, 486]
    assert desk.at(0.5) == []


def test_a_2xx_goes_at_once_where_no_description_waits():
    desk = Desk()
    event = desk.invite(TIMER)
    desk.respond(event, 180, reliably=True)
    desk.respond(event, 200, body=OFFER)
    assert desk.statuses() == [180, 200]
    assert desk.at(0.5) == [200]  # and the 180 is repeated no more


def test_what_nobody_pracks_ends_the_invite():
    desk = Desk()
    event = desk.invite(TIMER)
    desk.respond(event, 183, reliably=True)
    for when in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5):
        assert 183 in desk.at(when)
    assert desk.at(32.0) == [504]
    (timed_out,) = desk.stack.events()
    assert isinstance(timed_out, TimedOut) and timed_out.timer == "PRACK"
    assert not desk.stack.snapshot().dialogs


def test_a_prack_in_a_dialog_that_waits_for_none_is_481():
    desk = Desk()
    _, tag = desk.call()
    desk.give(desk.inside("PRACK", 2, tag, ("RAck", "1 1 INVITE")))
    assert desk.statuses() == [481]


def test_a_flow_that_dies_ends_the_waiting():
    desk = Desk()
    event = desk.invite(TIMER)
    desk.respond(event, 183, reliably=True)
    desk.stack.flow_closed(FlowId(1), 0.1)
    assert desk.stack.next_deadline() is None
    assert desk.stack.snapshot().dialogs == 0


def test_an_unreliable_response_between_reliable_ones_is_sent_as_it_is():
    desk = Desk()
    event = desk.invite(TIMER)
    desk.respond(event, 183, reliably=True)
    desk.respond(event, 180)
    assert desk.statuses() == [183, 180]


@pytest.mark.parametrize(
    ("name", "value"), [("Record-Route", "junk <<"), ("Record-Route", "<junk>"), ("Contact", "<x>")]
)
def test_an_invite_whose_route_cannot_be_read_is_refused_before_it_makes_a_dialog(
    name: str, value: str
) -> None:
    desk = Desk()
    desk.give(request("INVITE", (name, value), body=OFFER))
    assert desk.statuses() == [400]
    assert [type(event) for event in desk.stack.events()] == [MessageRefused]
    assert desk.stack.snapshot().dialogs == 0


# The doorkeeper


class Guard:
    """Turns away what comes by the second flow, until it is said to know it."""

    def __init__(self) -> None:
        self.known = {FlowId(1)}
        self.way: FlowId | None = None

    def admit(
        self, flow: FlowId, request: Request, dialog: Dialog | None, now: float
    ) -> Response | object:
        return flow if flow in self.known else answer(request, 401)

    def knows(self, flow: FlowId, dialog: Dialog) -> bool:
        return flow in self.known

    def way_to(self, dialog: Dialog, held: FlowId) -> FlowId:
        return self.way or held


def guarded() -> tuple[Desk, Guard]:
    desk, guard = Desk(), Guard()
    desk.stack.guard(guard)
    desk.stack.flow_opened(FlowId(2), facts(EXCHANGE, ALICE))
    return desk, guard


def test_who_was_let_in_is_told_with_the_request() -> None:
    desk, guard = guarded()
    assert desk.invite().sender == FlowId(1)
    guard.known.add(FlowId(2))
    desk.give(request("OPTIONS", ("Call-ID", "2")), flow=2)
    [event] = desk.stack.events()
    assert isinstance(event, RequestReceived) and event.sender == FlowId(2)


def test_what_is_turned_away_is_answered_and_forgotten() -> None:
    desk, _ = guarded()
    for number in range(40):  # more than a stranger may have open at once
        fields = ("Call-ID", f"c{number}")
        desk.give(request("INVITE", fields, body=OFFER), flow=2, branch=f"z9hG4bKi{number}")
        [said] = desk.said()
        assert isinstance(said, Response) and said.status == 401 and said.to.tag
        snapshot = desk.stack.snapshot()
        assert (snapshot.transactions, desk.stack.next_deadline()) == ((), None)
    assert desk.stack.counters.turned_away == 40
    desk.give(request("ACK", ("Call-ID", "c39")), flow=2, branch="z9hG4bKi39")
    assert desk.stack.events() == [] and desk.said() == []


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE", "PRACK"])
def test_what_is_turned_away_uses_up_nothing_of_its_dialog(method: str) -> None:
    desk, _ = guarded()
    _, tag = desk.call()
    desk.give(desk.inside(method, 1000, tag, ("RAck", "1 1 INVITE"), body=OFFER), flow=2)
    [said] = desk.said()
    assert isinstance(said, Response) and (said.status, said.to.tag) == (401, tag)
    assert desk.stack.events() == []

    desk.give(desk.inside("BYE", 2, tag))

    [event] = desk.stack.events()
    assert isinstance(event, RequestReceived) and event.dialog is not None


def test_a_prack_by_another_flow_confirms_nothing() -> None:
    desk, guard = guarded()
    event = desk.invite(TIMER)
    desk.respond(event, 183, reliably=True, body=OFFER)
    [ringing] = desk.said()
    prack = desk.inside("PRACK", 2, ringing.to.tag or "", ("RAck", f"{ringing.rseq} 1 INVITE"))
    desk.give(prack, flow=2)
    assert desk.statuses() == [401] and desk.stack.events() == []

    guard.known.add(FlowId(2))
    desk.give(prack, flow=2, branch="z9hG4bKproved")

    assert desk.statuses() == [200]
    assert [type(e) for e in desk.stack.events()] == [ProvisionalAcknowledged]


def test_an_ack_by_another_flow_counts_once_that_flow_is_the_peers() -> None:
    desk, guard = guarded()
    event = desk.invite()
    desk.respond(event, 200, body=OFFER)
    [ok] = desk.said()
    ack = desk.inside("ACK", 1, ok.to.tag or "")
    desk.give(ack, flow=2)
    assert desk.stack.events() == [] and desk.stack.counters.stray == 1

    guard.known.add(FlowId(2))
    desk.give(ack, flow=2, branch="z9hG4bKproved")

    assert [type(e) for e in desk.stack.events()] == [Acknowledged]


def test_a_2xx_is_repeated_by_the_flow_that_the_phone_has_by_now() -> None:
    desk, guard = guarded()
    event = desk.invite()
    desk.respond(event, 200, body=OFFER)
    [ok] = desk.said()
    desk.stack.flow_closed(FlowId(1), 0.1)
    assert desk.at(0.5) == [], "nobody knows of another one"
    guard.known, guard.way = {FlowId(2)}, FlowId(2)
    desk.stack.expire(1.5)

    [(flow, data)] = desk.stack.outgoing()
    assert (flow, parse_message(data)) == (2, ok)
    desk.give(desk.inside("ACK", 1, ok.to.tag or ""), flow=2)

    assert [type(e) for e in desk.stack.events()] == [FlowClosed, Acknowledged]
    assert rows(desk) == []


def test_an_invite_that_nobody_has_answered_is_lost_with_its_flow() -> None:
    desk = Desk()
    event = desk.invite()
    desk.stack.flow_closed(FlowId(1), 0.1)
    assert desk.stack.events() == [FlowLost(event.transaction), FlowClosed(FlowId(1))]
    assert rows(desk) == []
