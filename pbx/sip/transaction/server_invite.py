"""The INVITE server transaction (RFC 3261 §17.2.1, figure 7, as RFC 6026 §8.7 redraws it)."""

from pbx.sip.errors import LocalError
from pbx.sip.message import Request, Response, response_to
from pbx.sip.timers import Timers
from pbx.sip.transaction.effects import Deliver, Effect, LoseFlow, Send, TimeOut
from pbx.sip.transaction.state import State


class InviteServerTransaction:
    """One INVITE that we answer."""

    __slots__ = ("_last", "_timers", "deadline", "request", "state")

    def __init__(self, request: Request, timers: Timers, now: float) -> None:
        self.request = request
        self.state = State.PROCEEDING
        self.deadline: float | None = now + timers.trying
        self._timers = timers
        self._last: Response | None = None

    def receive(self, request: Request, now: float) -> list[Effect]:
        """An INVITE or ACK that matched this transaction."""
        match self.state, request.method:
            case State.PROCEEDING | State.COMPLETED, "INVITE" if self._last is not None:
                return [Send(self._last)]
            case State.ACCEPTED, "ACK":
                return [Deliver(request)]  # the ACK of a 2xx belongs to the dialog
            case State.COMPLETED, "ACK":
                self._enter(State.TERMINATED)  # by way of CONFIRMED, where Timer I is zero
        return []

    def respond(self, response: Response, now: float) -> list[Effect]:
        """A response of the transaction user."""
        match self.state:
            case State.PROCEEDING if response.status < 200:
                self.deadline = None
            case State.PROCEEDING if response.status < 300:
                self._enter(State.ACCEPTED, now + self._timers.l)
            case State.PROCEEDING:
                self._enter(State.COMPLETED, now + self._timers.h)
            case State.ACCEPTED if 200 <= response.status < 300:
                pass  # retransmissions come from the UAS core (§13.3.1.4)
            case _:
                raise LocalError("response", "a transaction takes one final response")
        self._last = response
        return [Send(response)]

    def expire(self, now: float) -> list[Effect]:
        """The deadline has passed."""
        match self.state:
            case State.PROCEEDING:
                self.deadline = None
                self._last = response_to(self.request, 100)
                return [Send(self._last)]
            case State.COMPLETED:
                self._enter(State.TERMINATED)
                return [TimeOut("H")]
            case _:
                self._enter(State.TERMINATED)  # Timer L
                return []

    def lose_flow(self, now: float) -> list[Effect]:
        """Nothing more can arrive or be sent: responses never change flows.

        Once accepted, the call belongs to the peer and not to this flow: nobody is told.
        """
        accepted = self.state is State.ACCEPTED
        self._enter(State.TERMINATED)
        return [] if accepted else [LoseFlow()]

    def _enter(self, state: State, deadline: float | None = None) -> None:
        self.state, self.deadline = state, deadline
