"""A call that the exchange comes back to: made from its snapshot, entered where it was."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from uuid import UUID

from media.client import LegId, StoredCall
from pbx.b2bua.call import Call
from pbx.b2bua.callee_leg import CalleeLeg
from pbx.b2bua.caller_leg import CallerLeg
from pbx.b2bua.identity import Caller
from pbx.b2bua.journey import Journey
from pbx.b2bua.leg import Leg, Phase
from pbx.b2bua.news import News
from pbx.b2bua.ports import NO_FLOW, Contact
from pbx.b2bua.snapshot import CallSnapshot, LegSnapshot, Resumed
from pbx.b2bua.surroundings import Board, Surroundings
from pbx.dialplan.codes import MOST_SLOTS
from pbx.sip.events import TransactionId
from storage.calls import CallOutcome

RESTARTED = "exchange-restarted"
NO_TRANSACTION = TransactionId(0)
"""None has this number: the INVITE is not ours to answer."""


class ResumedCaller(CallerLeg):
    """Its INVITE is history: answered, or never to be."""

    def __init__(self, call: Call, snapshot: LegSnapshot, dialled: str) -> None:
        Leg.__init__(self, call, snapshot.id, snapshot.device, NO_FLOW, "")
        self.dialled = dialled
        self._transaction = NO_TRANSACTION
        self._answer, self._has_path, self._has_rung = b"", True, True
        self._offers_late, self._late_answer = False, None
        self._is_acknowledged, self._is_answered_late = asyncio.Event(), asyncio.Event()

    async def take_offer(self) -> None:
        """It was taken before."""

    async def may_hang_up(self) -> None:
        """Whether its ACK has come was not kept; a BYE is late enough by now."""


class ResumedCallee(CalleeLeg):
    """Rung by the exchange that was here before."""

    def __init__(self, call: Call, snapshot: LegSnapshot) -> None:
        super().__init__(call, snapshot.id, snapshot.device, Contact(NO_FLOW, ""))


def resume(around: Surroundings, board: Board, snapshot: CallSnapshot, stored: StoredCall) -> Call:
    """The call as it was; `run` goes on with it, or ends what cannot go on."""
    call = Call(around, board, snapshot.id, snapshot.started_at, snapshot.max_forwards)
    call.route = Resumed(snapshot.route, snapshot.is_emergency)
    call.tenure, call.callee_name = snapshot.tenure, snapshot.callee_name
    call.identity = Caller(snapshot.caller_number, snapshot.caller_name)
    call.ended_at, call.outcome, call.cause = snapshot.ended_at, snapshot.outcome, snapshot.cause
    call.transfers = list(snapshot.transfers)
    if snapshot.parked_by is not None and around.lot.take(call, MOST_SLOTS, snapshot.place):
        call.parked_by = snapshot.parked_by
    call.given = list(snapshot.given)
    if snapshot.caller is not None:
        call.caller = _gone(call, snapshot.caller, snapshot.dialled)
    for was in snapshot.legs:
        _resume_leg(call, board, was, snapshot, stored)
    call.pairing.await_for(call.caller)
    by_id = {leg.id: leg for leg in call.legs}
    for was in snapshot.legs:
        one, other = by_id[was.id], by_id.get(was.partner) if was.partner else None
        if other is not None and one.is_talking and other.is_talking:
            call.pairing.pair(one, other)
    call.journey = _journey(snapshot, by_id)
    if call.journey is not None:
        call.pairing.await_for(call.journey.who)
    call.pairing.take_trunk([leg for leg in snapshot.trunk if leg in stored.legs])
    if not call.ended_at and not any(leg.is_talking for leg in call.pairing.parties):
        call.outcome, call.cause = CallOutcome.FAILED, RESTARTED
    return call


def _gone(call: Call, was: LegSnapshot, dialled: str) -> ResumedCaller:
    """Who had made the call, and went on in another one: none of its legs."""
    leg = ResumedCaller(call, was, dialled)
    leg.phase, leg.person = Phase.ENDED, was.person
    leg.started_at, leg.answered_at, leg.ended_at = was.started_at, was.answered_at, was.ended_at
    return leg


def _journey(snapshot: CallSnapshot, legs: Mapping[UUID, Leg]) -> Journey | None:
    was = snapshot.journey
    if was is None or was.by not in legs or was.who not in legs or not legs[was.who].is_talking:
        return None
    by, to = legs[was.by], legs.get(was.to) if was.to else None
    return Journey(
        kind=was.kind,
        by=by,
        who=legs[was.who],
        number=was.number,
        news=News(by, was.refer, is_wanted=was.wants_news),
        to=to if to is not None and to.is_talking else None,
    )


def _resume_leg(
    call: Call, board: Board, was: LegSnapshot, snapshot: CallSnapshot, stored: StoredCall
) -> None:
    leg: Leg
    if was.role == CallerLeg.role and not call.legs and not snapshot.caller:
        leg = call.caller = ResumedCaller(call, was, snapshot.dialled)
    else:
        leg = ResumedCallee(call, was)
    leg.is_described = True
    leg.person, leg.status, leg.contact = was.person, was.status, was.contact
    leg.started_at, leg.answered_at, leg.ended_at = was.started_at, was.answered_at, was.ended_at
    leg.signalling, leg.is_held = was.signalling, was.is_held
    leg.media_name = was.media
    leg.stats = stored.figures.get(was.media)
    call.members.add(leg)
    if was.phase == "confirmed" and was.dialog is not None:
        leg.dialog, leg.phase = call.agent.restore(was.dialog), Phase.CONFIRMED
        board.listeners.listen_dialog(leg.dialog, leg)
        _adopt(leg, stored.legs)
    else:
        leg.end()  # it rang, or had ended


def _adopt(leg: Leg, alive: Collection[LegId]) -> None:
    if leg.media_name in alive:
        leg.media = leg.media_name
        leg.call.media.adopt(leg.media, str(leg.call.id), leg.heard)
