"""Reliable provisional responses, both ends (RFC 3262)."""

import secrets

from pbx.sip.cseq import RAck
from pbx.sip.dialog import Dialog
from pbx.sip.errors import LocalError, PeerError
from pbx.sip.message import Request, Response
from pbx.sip.retransmission import Retransmission
from pbx.sip.timers import Timers

HIGHEST = 2**32 - 1
MOST_WAITING = 16
MOST_TAKEN = 64
"""Reliable responses to one INVITE that we confirm: each is a request of ours, whose answer may
never come."""


class ReliableProvisionals:
    """The UAS end for one INVITE: one response at a time waits for its PRACK, in order (§3)."""

    __slots__ = ("_pending", "_rseq", "_timers", "_waiting")

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._rseq = 1 + secrets.randbelow(2**31 - 1)
        self._pending: Retransmission | None = None
        self._waiting: list[Response] = []

    @property
    def deadline(self) -> float | None:
        return None if self._pending is None else self._pending.deadline

    def offer(self, response: Response, now: float) -> Response | None:
        """The response as it is to be sent now; None: it waits for a PRACK."""
        if self._pending is not None:
            if len(self._waiting) >= MOST_WAITING:
                raise LocalError("response", "only so many wait for a PRACK")
            self._waiting.append(response)
            return None
        if response.status >= 200:
            return response
        response.headers.set("RSeq", str(self._rseq))
        if "100rel" not in response.require:
            response.headers.add("Require", "100rel")
        self._pending = Retransmission(response, self._timers, now)
        return response

    def holds_back(self, response: Response) -> bool:
        """A 2xx waits while a session description is unconfirmed; other finals do not (§3)."""
        return 200 <= response.status < 300 and (
            bool(self._waiting) or (self._pending is not None and bool(self._pending.response.body))
        )

    def end(self) -> None:
        """A final response has been sent: nothing is repeated any more."""
        self._pending = None
        self._waiting.clear()

    def acknowledge(self, prack: Request, now: float) -> bool:
        """Whether the PRACK names the response that waits for it."""
        text = prack.headers.first("RAck")
        if text is None:
            raise PeerError("RAck", "is present in PRACK")
        if self._pending is None:
            return False
        response, rack = self._pending.response, RAck.parse(text)
        if rack.rseq != self._rseq or rack.cseq != response.cseq:
            return False
        self._pending = None
        self._rseq += 1
        return True

    def next(self, now: float) -> Response | None:
        """What a PRACK set free."""
        if self._pending is not None or not self._waiting:
            return None
        return self.offer(self._waiting.pop(0), now)

    def expire(self, now: float) -> Response | None:
        """The response to repeat; None: it was never confirmed (§3: refuse the INVITE)."""
        pending = self._pending
        if pending is not None and pending.expire(now):
            return pending.response
        self.end()
        return None


class ProvisionalOrder:
    """The UAC end for one early dialog: each RSeq once, without gaps (§4)."""

    __slots__ = ("_last", "_taken")

    def __init__(self) -> None:
        self._last: int | None = None
        self._taken = 0

    def take(self, response: Response) -> bool:
        """Whether the response is new and in order; if not, it must be ignored."""
        rseq = response.number("RSeq", HIGHEST)
        if not rseq or (self._last is not None and rseq != self._last + 1):
            return False
        if self._taken >= MOST_TAKEN:
            return False
        self._last = rseq
        self._taken += 1
        return True


def is_reliable(response: Response) -> bool:
    """Whether a response must be confirmed by PRACK."""
    return (
        100 < response.status < 200 and "RSeq" in response.headers and "100rel" in response.require
    )


def prack(
    dialog: Dialog, response: Response, body: bytes = b"", content_type: str | None = None
) -> Request:
    """The PRACK of a reliable provisional response (§7.2)."""
    request = dialog.request("PRACK", body, content_type)
    rack = RAck(response.number("RSeq", HIGHEST) or 0, response.cseq)
    request.headers.add("RAck", str(rack))
    return request
