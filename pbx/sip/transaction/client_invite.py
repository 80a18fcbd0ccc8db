"""The INVITE client transaction (RFC 3261 §17.1.1, figure 5, as RFC 6026 §8.4 redraws it)."""

from pbx.sip.message import Request, Response
from pbx.sip.timers import Timers
from pbx.sip.transaction.effects import Deliver, Effect, LoseFlow, Send, SendCancel, TimeOut
from pbx.sip.transaction.hop import acknowledgement
from pbx.sip.transaction.state import State


class InviteClientTransaction:
    """One INVITE that we sent."""

    __slots__ = ("_acks", "_cancel_wanted", "_timers", "deadline", "request", "state")

    def __init__(self, request: Request, timers: Timers, now: float) -> None:
        self.request = request
        self.state = State.CALLING
        self.deadline: float | None = now + timers.b
        self._timers = timers
        self._cancel_wanted = False
        self._acks: dict[str | None, Request] = {}

    def start(self) -> list[Effect]:
        return [Send(self.request)]

    def receive(self, response: Response, now: float) -> list[Effect]:
        match self.state:
            case State.CALLING | State.PROCEEDING if response.status < 200:
                return [Deliver(response), *self._proceed(now)]
            case State.CALLING | State.PROCEEDING if response.status < 300:
                self._enter(State.ACCEPTED, now + self._timers.m)
                return [Deliver(response)]
            case State.CALLING | State.PROCEEDING:
                self._enter(State.TERMINATED)  # by way of COMPLETED, where Timer D is zero
                return [Send(acknowledgement(self.request, response)), Deliver(response)]
            case State.ACCEPTED if 200 <= response.status < 300:
                known = self._acks.get(response.to.tag)
                return [Send(known)] if known else [Deliver(response)]
        return []

    def acknowledge(self, tag: str | None, ack: Request) -> None:
        """Remember the ACK of the 2xx with this To tag: each retransmission gets it again."""
        if self.state is State.ACCEPTED:
            self._acks[tag] = ack

    def cancel(self, now: float) -> list[Effect]:
        """Give the INVITE up; the CANCEL waits for a provisional response (§9.1)."""
        if self._cancel_wanted or self.state not in (State.CALLING, State.PROCEEDING):
            return []
        self._cancel_wanted = True
        return self._proceed(now) if self.state is State.PROCEEDING else []

    def expire(self, now: float) -> list[Effect]:
        accepted = self.state is State.ACCEPTED
        self._enter(State.TERMINATED)
        return [] if accepted else [TimeOut("B")]

    def lose_flow(self, now: float) -> list[Effect]:
        """Once accepted, the call belongs to the peer and not to this flow: nobody is told."""
        accepted = self.state is State.ACCEPTED
        self._enter(State.TERMINATED)
        return [] if accepted else [LoseFlow()]

    def _proceed(self, now: float) -> list[Effect]:
        if self._cancel_wanted and (self.state is State.CALLING or self.deadline is None):
            # §9.1: a cancelled INVITE that gets no final response is over after 64·T1.
            self._enter(State.PROCEEDING, now + self._timers.b)
            return [SendCancel()]
        if not self._cancel_wanted:
            self._enter(State.PROCEEDING)
        return []

    def _enter(self, state: State, deadline: float | None = None) -> None:
        self.state, self.deadline = state, deadline
