"""What ends a call, in whatever state it is, and with which cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.client import Ended, Silent
from pbx.b2bua.events import GaveUp, Heard, HungUp, LegEvent, Told, Vanished
from pbx.b2bua.leg import Leg, Phase
from storage.calls import CallOutcome

if TYPE_CHECKING:
    from pbx.b2bua.call import Call


class CallOver(Exception):
    """The call has ended; `cause` goes into its record."""

    def __init__(
        self, cause: str, outcome: CallOutcome | None = None, reason: str | None = None
    ) -> None:
        """`reason` is what the phones are told (RFC 3326)."""
        super().__init__(cause)
        self.cause, self.outcome, self.reason = cause, outcome, reason


def end_of(call: Call, event: LegEvent) -> CallOver | None:
    """The end that this event is; None: the call goes on."""
    match event:
        case GaveUp(leg) if leg is call.caller:
            # What a prompt has begun to explain stays the outcome.
            told = call.state == "announcing"
            return CallOver("caller-gave-up", None if told else CallOutcome.CANCELLED)
        case HungUp(leg) if call.is_party(leg):
            return CallOver(f"{leg.role}-hung-up")
        case Vanished(leg, cause) if call.is_party(leg):
            return CallOver(f"{leg.role}-{cause}")
        case Told(cause=cause):
            return CallOver(cause)
        case Heard(_, Ended()):
            return CallOver("media-worker-lost")
        case Heard(leg, Silent(seconds=seconds)) if _ends_by_silence(call, leg, seconds):
            return CallOver(f"{leg.role}-silent")
    return None


def _ends_by_silence(call: Call, leg: Leg, seconds: float) -> bool:
    """Whether the phone has been silent long enough since it was answered.

    Nothing is heard of a phone that still rings. Silence that began before the answer is
    given the whole time once more. An emergency call goes on while its phone is connected:
    somebody may hide and not dare to speak.
    """
    if leg.phase is not Phase.CONFIRMED or leg.answered_at is None or not call.is_party(leg):
        return False
    if call.is_emergency and call.agent.facts(leg.flow) is not None:
        return False
    is_whole = call.clock() - leg.answered_at >= seconds * 1_000_000 or leg.was_silent
    leg.was_silent = True
    return is_whole
