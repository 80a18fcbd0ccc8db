"""RFC 3261 figure 6 on a reliable transport."""

from itertools import product

import pytest

from pbx.sip.timers import Timers
from pbx.sip.transaction.client_non_invite import NonInviteClientTransaction
from pbx.sip.transaction.state import State
from tests.support.transactions import make_request, make_response, read

TR, P, T = State.TRYING, State.PROCEEDING, State.TERMINATED
DEADLINE = {TR: 132.0, P: 132.0, T: None}  # Timer F
FIGURE_6 = {
    (TR, "100"): (P, ["deliver 100"]),
    (TR, "200"): (T, ["deliver 200"]),
    (TR, "503"): (T, ["deliver 503"]),
    (TR, "deadline"): (T, ["timeout F"]),
    (TR, "flow"): (T, ["lost"]),
    (P, "100"): (P, ["deliver 100"]),
    (P, "200"): (T, ["deliver 200"]),
    (P, "503"): (T, ["deliver 503"]),
    (P, "deadline"): (T, ["timeout F"]),
    (P, "flow"): (T, ["lost"]),
}


def transaction(state: State) -> NonInviteClientTransaction:
    machine = NonInviteClientTransaction(make_request("BYE"), Timers(), 100.0)
    assert read(machine.start()) == ["send BYE"]
    if state is not TR:
        machine.receive(make_response("BYE", 100 if state is P else 200), 101.0)
    return machine


@pytest.mark.parametrize(
    ("state", "event"), [*product([TR, P, T], ["100", "200", "503", "deadline", "flow"])]
)
def test_every_state_and_event_follows_figure_6(state, event):
    machine = transaction(state)
    assert machine.deadline == DEADLINE[state]
    if state is T and event in ("deadline", "flow"):
        return  # the stack has forgotten it
    next_state, effects = FIGURE_6.get((state, event), (state, []))
    match event:
        case "deadline":
            seen = machine.expire(132.0)
        case "flow":
            seen = machine.lose_flow(102.0)
        case _:
            seen = machine.receive(make_response("BYE", int(event)), 102.0)
    assert read(seen) == effects
    assert machine.state is next_state
    assert machine.deadline == DEADLINE[next_state]


@pytest.mark.parametrize(("status", "state"), [(199, P), (200, T)])
def test_200_is_final_and_199_is_not(status, state):
    machine = transaction(TR)
    machine.receive(make_response("BYE", status), 101.0)
    assert machine.state is state
