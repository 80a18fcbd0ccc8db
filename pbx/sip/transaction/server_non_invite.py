"""The non-INVITE server transaction (RFC 3261 §17.2.2, figure 8, with RFC 4320 §4).

RFC 4320: no provisional response but 100, and that one when the client's Timer E would have
reached T2; no 408; nothing at all once the client's Timer F has fired.
"""

from pbx.sip.errors import LocalError
from pbx.sip.message import Request, Response, response_to
from pbx.sip.timers import Timers
from pbx.sip.transaction.effects import Effect, LoseFlow, Send, TimeOut
from pbx.sip.transaction.state import State


class NonInviteServerTransaction:
    """One request other than INVITE and ACK that we answer."""

    __slots__ = ("_last", "_too_late", "deadline", "request", "state")

    def __init__(self, request: Request, timers: Timers, now: float) -> None:
        self.request = request
        self.state = State.TRYING
        self.deadline: float | None = now + timers.late_trying
        self._too_late = now + timers.f
        self._last: Response | None = None

    def receive(self, request: Request, now: float) -> list[Effect]:
        """A retransmission."""
        if self.state is State.PROCEEDING and self._last is not None:
            return [Send(self._last)]
        return []

    def respond(self, response: Response, now: float) -> list[Effect]:
        """A response of the transaction user."""
        status = response.status
        if self.state is State.TERMINATED:
            raise LocalError("response", "a transaction takes one final response")
        if 100 < status < 200:
            raise LocalError("response", "only INVITE is answered provisionally")
        if status == 408:
            raise LocalError("response", "408 answers INVITE alone")
        if status == 100:
            return self._try(response)
        self.state, self.deadline = State.TERMINATED, None  # by way of COMPLETED: Timer J is zero
        return [Send(response)]

    def expire(self, now: float) -> list[Effect]:
        """The deadline has passed: late, or too late."""
        if self.state is State.TRYING:
            return self._try(response_to(self.request, 100))
        self.state, self.deadline = State.TERMINATED, None
        return [TimeOut("F")]

    def lose_flow(self, now: float) -> list[Effect]:
        """Nothing more can arrive or be sent: responses never change flows."""
        self.state, self.deadline = State.TERMINATED, None
        return [LoseFlow()]

    def _try(self, response: Response) -> list[Effect]:
        self.state, self.deadline = State.PROCEEDING, self._too_late
        self._last = response
        return [Send(response)]
