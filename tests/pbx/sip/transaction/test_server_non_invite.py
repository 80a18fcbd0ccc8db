"""RFC 3261 figure 8 on a reliable transport, with RFC 4320 §4."""

from itertools import product

import pytest

from pbx.sip.errors import LocalError
from pbx.sip.timers import Timers
from pbx.sip.transaction.server_non_invite import NonInviteServerTransaction
from pbx.sip.transaction.state import State
from tests.support.transactions import make_request, make_response, read

TR, P, T = State.TRYING, State.PROCEEDING, State.TERMINATED
START = 100.0
# 0.5 + 1 + 2: Timer E has reached T2. Then 64*T1 after the start: the client's Timer F.
DEADLINE = {TR: 103.5, P: 132.0, T: None}
FIGURE_8 = {
    (TR, "100"): (P, ["send 100"]),
    (TR, "200"): (T, ["send 200"]),
    (TR, "500"): (T, ["send 500"]),
    (TR, "deadline"): (P, ["send 100"]),
    (TR, "flow"): (T, ["lost"]),
    (P, "OPTIONS"): (P, ["send 100"]),
    (P, "100"): (P, ["send 100"]),
    (P, "200"): (T, ["send 200"]),
    (P, "500"): (T, ["send 500"]),
    (P, "deadline"): (T, ["timeout F"]),
    (P, "flow"): (T, ["lost"]),
}
REFUSED = {
    **{(state, "180"): "only INVITE is answered provisionally" for state in (TR, P)},
    **{(state, "408"): "408 answers INVITE alone" for state in (TR, P)},
    **{(T, status): "one final response" for status in ("100", "180", "200", "408", "500")},
}
EVENTS = ["OPTIONS", "100", "180", "200", "408", "500", "deadline", "flow"]


def transaction(state: State) -> NonInviteServerTransaction:
    machine = NonInviteServerTransaction(make_request("OPTIONS"), Timers(), START)
    if state is not TR:
        machine.respond(make_response("OPTIONS", 100 if state is P else 200), START)
    return machine


def happen(machine: NonInviteServerTransaction, event: str, now: float) -> list[str]:
    match event:
        case "OPTIONS":
            return read(machine.receive(make_request(event), now))
        case "deadline":
            return read(machine.expire(now))
        case "flow":
            return read(machine.lose_flow(now))
    return read(machine.respond(make_response("OPTIONS", int(event)), now))


@pytest.mark.parametrize(("state", "event"), [*product([TR, P, T], EVENTS)])
def test_every_state_and_event_follows_figure_8(state, event):
    machine = transaction(state)
    assert machine.deadline == DEADLINE[state]
    if state is T and event in ("deadline", "flow"):
        return  # the stack has forgotten it
    if (state, event) in REFUSED:
        with pytest.raises(LocalError, match=REFUSED[state, event]):
            happen(machine, event, START)
        assert machine.state is state
        return
    next_state, effects = FIGURE_8.get((state, event), (state, []))
    assert happen(machine, event, START) == effects
    assert machine.state is next_state
    assert machine.deadline == DEADLINE[next_state]


def test_a_100_does_not_prolong_the_time_to_answer():
    machine = transaction(TR)
    happen(machine, "deadline", 103.5)
    happen(machine, "100", 120.0)
    assert machine.deadline == 132.0


@pytest.mark.parametrize("status", [101, 199])
def test_all_other_provisional_responses_are_refused(status):
    with pytest.raises(LocalError, match="only INVITE"):
        happen(transaction(TR), str(status), START)
