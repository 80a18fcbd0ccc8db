"""Repeating a response to INVITE until the caller confirms it, whatever the transport.

A 2xx is repeated by the UAS core because proxies do not (RFC 3261 §13.3.1.4); a reliable
provisional response likewise, but its interval keeps doubling (RFC 3262 §3).
"""

from pbx.sip.message import Response
from pbx.sip.timers import Timers


class Retransmission:
    """A response that waits for its ACK or PRACK."""

    __slots__ = ("_ceiling", "_end", "_interval", "deadline", "response")

    def __init__(self, response: Response, timers: Timers, now: float) -> None:
        self.response = response
        self._interval = timers.t1
        self._ceiling = timers.t2 if response.status >= 200 else float("inf")
        self._end = now + 64 * timers.t1
        self.deadline: float | None = now + timers.t1

    def expire(self, now: float) -> bool:
        """Whether to send it once more; False: nobody confirmed it and it is given up."""
        if now >= self._end:
            self.deadline = None
            return False
        self._interval = min(2 * self._interval, self._ceiling)
        self.deadline = min(now + self._interval, self._end)
        return True
