"""RFC 3261 figure 7 as RFC 6026 §8.7 redraws it, on a reliable transport."""

from itertools import product

import pytest

from pbx.sip.errors import LocalError
from pbx.sip.timers import Timers
from pbx.sip.transaction.server_invite import InviteServerTransaction
from pbx.sip.transaction.state import State
from tests.support.transactions import make_request, make_response, read

NEW, P, A, C, T = "new", State.PROCEEDING, State.ACCEPTED, State.COMPLETED, State.TERMINATED
START = 100.0
# Timer L and Timer H are 64*T1 after entry; a new INVITE gets 100 after 200 ms.
DEADLINE = {NEW: 100.2, P: None, A: 132.0, C: 132.0, T: None}

FIGURE_7 = {  # (state, event): (next state, effects); absent: no effect
    (NEW, "100"): (P, ["send 100"]),
    (NEW, "180"): (P, ["send 180"]),
    (NEW, "200"): (A, ["send 200"]),
    (NEW, "486"): (C, ["send 486"]),
    (NEW, "deadline"): (P, ["send 100"]),
    (NEW, "flow"): (T, ["lost"]),
    (P, "INVITE"): (P, ["send 180"]),
    (P, "100"): (P, ["send 100"]),
    (P, "180"): (P, ["send 180"]),
    (P, "200"): (A, ["send 200"]),
    (P, "486"): (C, ["send 486"]),
    (P, "flow"): (T, ["lost"]),
    (A, "ACK"): (A, ["deliver ACK"]),
    (A, "200"): (A, ["send 200"]),
    (A, "deadline"): (T, []),
    (A, "flow"): (T, []),
    (C, "INVITE"): (C, ["send 486"]),
    (C, "ACK"): (T, []),
    (C, "deadline"): (T, ["timeout H"]),
    (C, "flow"): (T, ["lost"]),
}
REFUSED = {(A, "100"), (A, "180"), (A, "486"), *product([C, T], ["100", "180", "200", "486"])}
EVENTS = ["INVITE", "ACK", "100", "180", "200", "486", "deadline", "flow"]


def transaction(state: State | str) -> InviteServerTransaction:
    machine = InviteServerTransaction(make_request("INVITE"), Timers(), START)
    for status in {P: [180], A: [200], C: [486], T: [486]}.get(state, []):
        machine.respond(make_response("INVITE", status), START)
    if state is T:
        machine.receive(make_request("ACK"), START)
    return machine


def happen(machine: InviteServerTransaction, event: str, now: float) -> list[str]:
    match event:
        case "INVITE" | "ACK":
            return read(machine.receive(make_request(event), now))
        case "deadline":
            return read(machine.expire(now))
        case "flow":
            return read(machine.lose_flow(now))
    return read(machine.respond(make_response("INVITE", int(event)), now))


@pytest.mark.parametrize("state", [NEW, P, A, C, T])
def test_each_state_has_the_deadline_of_its_timer(state):
    assert transaction(state).deadline == DEADLINE[state]


@pytest.mark.parametrize(("state", "event"), [*product([NEW, P, A, C, T], EVENTS)])
def test_every_state_and_event_follows_figure_7(state, event):
    machine = transaction(state)
    before = machine.state
    if event == "deadline" and machine.deadline is None:
        return  # nobody rings
    if (state, event) in REFUSED:
        with pytest.raises(LocalError, match="one final response"):
            happen(machine, event, START)
        assert machine.state is before
        return
    if (state, event) == (T, "flow"):
        return  # the stack has forgotten it
    next_state, effects = FIGURE_7.get((state, event), (before, []))
    assert happen(machine, event, START) == effects
    assert machine.state is next_state
    if next_state is not before or machine.state is T:
        assert machine.deadline == DEADLINE[next_state]


def test_the_100_of_the_deadline_is_repeated_and_comes_once():
    machine = transaction(NEW)
    happen(machine, "deadline", 100.2)
    assert machine.deadline is None
    assert happen(machine, "INVITE", 100.3) == ["send 100"]


def test_a_response_in_time_makes_the_100_needless():
    machine = transaction(NEW)
    happen(machine, "180", 100.1)
    assert machine.deadline is None


def test_a_late_refusal_waits_its_full_timer_h():
    machine = transaction(NEW)
    happen(machine, "486", 150.0)
    assert machine.deadline == 182.0


@pytest.mark.parametrize(("status", "state"), [(199, P), (200, A), (299, A), (300, C), (699, C)])
def test_classes_of_responses_have_sharp_edges(status, state):
    machine = transaction(NEW)
    machine.respond(make_response("INVITE", status), START)
    assert machine.state is state


@pytest.mark.parametrize("status", [199, 300])
def test_nothing_but_a_2xx_follows_a_2xx(status):
    machine = transaction(A)
    with pytest.raises(LocalError):
        machine.respond(make_response("INVITE", status), START)
    assert read(machine.respond(make_response("INVITE", 299), START)) == ["send 299"]
