"""What the legs of a call tell it, in the order they say it.

A feature hears what it has to think about. What needs no feature is seen to here (a session that
changes, a question that comes at the wrong time), and what ends a call in whatever state raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container
from typing import TYPE_CHECKING

from media.client import AnswerRefused, Held, Silent, Unmatched
from pbx.b2bua.endings import CallOver, end_of
from pbx.b2bua.events import (
    Acknowledged,
    GaveUp,
    Heard,
    HungUp,
    LegEvent,
    Reanswered,
    Referred,
    RefreshDue,
    Reoffered,
    Replacing,
    Taking,
    Vanished,
)
from pbx.b2bua.news import answer_referral

if TYPE_CHECKING:
    from pbx.b2bua.call import Call
    from pbx.b2bua.caller_leg import CallerLeg
    from pbx.b2bua.leg import Leg


class Inbox:
    """One call's queue of leg events."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()

    def put(self, event: LegEvent) -> None:
        self._events.put_nowait(event)

    async def next(self, deadline: float | None) -> LegEvent | None:
        """The next event for a feature; None when the deadline passed. Raises `CallOver`."""
        while True:
            if deadline is None:
                event = await self._events.get()
            else:
                try:
                    async with asyncio.timeout_at(deadline):
                        event = await self._events.get()
                except TimeoutError:
                    return None
            if await self._is_for_feature(event):
                return event

    def hand_over(self, legs: Container[Leg | None], to: Call) -> None:
        """What these have said and nobody has heard yet, the other call hears."""
        for event in self._rest():
            (to if event.leg in legs else self._call).tell(event)

    def close(self) -> None:
        """The call is over: whoever still asks is told so."""
        for event in self._rest():
            match event:
                case Reoffered(leg):
                    leg.session.refuse(event, 481)
                case Referred():
                    answer_referral(event, 481)
                case Replacing(leg):
                    self._turn_away(leg, 481)
                case Taking(leg):
                    self._turn_away(leg, 480)

    def _turn_away(self, comer: CallerLeg, status: int) -> None:
        comer.reject(status)
        self._call.members.forget(comer)

    def _rest(self) -> list[LegEvent]:
        return [self._events.get_nowait() for _ in range(self._events.qsize())]

    async def _is_for_feature(self, event: LegEvent) -> bool:
        call = self._call
        if (over := end_of(call, event)) is not None:
            raise over
        match event:
            case GaveUp() | HungUp() | Vanished():
                await call.keep()
                return False  # of a phone that is no party
            case Heard(event=Silent()):
                return False  # not for long enough
            case Heard(leg, Unmatched()):
                self._call.pairing.change_codec(leg)
                return False
            case Heard(leg, Held(is_held=is_held)):
                leg.is_held = is_held
                await call.keep()
                return False
            case Reoffered() | RefreshDue() | Reanswered() | Acknowledged():
                await self._change(event)
                return False
            case Referred(leg) if not call.is_between_two(leg) or call.members.is_full:
                answer_referral(event, 491 if call.state == "transferring" else 403)
                return False
            case Replacing(leg, old) if not call.is_between_two(old) or call.members.is_full:
                self._turn_away(leg, 481)
                return False
            case Taking(leg) if not call.takes_comers:
                self._turn_away(leg, 480)  # somebody was faster
                return False
        return True

    async def _change(self, event: Reoffered | RefreshDue | Reanswered | Acknowledged) -> None:
        """A session changes, or shows that it lives."""
        leg = event.leg
        try:
            match event:
                case Reoffered():
                    if await leg.session.accept(event):
                        await self._call.keep()
                case RefreshDue():
                    await leg.asking.ask()
                case Reanswered():
                    await leg.session.take_reanswer(event)
                    if event.is_described and event.is_last:
                        await self._call.pairing.changed(leg)
                case Acknowledged(sdp=sdp):
                    await leg.session.take_late_answer(sdp)
        except AnswerRefused:
            raise CallOver(f"{leg.role}-answer-refused") from None
