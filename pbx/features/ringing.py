"""Phones that ring for one call; the first to answer has it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from uuid import UUID

import structlog

from media.client import AnswerRefused, MediaError, Player, Tone
from pbx import gruu
from pbx.b2bua.call import Call
from pbx.b2bua.callee_leg import ELSEWHERE, CalleeLeg
from pbx.b2bua.events import Answered, LegEvent, Progressed, Rang, Taking
from pbx.b2bua.handing_over import picked_up
from pbx.b2bua.leg import Leg
from pbx.b2bua.news import News
from pbx.features.takeover import answer_comer
from storage.calls import CallOutcome

log = structlog.get_logger()

NONSENSE = 0
"""No status of the phone's: it answered with what was not offered."""

NO_ANSWER, OFFLINE, BUSY, DECLINED = 480, 480, 486, 603

RINGBACK = Player(sounds=(Tone("ringback"),), times=0)


class Ringing:
    """The phones that ring for whoever waits in a call, and what they said."""

    def __init__(
        self,
        call: Call,
        *,
        number: str = "",
        news: News | None = None,
        legs: Sequence[CalleeLeg] = (),
        instance: str = "",
    ) -> None:
        """`number` is whom they are said to be; with `news` somebody is put through, who was
        answered long ago; `legs` ring already. `instance`: only that one rings, of several with
        one identity."""
        self._call = call
        self._instance = instance
        self._number = number or call.caller.dialled
        self._news = news
        self._is_heard_ringing = False
        self._legs: list[CalleeLeg] = list(legs)
        self._refusals: list[int] = []
        """Of phones that were not rung at all, and of answers that counted for nothing."""
        self._has_early_media = False
        self._timed_out = False

    async def first_answer(
        self,
        devices: Iterable[UUID],
        *,
        later: Sequence[tuple[float, Sequence[UUID]]] = (),
        seconds: float | None = None,
        is_patient: bool = False,
    ) -> Leg | None:
        """Ring these devices until one answers, all refused, or the time is up.

        `later`: more of them, each after so many seconds or, unless patient, as soon as nobody
        rings any more. Another phone with the right to may answer meanwhile (`Taking`)."""
        self._call.takes_comers = True
        try:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            waves = deque((begun + after, more) for after, more in later)
            deadline = begun + (seconds or self._call.around.config.ring_seconds)
            await self._invite(devices)
            winner = await self._rung(waves, deadline, is_patient=is_patient)
        finally:
            self._call.takes_comers = False
        await self._stop(winner, ELSEWHERE if winner is not None else None)
        return winner

    async def _rung(
        self, waves: deque[tuple[float, Sequence[UUID]]], deadline: float, *, is_patient: bool
    ) -> Leg | None:
        loop = asyncio.get_running_loop()
        if self._news is None:
            self._call.state = "ringing"
        # One that has answered already is told of in what `next` is yet to give.
        while (rings := any(not leg.is_ended for leg in self._legs)) or waves:
            if waves and (not (rings or is_patient) or loop.time() >= waves[0][0]):
                await self._invite(waves.popleft()[1])
                continue
            event = await self._call.next(min(deadline, waves[0][0]) if waves else deadline)
            if event is None and loop.time() >= deadline:
                self._timed_out = True
                break
            if event is not None and (winner := await self._winner(event)) is not None:
                return winner
        return None

    async def _winner(self, event: LegEvent) -> Leg | None:
        """Who has the call now, if this has decided it."""
        if isinstance(event, Answered) and await self._take(event):
            return event.leg
        if isinstance(event, Taking) and await answer_comer(self._call, event.leg):
            picked_up(self._call, event.leg, self._number)
            return event.leg
        await self._heed(event)
        return None

    def verdict(self) -> tuple[int, str, CallOutcome]:
        """What the caller is told when nobody answered: status, prompt, outcome.

        By what the legs say of themselves: the event of a refusal may still wait to be read."""
        said = [*self._refusals, *(leg.status for leg in self._legs if leg.status >= 300)]
        if self._timed_out or 408 in said:
            return NO_ANSWER, "no-answer", CallOutcome.NO_ANSWER
        if NONSENSE in said:
            return NO_ANSWER, "no-answer", CallOutcome.FAILED
        if any(status >= 600 for status in said):
            return DECLINED, "no-answer", CallOutcome.DECLINED
        if 486 in said:
            return BUSY, "busy", CallOutcome.BUSY
        if said and all(status not in (480, 503) for status in said):
            return NO_ANSWER, "no-answer", CallOutcome.DECLINED
        return OFFLINE, "offline", CallOutcome.OFFLINE

    async def _invite(self, devices: Iterable[UUID]) -> None:
        call = self._call
        for device in devices:
            if not call.members.has_room(device):
                self._refusals.append(BUSY)
                continue
            for contact in call.phones.contacts_of(device):
                if self._instance and not gruu.names(self._instance, contact.instance):
                    continue
                try:
                    self._legs.append(await call.ring(device, contact, self._number))
                except MediaError:
                    self._refusals.append(503)
                except Exception:  # what one contact says of itself stops no other phone
                    log.exception("a contact was not invited", call=str(call.id))
                    self._refusals.append(503)

    async def _heed(self, event: LegEvent) -> None:
        match event:
            case Rang():
                await self._ring_back()
            case Progressed(_, sdp) if len(self._legs) == 1 and not self._has_early_media:
                await self._join_early(self._legs[0], sdp)
            case Progressed():
                await self._ring_back()  # one of several: the caller hears our ringback

    async def _join_early(self, leg: CalleeLeg, sdp: bytes) -> None:
        try:
            await self._call.pairing.connect(leg, sdp)
        except AnswerRefused:
            await self._ring_back()
            return
        self._has_early_media = True
        if self._news is not None:
            self._news.tell(183)
        else:
            await self._call.caller.progress(leg)

    async def _ring_back(self) -> None:
        """A caller's phone makes the sound itself; who is put through hears ours."""
        if self._news is None:
            self._call.caller.ring()
        elif not self._is_heard_ringing and not self._has_early_media:
            self._is_heard_ringing = True
            self._news.tell(180)
            await self._call.pairing.entertain(self._call.waiting, RINGBACK)

    async def _take(self, answer: Answered) -> bool:
        """An answer that was not offered is a failed call: BYE, and the others ring on."""
        leg = answer.leg
        try:
            await self._call.pairing.connect(leg, answer.sdp)
        except AnswerRefused as refusal:
            log.warning("answer refused", call=str(self._call.id), reason=refusal.reason)
            leg.status = 488
            leg.hang_up('SIP;cause=488;text="Answer was not offered"')
            self._refusals.append(NONSENSE)
            return False
        return True

    async def _stop(self, winner: Leg | None, reason: str | None) -> None:
        """The others ring no longer, and their ports are free for the next call."""
        losers = [leg for leg in self._legs if leg is not winner]
        for leg in losers:
            leg.hang_up(reason)
        await self._call.drop_media(losers)
