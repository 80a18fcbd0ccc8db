"""The stack as a whole: two of them back to back, and whatever bytes a peer may send to one."""

from __future__ import annotations

import msgspec
import pytest

from pbx.sip.dialog import DialogState
from pbx.sip.doorkeeper import OpenDoor
from pbx.sip.events import (
    Acknowledged,
    Cancelled,
    FlowClosed,
    FlowLost,
    MessageRefused,
    RefreshDue,
    RequestReceived,
    ResponseReceived,
    SessionExpired,
    TimedOut,
)
from pbx.sip.flows import FlowId
from pbx.sip.message import Response
from pbx.sip.parser import parse_message
from pbx.sip.session_clock import SessionTimer
from pbx.sip.stack import Stack
from tests.support.pair import ALICE, EXCHANGE, Pair, answer, facts, raw, request

OFFER = b"v=0"


def one(events, kind):
    """The only event of this kind."""
    (found,) = [event for event in events if isinstance(event, kind)]
    return found


def ring(pair: Pair) -> tuple[int, RequestReceived]:
    transaction = pair.alice.request(pair.flow, request(body=OFFER), pair.now)
    pair.carry()
    event = one(pair.events("exchange"), RequestReceived)
    pair.exchange.respond(event.transaction, answer(event.request, 180), pair.now)
    pair.carry()
    return transaction, event


def call(pair: Pair):
    """A call that is up: Alice's dialog and the exchange's."""
    transaction, event = ring(pair)
    pair.exchange.respond(event.transaction, answer(event.request, 200, body=OFFER), pair.now)
    pair.carry()
    ours = one([e for e in pair.events("alice") if e.response.status == 200], ResponseReceived)
    pair.alice.acknowledge(transaction, ours.dialog, pair.flow)
    pair.carry()
    return ours.dialog, one(pair.events("exchange"), Acknowledged).dialog


def hang_up(pair: Pair, dialog) -> None:
    pair.alice.request(pair.flow, dialog.request("BYE"), pair.now)
    pair.carry()
    bye = one(pair.events("exchange"), RequestReceived)
    pair.exchange.respond(bye.transaction, answer(bye.request, 200), pair.now)
    pair.carry()


def assert_empty(pair: Pair) -> None:
    """Nothing is left of anything, and nobody waits for anything."""
    for stack in (pair.alice, pair.exchange):
        snapshot = stack.snapshot()
        assert (snapshot.transactions, snapshot.dialogs) == ((), 0)
        assert stack.next_deadline() is None


def test_a_call_from_invite_to_bye():
    pair = Pair()
    alice, exchange = call(pair)
    assert alice.id.remote_tag == exchange.id.local_tag
    hang_up(pair, alice)
    pair.pass_time(32)
    pair.carry()
    assert_empty(pair)
    assert pair.methods("alice") == ["INVITE", "ACK", "BYE"]
    assert pair.statuses("exchange") == [180, 200, 200]


def test_the_exchange_can_hang_up_on_a_newer_flow():
    pair = Pair()
    _, exchange = call(pair)
    pair.cut(pair.flow)
    newer = pair.connect(2)
    pair.exchange.request(newer, exchange.request("BYE"), pair.now)
    pair.carry()
    bye = one(pair.events("alice"), RequestReceived)
    assert (bye.flow, bye.request.method) == (newer, "BYE")
    pair.alice.respond(bye.transaction, answer(bye.request, 200), pair.now)
    pair.carry()
    pair.pass_time(40)
    assert_empty(pair)


def test_a_lost_ack_is_sent_again_for_the_repeated_2xx():
    pair = Pair()
    transaction, event = ring(pair)
    pair.exchange.respond(event.transaction, answer(event.request, 200), pair.now)
    pair.carry()
    ok = pair.events("alice")[-1]
    pair.alice.acknowledge(transaction, ok.dialog, pair.flow)
    pair.collect()
    pair.wire.clear()  # the ACK is lost
    pair.pass_time(0.5)
    pair.carry()
    assert pair.methods("alice") == ["INVITE", "ACK", "ACK"]
    one(pair.events("exchange"), Acknowledged)
    assert [e for e in pair.events("alice") if isinstance(e, ResponseReceived)] == []


@pytest.mark.parametrize("first", ["cancel", "answer"])
def test_cancel_and_answer_cross(first):
    """§9.1: both are on the wire at once; whichever the exchange sees first decides, and both
    ends agree."""
    pair = Pair()
    transaction, event = ring(pair)
    pair.events("alice")
    pair.alice.cancel(transaction, pair.now)
    if first == "answer":
        assert pair.exchange.respond(event.transaction, answer(event.request, 200), pair.now)
    pair.carry()
    if first == "cancel":
        one(pair.events("exchange"), Cancelled)
        assert not pair.exchange.respond(event.transaction, answer(event.request, 200), pair.now)
        assert [e.response.status for e in pair.events("alice")] == [487]
    else:
        ok = one(pair.events("alice"), ResponseReceived)
        assert ok.response.status == 200
        pair.alice.acknowledge(transaction, ok.dialog, pair.flow)
        pair.carry()
        hang_up(pair, ok.dialog)
    pair.pass_time(40)
    pair.carry()
    assert_empty(pair)


def test_a_cancel_that_overtakes_its_invite_is_481_and_the_invite_goes_on():
    pair = Pair()
    transaction = pair.alice.request(pair.flow, request(), pair.now)
    pair.collect()
    (_, flow, invite) = pair.wire.pop()
    # An impatient client sends CANCEL before any provisional response; ours never does.
    cancel = parse_message(invite.replace(b"INVITE", b"CANCEL"))
    pair.exchange.receive(flow, cancel.encode(), pair.now)
    pair.collect()
    pair.carry()
    assert pair.statuses("exchange") == [481]
    pair.exchange.receive(flow, invite, pair.now)
    one(pair.events("exchange"), RequestReceived)
    assert transaction


def test_a_flow_that_dies_while_it_rings_ends_the_attempt_at_both_ends():
    pair = Pair()
    transaction, event = ring(pair)
    pair.events("alice")
    pair.cut(pair.flow)
    assert pair.events("alice") == [FlowLost(transaction), FlowClosed(pair.flow)]
    assert pair.events("exchange") == [FlowLost(event.transaction), FlowClosed(pair.flow)]
    assert_empty(pair)


def test_a_session_is_refreshed_by_the_caller_and_expires_without():
    pair = Pair()
    alice, exchange = call(pair)
    assert alice.state.session == SessionTimer(1800, True)
    assert exchange.state.session == SessionTimer(1800, False)
    pair.pass_time(900)
    assert one(pair.events("alice"), RefreshDue).dialog is alice
    pair.alice.request(pair.flow, alice.request("UPDATE"), pair.now)
    pair.carry()
    update = one(pair.events("exchange"), RequestReceived)
    pair.exchange.respond(update.transaction, answer(update.request, 200), pair.now)
    pair.carry()
    pair.pass_time(1767)
    assert [e for e in pair.events("exchange") if isinstance(e, SessionExpired)] == []
    pair.pass_time(1)
    assert one(pair.events("exchange"), SessionExpired).dialog is exchange
    assert one(pair.events("alice"), SessionExpired).dialog is alice


def test_a_dialog_comes_back_from_its_snapshot_in_a_new_stack():
    pair = Pair()
    alice, exchange = call(pair)
    state = msgspec.json.decode(msgspec.json.encode(exchange.state), type=DialogState)
    pair.exchange = Stack()
    pair.exchange.flow_opened(pair.flow, facts(EXCHANGE, ALICE))
    restored = pair.exchange.restore(state, pair.now)
    assert pair.exchange.dialog(state.id) is restored
    hang_up(pair, alice)
    pair.pass_time(40)
    assert_empty(pair)


def test_a_restored_dialog_keeps_its_session_timer():
    pair = Pair()
    _, exchange = call(pair)
    fresh = Stack()
    fresh.restore(exchange.state, 5000.0)
    assert fresh.next_deadline() == 5000.0 + 1800 - 32


def test_a_dropped_dialog_is_481():
    pair = Pair()
    alice, exchange = call(pair)
    pair.exchange.drop(exchange)
    pair.alice.request(pair.flow, alice.request("INFO"), pair.now)
    pair.carry()
    assert pair.statuses("exchange")[-1] == 481


def test_a_loop_is_seen_through_somebodys_proxy():
    pair = Pair()
    pair.alice.request(pair.flow, request(), pair.now)
    pair.collect()
    looped = pair.sent[-1][1]
    sent_by = looped.via.sent_by
    looped.headers.prepend("Via", "SIP/2.0/TLS proxy;branch=z9hG4bKp")
    assert pair.alice.is_loop(looped, sent_by)
    assert not pair.exchange.is_loop(looped, sent_by)


# One stack and a peer that misbehaves


def lone() -> Stack:
    stack = Stack()
    stack.flow_opened(FlowId(1), facts(EXCHANGE, ALICE))
    return stack


def test_facts_are_known_while_the_flow_is_open():
    stack = lone()
    facts_of = stack.facts(FlowId(1))
    assert facts_of is not None and facts_of.peer == ALICE
    stack.flow_closed(FlowId(1), 0.0)
    assert stack.facts(FlowId(1)) is None
    assert stack.events() == [FlowClosed(FlowId(1))]
    stack.flow_closed(FlowId(1), 0.0)
    assert stack.events() == []


def test_a_flow_whose_peer_is_known_gets_the_wider_limits():
    stack = lone()
    for known, refused in ((False, True), (True, False)):
        if known:
            stack.flow_authenticated(FlowId(1))
        for number in range(20):
            fields = ("Call-ID", f"{known}-{number}")
            stack.receive(
                FlowId(1), raw(request("OPTIONS", fields), f"z9hG4bK{known}{number}"), 0.0
            )
        assert any(isinstance(e, MessageRefused) for e in stack.events()) == refused


def test_who_guards_the_stack_is_asked_about_every_request_from_then_on():
    class Porter(OpenDoor):
        def admit(self, flow, request, dialog, now):
            asked.append((flow, request.method))
            return super().admit(flow, request, dialog, now)

    asked: list[tuple[FlowId, str]] = []
    stack = lone()
    stack.receive(FlowId(1), raw(request("OPTIONS", ("Call-ID", "before")), "z9hG4bKone"), 0.0)
    assert asked == []

    stack.guard(Porter())
    stack.receive(FlowId(1), raw(request("OPTIONS", ("Call-ID", "after")), "z9hG4bKtwo"), 0.0)

    assert asked == [(FlowId(1), "OPTIONS")]


def test_a_message_of_a_flow_that_is_gone_is_dropped():
    stack = lone()
    stack.receive(FlowId(2), raw(request()), 0.0)
    assert (stack.events(), stack.outgoing(), stack.counters.late) == ([], [], 1)


BROKEN = raw(request("OPTIONS")).replace(b"Max-Forwards: 70", b"CSeq: 2 OPTIONS")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (BROKEN, 400),
        (raw(request("INVITE", ("Require", "a b"))), 400),
        (raw(request("INVITE", ("Session-Expires", "x"))), 400),
        (raw(request("ACK", ("To", "<sip:a@b>;tag=x"))).replace(b"Length: 0", b"Length: 5"), 0),
        (b"rubbish\r\n\r\n", 0),
        (b"", 0),
        (b"\x00" * 100, 0),
    ],
)
def test_what_is_malformed_is_answered_if_it_can_be_and_never_raises(data, status):
    stack = lone()
    stack.receive(FlowId(1), data, 0.0)
    (event,) = stack.events()
    assert isinstance(event, MessageRefused) and event.status == status
    said = [parse_message(d) for _, d in stack.outgoing()]
    assert [m.status for m in said if isinstance(m, Response)] == ([status] if status else [])
    assert stack.counters.malformed == 1
    assert stack.snapshot().transactions == ()


def test_a_response_that_cannot_be_read_is_reported_and_ends_its_request():
    stack = lone()
    stack.request(FlowId(1), request(), 0.0)
    ((_, invite),) = stack.outgoing()
    ok = answer(parse_message(invite), 200, ("Contact", "<<>>"))  # type: ignore[arg-type]
    ok.headers.amend("To", f"{ok.headers.first('To')};tag=bob")
    stack.receive(FlowId(1), ok.encode(), 0.0)
    event, failure = stack.events()
    assert isinstance(event, MessageRefused) and event.status == 0
    assert len(stack.outgoing()) == 2  # ACK and BYE
    assert isinstance(failure, ResponseReceived)
    assert failure.response.status == 502


def test_an_ack_whose_fields_are_broken_is_never_answered():
    stack = lone()
    ack = request("ACK", ("To", "<sip:a@b>;tag=x"))
    ack.headers.prepend("Via", "SIP/2.0/TLS h;branch=z9hG4bKa, broken")
    stack.receive(FlowId(1), ack.encode(), 0.0)
    assert stack.outgoing() == []


def test_the_snapshot_shows_what_is_open_and_nothing_protected():
    stack = lone()
    stack.receive(FlowId(1), raw(request()), 0.0)
    stack.request(FlowId(1), request("OPTIONS"), 0.0)
    snapshot = stack.snapshot()
    rows = [(r.role, r.method, r.state, r.deadline) for r in snapshot.transactions]
    assert rows == [("server", "INVITE", "proceeding", 0.2), ("client", "OPTIONS", "trying", 32.0)]
    assert (snapshot.flows, snapshot.dialogs, snapshot.counters["requests"]) == (1, 0, 1)
    assert "1001" not in repr(snapshot)


def test_time_is_an_argument_and_every_deadline_is_kept():
    stack = lone()
    transaction = stack.request(FlowId(1), request("OPTIONS"), 0.0)
    assert stack.next_deadline() == 32.0
    stack.expire(31.999)
    assert stack.events() == []
    stack.expire(32.0)
    assert stack.events() == [TimedOut(transaction, "F")]
    assert stack.next_deadline() is None
