"""The non-INVITE client transaction (RFC 3261 §17.1.2, figure 6)."""

from pbx.sip.message import Request, Response
from pbx.sip.timers import Timers
from pbx.sip.transaction.effects import Deliver, Effect, LoseFlow, Send, TimeOut
from pbx.sip.transaction.state import State


class NonInviteClientTransaction:
    """One request other than INVITE and ACK that we sent."""

    __slots__ = ("deadline", "request", "state")

    def __init__(self, request: Request, timers: Timers, now: float) -> None:
        self.request = request
        self.state = State.TRYING
        self.deadline: float | None = now + timers.f

    def start(self) -> list[Effect]:
        return [Send(self.request)]

    def receive(self, response: Response, now: float) -> list[Effect]:
        match self.state:
            case State.TRYING | State.PROCEEDING if response.status < 200:
                self.state = State.PROCEEDING
            case State.TRYING | State.PROCEEDING:
                self._end()  # by way of COMPLETED, where Timer K is zero
            case _:
                return []
        return [Deliver(response)]

    def expire(self, now: float) -> list[Effect]:
        self._end()
        return [TimeOut("F")]

    def lose_flow(self, now: float) -> list[Effect]:
        self._end()
        return [LoseFlow()]

    def _end(self) -> None:
        self.state, self.deadline = State.TERMINATED, None
