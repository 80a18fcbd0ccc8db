"""A client transaction as the UAC core keeps it."""

from pbx.sip.events import TransactionId
from pbx.sip.flows import Flow, FlowId
from pbx.sip.sent import Sent
from pbx.sip.timers import Timers
from pbx.sip.transaction.client_non_invite import NonInviteClientTransaction
from tests.support.pair import ALICE, EXCHANGE, facts
from tests.support.transactions import make_request


def test_it_shows_its_machine_and_rings_for_its_owner():
    rung: list[float] = []
    machine = NonInviteClientTransaction(make_request("BYE"), Timers(), 0.0)
    flow = Flow(FlowId(1), facts(EXCHANGE, ALICE))
    sent = Sent(TransactionId(1), flow, machine, ("b", "BYE"), lambda _, now: rung.append(now))
    assert (sent.request, sent.deadline) == (machine.request, 32.0)
    sent.ring(32.0)
    assert rung == [32.0] and not sent.is_quiet
