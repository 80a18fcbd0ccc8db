"""RFC 3261 figure 5 as RFC 6026 §8.4 redraws it, on a reliable transport; CANCEL by §9.1."""

from itertools import product

import pytest

from pbx.sip.timers import Timers
from pbx.sip.transaction.client_invite import InviteClientTransaction
from pbx.sip.transaction.state import State
from tests.support.transactions import make_request, make_response, read

CA, P, A, T = State.CALLING, State.PROCEEDING, State.ACCEPTED, State.TERMINATED
WAITING = "calling, CANCEL wanted"
LEAVING = "proceeding, CANCEL sent"
# Timer B, none while it rings, Timer M; a cancelled INVITE is over after 64*T1 (§9.1).
DEADLINE = {CA: 132.0, WAITING: 132.0, P: None, LEAVING: 142.0, A: 142.0, T: None}
FIGURE_5 = {
    (CA, "180"): (P, ["deliver 180"]),
    (CA, "200"): (A, ["deliver 200"]),
    (CA, "486"): (T, ["send ACK", "deliver 486"]),
    (CA, "deadline"): (T, ["timeout B"]),
    (CA, "flow"): (T, ["lost"]),
    (CA, "cancel"): (WAITING, []),
    (WAITING, "180"): (LEAVING, ["deliver 180", "cancel"]),
    (WAITING, "200"): (A, ["deliver 200"]),
    (WAITING, "486"): (T, ["send ACK", "deliver 486"]),
    (WAITING, "deadline"): (T, ["timeout B"]),
    (WAITING, "flow"): (T, ["lost"]),
    (P, "180"): (P, ["deliver 180"]),
    (P, "200"): (A, ["deliver 200"]),
    (P, "486"): (T, ["send ACK", "deliver 486"]),
    (P, "flow"): (T, ["lost"]),
    (P, "cancel"): (LEAVING, ["cancel"]),
    (LEAVING, "180"): (LEAVING, ["deliver 180"]),
    (LEAVING, "200"): (A, ["deliver 200"]),
    (LEAVING, "486"): (T, ["send ACK", "deliver 486"]),
    (LEAVING, "deadline"): (T, ["timeout B"]),
    (LEAVING, "flow"): (T, ["lost"]),
    (A, "200"): (A, ["deliver 200"]),
    (A, "deadline"): (T, []),
    (A, "flow"): (T, []),
}
STATES = [CA, WAITING, P, LEAVING, A, T]
EVENTS = ["180", "200", "486", "deadline", "flow", "cancel"]
PATH = {WAITING: ["cancel"], P: ["180"], LEAVING: ["180", "cancel"], A: ["200"], T: ["486"]}


def happen(machine: InviteClientTransaction, event: str) -> list[str]:
    match event:
        case "deadline":
            return read(machine.expire(machine.deadline or 0.0))
        case "flow":
            return read(machine.lose_flow(110.0))
        case "cancel":
            return read(machine.cancel(110.0))
    return read(machine.receive(make_response("INVITE", int(event)), 110.0))


def transaction(state: State | str) -> InviteClientTransaction:
    machine = InviteClientTransaction(make_request("INVITE"), Timers(), 100.0)
    assert read(machine.start()) == ["send INVITE"]
    for event in PATH.get(state, []):
        happen(machine, event)
    return machine


@pytest.mark.parametrize(("state", "event"), [*product(STATES, EVENTS)])
def test_every_state_and_event_follows_figure_5(state, event):
    machine = transaction(state)
    assert machine.deadline == DEADLINE[state]
    if state is T and event in ("deadline", "flow"):
        return  # the stack has forgotten it
    if (state, event) == (P, "deadline"):
        return  # ringing has no deadline of its own
    next_state, effects = FIGURE_5.get((state, event), (state, []))
    assert happen(machine, event) == effects
    assert machine.state is {WAITING: CA, LEAVING: P}.get(next_state, next_state)
    assert machine.deadline == DEADLINE[next_state]


def test_the_cancel_waits_for_the_first_provisional_response_and_is_sent_once():
    machine = transaction(WAITING)
    assert happen(machine, "180") == ["deliver 180", "cancel"]
    assert happen(machine, "180") == ["deliver 180"]
    assert happen(machine, "cancel") == []


def test_more_ringing_does_not_prolong_a_cancelled_invite():
    machine = transaction(LEAVING)
    machine.receive(make_response("INVITE", 180), 141.0)
    assert machine.deadline == 142.0


def test_a_retransmitted_2xx_gets_its_ack_again_and_is_not_delivered():
    machine = transaction(A)
    machine.acknowledge("bob1", make_request("ACK"))
    assert happen(machine, "200") == ["send ACK"]


def test_the_2xx_of_another_fork_is_delivered():
    machine = transaction(A)
    machine.acknowledge("someone-else", make_request("ACK"))
    assert happen(machine, "200") == ["deliver 200"]


def test_an_ack_before_or_after_the_2xx_is_not_kept():
    machine = transaction(P)
    machine.acknowledge("bob1", make_request("ACK"))
    happen(machine, "200")
    assert happen(machine, "200") == ["deliver 200"]


@pytest.mark.parametrize(("status", "state"), [(199, P), (200, A), (299, A), (300, T)])
def test_classes_of_responses_have_sharp_edges(status, state):
    machine = transaction(CA)
    happen(machine, str(status))
    assert machine.state is state


@pytest.mark.parametrize(("status", "effects"), [(199, []), (299, ["deliver 299"]), (300, [])])
def test_nothing_but_a_2xx_is_heard_after_a_2xx(status, effects):
    assert happen(transaction(A), str(status)) == effects
