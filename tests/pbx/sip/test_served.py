"""One deadline for a server transaction and all that waits beside it."""

from pbx.sip.events import TransactionId
from pbx.sip.flows import Flow, FlowId
from pbx.sip.reliable import ReliableProvisionals
from pbx.sip.retransmission import Retransmission
from pbx.sip.served import Served
from pbx.sip.timers import Timers
from pbx.sip.transaction.server_invite import InviteServerTransaction
from tests.support.pair import ALICE, EXCHANGE, facts
from tests.support.transactions import make_request, make_response


def served(rung: list[float]) -> Served:
    machine = InviteServerTransaction(make_request("INVITE"), Timers(), 0.0)
    flow = Flow(FlowId(1), facts(EXCHANGE, ALICE))
    key = (1, "z9hG4bKinvite", "alice", "INVITE")
    return Served(TransactionId(1), flow, machine, key, lambda _, now: rung.append(now))


def test_the_earliest_deadline_counts():
    entry = served([])
    assert entry.deadline == 0.2
    entry.answer = Retransmission(make_response("INVITE", 200), Timers(), -0.4)
    assert abs((entry.deadline or 0) - 0.1) < 1e-9
    entry.machine.respond(make_response("INVITE", 180), 0.0)
    assert entry.machine.deadline is None
    assert abs((entry.deadline or 0) - 0.1) < 1e-9
    entry.answer = None
    entry.provisionals = ReliableProvisionals(Timers())
    assert entry.deadline is None
    entry.provisionals.offer(make_response("INVITE", 183), 5.0)
    assert entry.deadline == 5.5


def test_it_is_over_when_neither_transaction_nor_answer_is_left():
    entry = served([])
    assert not entry.is_over
    entry.answer = Retransmission(make_response("INVITE", 200), Timers(), 0.0)
    entry.machine.lose_flow(0.0)
    assert not entry.is_over
    entry.answer = None
    assert entry.is_over


def test_it_rings_for_its_owner():
    rung: list[float] = []
    served(rung).ring(7.0)
    assert rung == [7.0]


def test_its_request_is_the_machines():
    entry = served([])
    assert entry.request is entry.machine.request
