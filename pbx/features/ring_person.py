"""Ring all phones of a person at once; the first to answer has the call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from uuid import UUID

import structlog

from media.client import AnswerRefused, MediaError
from pbx import gruu
from pbx.b2bua.call import Call
from pbx.b2bua.callee_leg import ELSEWHERE, CalleeLeg
from pbx.b2bua.events import Answered, LegEvent, Progressed, Rang, Refused
from pbx.b2bua.leg import Phase
from pbx.dialplan.plan import RingPerson
from pbx.features.announcement import refuse
from pbx.features.voicemail_deposit import leave_message, takes_messages
from storage.calls import CallOutcome

log = structlog.get_logger()

NONSENSE = 0
"""No status of the phone's: it answered with what was not offered."""

NO_ANSWER, OFFLINE, BUSY, DECLINED = 480, 480, 486, 603


async def ring_person(call: Call, route: RingPerson) -> None:
    """Ring, talk; or say why not."""
    call.tenure = route.tenure
    holder = call.directory.tenancies.get(call.caller.dialled)
    call.callee_name = holder.name if holder else ""
    ringing = Ringing(call, route.instance)
    winner = await ringing.first_answer(route.devices)
    if winner is not None:
        await call.talk(winner)
    status, prompt, outcome = ringing.verdict()
    if holder is not None and takes_messages(call, holder):
        await leave_message(call, holder, outcome, status)
    cause = "answer-refused" if outcome is CallOutcome.FAILED else ""
    await refuse(call, status, prompt, outcome, cause=cause)


class Ringing:
    """The phones that ring for one call, and what they said."""

    def __init__(self, call: Call, instance: str = "") -> None:
        """`instance`: only that one rings, of several with one identity."""
        self._call = call
        self._instance = instance
        self._legs: list[CalleeLeg] = []
        self._refusals: list[int] = []
        self._has_early_media = False
        self._timed_out = False

    async def first_answer(self, devices: Iterable[UUID]) -> CalleeLeg | None:
        """Ring these devices until one answers, all refused, or the time is up."""
        await self._invite(devices)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._call.around.config.ring_seconds
        self._call.state = "ringing"
        while any(leg.phase is Phase.BEGINNING for leg in self._legs):
            event = await self._call.next(deadline)
            if event is None:
                self._timed_out = True
                break
            if isinstance(event, Answered) and await self._take(event):
                await self._stop(event.leg, ELSEWHERE)
                return event.leg
            await self._heed(event)
        await self._stop(None, None)
        return None

    def verdict(self) -> tuple[int, str, CallOutcome]:
        """What the caller is told when nobody answered: status, prompt, outcome."""
        if self._timed_out or 408 in self._refusals:
            return NO_ANSWER, "no-answer", CallOutcome.NO_ANSWER
        if NONSENSE in self._refusals:
            return NO_ANSWER, "no-answer", CallOutcome.FAILED
        if any(status >= 600 for status in self._refusals):
            return DECLINED, "no-answer", CallOutcome.DECLINED
        if 486 in self._refusals:
            return BUSY, "busy", CallOutcome.BUSY
        if self._refusals and all(status not in (480, 503) for status in self._refusals):
            return NO_ANSWER, "no-answer", CallOutcome.DECLINED
        return OFFLINE, "offline", CallOutcome.OFFLINE

    async def _invite(self, devices: Iterable[UUID]) -> None:
        call = self._call
        for device in devices:
            if not call.has_room(device):
                self._refusals.append(BUSY)
                continue
            for contact in call.phones.contacts_of(device):
                if self._instance and not gruu.names(self._instance, contact.instance):
                    continue
                try:
                    self._legs.append(await call.ring(device, contact, call.caller.dialled))
                except MediaError:
                    self._refusals.append(503)
                except Exception:  # what one contact says of itself stops no other phone
                    log.exception("a contact was not invited", call=str(call.id))
                    self._refusals.append(503)

    async def _heed(self, event: LegEvent) -> None:
        match event:
            case Rang():
                self._call.caller.ring()
            case Progressed(_, sdp) if len(self._legs) == 1 and not self._has_early_media:
                await self._join_early(self._legs[0], sdp)
            case Progressed():
                self._call.caller.ring()  # one of several: the caller hears our ringback
            case Refused(_, status):
                self._refusals.append(status)

    async def _join_early(self, leg: CalleeLeg, sdp: bytes) -> None:
        try:
            await self._call.connect(leg, sdp)
        except AnswerRefused:
            self._call.caller.ring()
            return
        self._has_early_media = True
        await self._call.caller.progress(leg)

    async def _take(self, answer: Answered) -> bool:
        """An answer that was not offered is a failed call: BYE, and the others ring on."""
        leg = answer.leg
        try:
            await self._call.connect(leg, answer.sdp)
        except AnswerRefused as refusal:
            log.warning("answer refused", call=str(self._call.id), reason=refusal.reason)
            leg.status = 488
            leg.hang_up('SIP;cause=488;text="Answer was not offered"')
            self._refusals.append(NONSENSE)
            return False
        return True

    async def _stop(self, winner: CalleeLeg | None, reason: str | None) -> None:
        """The others ring no longer, and their ports are free for the next call."""
        losers = [leg for leg in self._legs if leg is not winner]
        for leg in losers:
            leg.hang_up(reason)
        await self._call.drop_media(losers)
