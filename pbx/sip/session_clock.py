"""Session timers: a call whose peer vanished ends by itself (RFC 4028), in both roles.

`SessionTimer` is what two parties agreed on, a value that travels with the dialog;
`SessionClock` says when to refresh and when to give up.
"""

from dataclasses import dataclass
from enum import Enum, auto

from msgspec import Struct

from pbx.sip.message import Message, Request, Response, response_to
from pbx.sip.session_timer import SessionExpires, parse_min_se

LEAST = 90  # RFC 4028 §4: no Min-SE below this
MOST = 10_800
"""Seconds, whatever a peer wants: a call whose phones vanished on hold ends on the same day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """What we ask for."""

    interval: int = 1800
    """Seconds; RFC 4028 §4 recommends 1800."""

    minimum: int = LEAST
    """A shorter interval is answered 422."""

    def __post_init__(self) -> None:
        if not LEAST <= self.minimum <= self.interval:
            raise ValueError("session timer: 90 <= minimum <= interval")


class SessionTimer(Struct, frozen=True):
    """An agreed session interval."""

    interval: int
    is_ours: bool
    """Whether we are the refresher."""

    @property
    def refresh_after(self) -> float:
        """Half the interval (§10)."""
        return self.interval / 2

    @property
    def end_after(self) -> float:
        """When whoever has seen no refresh sends BYE (§10)."""
        return self.interval - min(32.0, self.interval / 3)


def minimum_of(message: Message) -> int:
    """The Min-SE header field (§5); absent means 90."""
    text = message.headers.first("Min-SE")
    return LEAST if text is None else min(max(LEAST, parse_min_se(text)), MOST)


def too_small(request: Request, policy: SessionPolicy) -> Response | None:
    """The 422 for an interval shorter than ours, if the caller can make use of one (§9)."""
    asked = _expires(request)
    if asked is None or asked.seconds >= policy.minimum or "timer" not in request.supported:
        return None
    response = response_to(request, 422)
    response.headers.add("Min-SE", str(policy.minimum))
    return response


def agree(request: Request, response: Response, policy: SessionPolicy) -> SessionTimer:
    """As UAS: write Session-Expires into a 2xx to INVITE or UPDATE (§9)."""
    asked = _expires(request)
    interval = policy.interval
    if asked is not None:
        interval = max(min(asked.seconds, interval), minimum_of(request), policy.minimum)
    refresher = (asked.refresher if asked else None) or "uac"
    if "timer" not in request.supported:
        refresher = "uas"
    response.headers.set("Session-Expires", f"{interval};refresher={refresher}")
    if refresher == "uac" and "timer" not in response.require:
        response.headers.add("Require", "timer")
    return SessionTimer(interval, refresher == "uas")


def ask(
    request: Request, policy: SessionPolicy, held: SessionTimer | None = None, minimum: int = LEAST
) -> None:
    """As UAC: write Session-Expires into an INVITE or UPDATE (§7.1, §7.4).

    `held` is what this dialog agreed on before: a refresh names who refreshes, so that the
    roles do not move. `minimum` is the largest Min-SE a 422 in this dialog has carried.
    """
    floor = max(minimum, policy.minimum)
    refresher = ""
    if held is not None:
        refresher = ";refresher=uac" if held.is_ours else ";refresher=uas"
    request.headers.set("Session-Expires", f"{max(policy.interval, floor)}{refresher}")
    if floor > LEAST:
        request.headers.set("Min-SE", str(floor))
    if "timer" not in request.supported:
        request.headers.add("Supported", "timer")


def agreed(response: Response) -> SessionTimer | None:
    """As UAC: what a 2xx settled (§7.2); None: the session does not expire."""
    theirs = _expires(response)
    if theirs is None:
        return None
    # §7.2: without a parameter the UAC is the refresher. An interval below 90 s is not honoured,
    # or a peer could make us refresh as fast as it likes.
    return SessionTimer(min(max(theirs.seconds, LEAST), MOST), theirs.refresher != "uas")


def _expires(message: Message) -> SessionExpires | None:
    text = message.headers.first("Session-Expires")
    return None if text is None else SessionExpires.parse(text)


class Due(Enum):
    """What a session's deadline means."""

    REFRESH = auto()
    END = auto()


class SessionClock:
    """Counts one session's interval down."""

    __slots__ = ("_end", "deadline")

    def __init__(self, timer: SessionTimer, now: float) -> None:
        self._end = now + timer.end_after
        self.deadline: float | None = now + timer.refresh_after if timer.is_ours else self._end

    def expire(self, now: float) -> Due:
        """The refresher refreshes at half time; without success both end the session."""
        if now >= self._end:
            self.deadline = None
            return Due.END
        self.deadline = self._end
        return Due.REFRESH
