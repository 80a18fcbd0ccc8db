"""Two stacks under any sequence of what users, networks and time can do to them.

Messages may be delayed, reordered and lost, flows may die: nothing raises, both ends forget
everything in the end, and no INVITE is left without one outcome.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pbx.sip.events import (
    Acknowledged,
    Cancelled,
    FlowLost,
    RequestReceived,
    ResponseReceived,
    TimedOut,
)
from tests.support.pair import Pair, answer, request

STATUSES = st.sampled_from([100, 180, 183, 200, 302, 404, 486, 503])


class TwoStacks(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.pair = Pair()
        self.flow = self.pair.flow
        self.flows = 1
        self.calls = 0
        self.waiting: list[tuple[str, RequestReceived]] = []
        self.invites: set[int] = set()
        """Alice's INVITEs without an outcome."""
        self.dialogs: dict[str, list] = {"alice": [], "exchange": []}

    def stack(self, name: str):
        return self.pair.alice if name == "alice" else self.pair.exchange

    def listen(self) -> None:
        for name in ("alice", "exchange"):
            for event in self.pair.events(name):
                self.hear(name, event)

    def hear(self, name: str, event) -> None:
        match event:
            case RequestReceived():
                self.waiting.append((name, event))
            case ResponseReceived(transaction, _, response, dialog):
                invite = response.cseq.method == "INVITE"
                if invite and 200 <= response.status < 300:
                    self.stack(name).acknowledge(transaction, dialog, self.flow)
                    self.dialogs[name].append(dialog)
                if invite and response.status >= 200 and name == "alice":
                    self.invites.discard(transaction)
            case Acknowledged():
                self.dialogs[name].append(event.dialog)
            case TimedOut(transaction) | FlowLost(transaction):
                if name == "alice":
                    self.invites.discard(transaction)
            case Cancelled(transaction):
                self.waiting = [w for w in self.waiting if w[1].transaction != transaction]

    @rule()
    def alice_calls(self) -> None:
        self.calls += 1
        invite = request("INVITE", ("Call-ID", f"call-{self.calls}"), body=b"v=0")
        self.invites.add(self.pair.alice.request(self.flow, invite, self.pair.now))
        self.listen()

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 9), status=STATUSES)
    def somebody_answers(self, which: int, status: int) -> None:
        name, event = self.waiting[which % len(self.waiting)]
        if status < 200 and event.request.method != "INVITE":
            status = 200
        response = answer(event.request, status)
        self.stack(name).respond(event.transaction, response, self.pair.now)
        if status >= 200:
            self.waiting.remove((name, event))
        self.listen()

    @precondition(lambda self: self.invites)
    @rule(which=st.integers(0, 9))
    def alice_gives_up(self, which: int) -> None:
        invite = sorted(self.invites)[which % len(self.invites)]
        self.pair.alice.cancel(invite, self.pair.now)
        self.listen()

    @rule(
        name=st.sampled_from(["alice", "exchange"]),
        which=st.integers(0, 9),
        method=st.sampled_from(["BYE", "INVITE", "UPDATE", "INFO"]),
    )
    def somebody_asks_within_a_call(self, name: str, which: int, method: str) -> None:
        if not self.dialogs[name]:
            return
        dialog = self.dialogs[name][which % len(self.dialogs[name])]
        body = b"v=0" if method in ("INVITE", "UPDATE") else b""
        inside = dialog.request(method, body, "application/sdp" if body else None)
        transaction = self.stack(name).request(self.flow, inside, self.pair.now)
        if name == "alice" and method == "INVITE":
            self.invites.add(transaction)
        self.listen()

    @precondition(lambda self: self.pair.wire)
    @rule(place=st.integers(0, 9), lose=st.booleans())
    def the_network_moves_one_message(self, place: int, lose: bool) -> None:
        place %= len(self.pair.wire)
        if lose and place % 3 == 0:
            self.pair.wire.pop(place)
        else:
            self.pair.step(place)
        self.listen()

    @rule()
    def the_network_moves_everything(self) -> None:
        self.pair.carry()
        self.listen()

    @rule()
    def the_flow_dies_and_another_comes(self) -> None:
        self.pair.cut(self.flow)
        self.flows += 1
        self.flow = self.pair.connect(self.flows)
        self.listen()

    @rule(seconds=st.sampled_from([0.1, 0.5, 3.0, 31.0, 33.0]))
    def time_passes(self, seconds: float) -> None:
        self.pair.pass_time(seconds)
        self.listen()

    def teardown(self) -> None:
        for invite in sorted(self.invites):
            self.pair.alice.cancel(invite, self.pair.now)
        for _ in range(4):  # what is unanswered is refused, what waits times out
            for name, event in self.waiting:
                self.stack(name).respond(
                    event.transaction, answer(event.request, 486), self.pair.now
                )
            self.waiting.clear()
            self.pair.carry()
            self.pair.pass_time(33)
            self.pair.carry()
            self.listen()
            for invite in sorted(self.invites):
                self.pair.alice.cancel(invite, self.pair.now)
        assert not self.invites
        for name in ("alice", "exchange"):
            stack = self.stack(name)
            assert stack.snapshot().transactions == ()
            early = [d for d in stack._shared.dialogs._by_id.values() if d.state.is_early]
            assert not early
            assert stack._server._merged == set()
            assert not stack._server._unconfirmed and not stack._server._reliable
            assert stack._shared.flows._total == stack._shared.flows._strangers == 0


TestTwoStacks = TwoStacks.TestCase
TestTwoStacks.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
