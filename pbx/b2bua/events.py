"""What a leg tells its call, in the words of calls, never of SIP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from media.client import MediaEvent
from pbx.sip.events import TransactionId
from pbx.sip.message import Request

if TYPE_CHECKING:
    from pbx.b2bua.callee_leg import CalleeLeg
    from pbx.b2bua.caller_leg import CallerLeg
    from pbx.b2bua.leg import Leg


@dataclass(frozen=True, slots=True)
class Rang:
    """The phone rings."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Progressed:
    """The phone sends sound before it answers."""

    leg: Leg
    sdp: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The phone took the call; its ACK has been sent."""

    leg: CalleeLeg
    sdp: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """The phone will not take the call; 408 when it did not say anything, 503 when it vanished."""

    leg: Leg
    status: int


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The caller hung up before anybody answered."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class HungUp:
    leg: Leg


@dataclass(frozen=True, slots=True)
class Reoffered:
    """A phone wants to change the session (re-INVITE or UPDATE)."""

    leg: Leg
    transaction: TransactionId
    request: Request


@dataclass(frozen=True, slots=True)
class RefreshDue:
    """It is on us to show that the session lives (RFC 4028)."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Reanswered:
    """The phone's final answer to a re-INVITE or UPDATE of ours."""

    leg: Leg
    status: int
    sdp: bytes
    is_described: bool
    """It was a re-INVITE: our offer is answered or refused with it."""
    is_last: bool
    """Nothing of it is asked again."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The ACK that has to answer an offer of ours in a 2xx."""

    leg: Leg
    sdp: bytes


@dataclass(frozen=True, slots=True)
class Referred:
    """A phone wants its partner put through to somebody (REFER)."""

    leg: Leg
    transaction: TransactionId
    request: Request


@dataclass(frozen=True, slots=True)
class Replacing:
    """A phone wants to take the place of another one in this call (INVITE with Replaces)."""

    leg: CallerLeg
    replaced: Leg


@dataclass(frozen=True, slots=True)
class Taking:
    """A phone with the right to wants to answer for whoever is rung, or take a parked call."""

    leg: CallerLeg


@dataclass(frozen=True, slots=True)
class Vanished:
    """The phone does not answer any more; `cause` goes into the record."""

    leg: Leg
    cause: str


@dataclass(frozen=True, slots=True)
class Heard:
    """The leg's media worker says something."""

    leg: Leg
    event: MediaEvent


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody with the right to do so ends the call, or the exchange stops."""

    leg: None
    cause: str


LegEvent = (
    Rang
    | Progressed
    | Answered
    | Refused
    | GaveUp
    | HungUp
    | Reoffered
    | RefreshDue
    | Reanswered
    | Acknowledged
    | Referred
    | Replacing
    | Taking
    | Vanished
    | Heard
    | Told
)
