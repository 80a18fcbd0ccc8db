"""One call: a coroutine fed by one queue of leg events, from INVITE to BYE.

What ends a call in whatever state (somebody hangs up, vanishes, the media worker dies) raises
`CallOver` out of `next`; so a feature reads as the call happens and the `finally` of `run` is the
only place where legs and ports are given back and the record is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

import structlog

from media.client import AnswerRefused, Held, MediaError, OfferRefused, Player, Silent
from pbx.b2bua.callee_leg import CalleeLeg, Invitation
from pbx.b2bua.caller_leg import CallerLeg
from pbx.b2bua.endings import CallOver, end_of
from pbx.b2bua.events import (
    Acknowledged,
    Heard,
    HungUp,
    LegEvent,
    Reanswered,
    RefreshDue,
    Reoffered,
    Told,
    Vanished,
)
from pbx.b2bua.identity import Caller, shown_to, wants_privacy
from pbx.b2bua.leg import Leg, Phase
from pbx.b2bua.ports import Contact
from pbx.b2bua.snapshot import CallSnapshot, Resumed
from pbx.b2bua.surroundings import Board, Serve, Surroundings
from pbx.b2bua.written import record_of, route_name, snapshot_of
from pbx.dialplan.plan import Emergency, Route
from pbx.sip.dialog import Dialog, uas_id
from pbx.sip.events import RequestReceived
from pbx.sip.message import Response
from storage.calls import CallOutcome, CallRecord
from storage.identifiers import new_id

log = structlog.get_logger()


class Call:
    """A caller's leg, the legs of the phones it rings, and what becomes of them."""

    caller: CallerLeg
    identity: Caller

    def __init__(
        self, around: Surroundings, board: Board, id: UUID, started_at: int, max_forwards: int
    ) -> None:
        """Without a caller yet: see `begun` and `pbx.b2bua.resumed`."""
        self.max_forwards = max_forwards
        self.around = around
        self.agent, self.phones, self.media = around.agent, around.phones, around.media
        self.clock = around.clock
        self.directory = around.directory()
        self.id = id
        self.listen = board.listen
        self._board = board
        self._inbox: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._partner: dict[Leg, Leg] = {}
        self.started_at = started_at
        self.ended_at = 0
        self.outcome = CallOutcome.FAILED
        self.cause = "internal"
        self.route: Route | Resumed | None = None
        self.tenure: UUID | None = None
        self.callee_name = ""
        self.waiting: Leg
        """Who waits for somebody to answer."""
        self.parties: set[Leg] = set()
        """Whose end is the end of the call."""
        self.legs: list[Leg] = []
        self._has_early_dialog = False
        self.state = "beginning"

    @classmethod
    def begun(
        cls,
        around: Surroundings,
        board: Board,
        event: RequestReceived,
        device: UUID,
        max_forwards: int,
    ) -> Call:
        """By an INVITE of this device's."""
        call = cls(around, board, new_id(around.clock), around.clock(), max_forwards)
        call.caller = CallerLeg(call, new_id(call.clock), device, event)
        call.caller.person = call.person_at(device)
        call.identity = call.directory.caller(device, wants_privacy=wants_privacy(event.request))
        call.waiting, call.parties = call.caller, {call.caller}
        call.add(call.caller)
        return call

    # -- life

    async def run(self, route: Route | Resumed, serve: Serve) -> None:
        """From the INVITE to the last BYE; then `record` has it all."""
        self.route = route
        try:
            await self.caller.take_offer()
            await serve(self)
        except CallOver as over:
            self.cause = over.cause
            if over.outcome is not None:
                self.outcome = over.outcome
        except OfferRefused as refusal:
            self._conclude(CallOutcome.REFUSED, "offer-refused")
            self.caller.reject(refusal.status, warning=refusal.reason)
        except MediaError as error:
            if self.has_given_up:
                self._conclude(CallOutcome.CANCELLED, "caller-gave-up")
            else:
                log.warning("no media for a call", call=str(self.id), reason=str(error))
                self._conclude(CallOutcome.FAILED, "media-unavailable")
                self.caller.reject(503)
        except Exception:
            log.exception("call failed", call=str(self.id))
            self._conclude(CallOutcome.FAILED, "internal")
            self.caller.reject(500)
        finally:
            await self._finish()

    def tell(self, event: LegEvent) -> None:
        """A leg, or somebody with the right to, has something to say."""
        self._inbox.put_nowait(event)

    def end(self, cause: str) -> None:
        """Hang up from outside: an administrator, a drain, a revoked device."""
        self.tell(Told(None, cause))

    async def _finish(self) -> None:
        """Give everything back, whatever fails on the way."""
        self.state, self.ended_at = "ended", self.ended_at or max(self.clock(), self.started_at)
        for leg in self.legs:
            if leg is not self.caller:
                self._hang_up(leg)
        await self.drop_media(self.legs, self.sealed())
        await self.caller.may_hang_up()
        self._hang_up(self.caller)
        while not self._inbox.empty():
            event = self._inbox.get_nowait()
            if isinstance(event, Reoffered):
                event.leg.refuse_offer(event, 481)

    def _hang_up(self, leg: Leg) -> None:
        """What one leg's peer made of its dialog keeps no other leg from ending."""
        try:
            leg.hang_up()
        except Exception:
            log.exception("a leg of a call was not hung up", call=str(self.id))

    def _conclude(self, outcome: CallOutcome, cause: str) -> None:
        self.outcome, self.cause = outcome, cause

    # -- what features use

    @property
    def is_emergency(self) -> bool:
        route = self.route
        return route.is_emergency if isinstance(route, Resumed) else isinstance(route, Emergency)

    async def next(self, deadline: float | None = None) -> LegEvent | None:
        """The next event that a feature has to think about; None when the deadline passed.

        `deadline` is loop time. Raises `CallOver`.
        """
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    event = await self._inbox.get()
            except TimeoutError:
                return None
            if await self._is_for_feature(event):
                return event

    async def _is_for_feature(self, event: LegEvent) -> bool:
        if (over := end_of(self, event)) is not None:
            raise over
        match event:
            case HungUp() | Vanished() | Heard(event=Silent()):
                return False  # of a phone that is no party, or not silent for long enough
            case Heard(leg, Held(is_held=is_held)):
                leg.is_held = is_held
                await self.keep()
                return False
            case Reoffered() | RefreshDue() | Reanswered() | Acknowledged():
                await self._change(event)
                return False
        return True

    async def _change(self, event: Reoffered | RefreshDue | Reanswered | Acknowledged) -> None:
        """A session changes, or shows that it lives."""
        leg = event.leg
        try:
            match event:
                case Reoffered():
                    if await leg.accept_offer(event):
                        await self.keep()
                case RefreshDue():
                    await leg.asking.ask()
                case Reanswered():
                    await leg.take_reanswer(event)
                case Acknowledged(sdp=sdp):
                    await leg.take_late_answer(sdp)
        except AnswerRefused:
            raise CallOver(f"{leg.role}-answer-refused") from None

    def is_party(self, leg: Leg) -> bool:
        """Not one that rang in vain: a phone that lost the race may say what it likes."""
        return leg in self.parties

    def partner_of(self, leg: Leg) -> Leg | None:
        """Whom the leg is joined with."""
        return self._partner.get(leg)

    async def ring(self, device: UUID, contact: Contact, number: str) -> CalleeLeg:
        """Invite one contact of a device; a failure leaves nothing of the leg behind."""
        leg = CalleeLeg(self, new_id(self.clock), device, contact)
        leg.person = self.person_at(device)
        self.add(leg)
        place = self.directory.place_of(device)
        invitation = Invitation(
            domain=self.around.domain,
            number=number,
            shown=shown_to(self.identity, place, is_emergency=self.is_emergency),
            max_forwards=self.max_forwards,
            is_emergency=self.is_emergency,
        )
        try:
            await leg.invite(invitation, self.waiting)
        except Exception:
            leg.status = 503
            self._hang_up(leg)
            await self.drop_media([leg])
            raise
        return leg

    async def connect(self, callee: CalleeLeg, answer: bytes) -> None:
        """Take the callee's answer, settle ours to the caller, let each hear the other.

        Raises `AnswerRefused` for what was not offered: a failed call.
        """
        waiting = self.waiting
        if callee.media is None or waiting.media is None:
            raise AnswerRefused("the leg is gone")
        if waiting.awaits_answer:
            description = await self.media.bridge(
                callee.media, answer, waiting.media, self.sealed()
            )
            self.caller.settled(description)
        else:
            await self.media.take_answer(callee.media, answer)
            if waiting.is_described:
                await self.media.join(waiting.media, callee.media)
        callee.is_described = True
        self.pair(waiting, callee)

    def pair(self, one: Leg, other: Leg) -> None:
        """These two are the call now."""
        self._partner = {one: other, other: one}
        self.parties = {one, other}

    async def talk(self, callee: CalleeLeg) -> None:
        """Answer the caller for a callee that is connected; stay until the call is over."""
        if self.has_given_up:
            raise CallOver("caller-gave-up", CallOutcome.CANCELLED)
        await self.caller.accept(callee)
        self._conclude(CallOutcome.ANSWERED, "internal")
        self.state = "talking"
        await self.keep()
        while True:
            await self.next()

    async def join(self, callee: Leg) -> None:
        """Each hears the other."""
        await self.caller.prepare(callee)
        if self.has_given_up:
            raise CallOver("caller-gave-up", CallOutcome.CANCELLED)
        if self.caller.media is not None and callee.media is not None:
            self.pair(self.caller, callee)
            await self.media.join(self.caller.media, callee.media)

    async def play(self, player: Player) -> None:
        """Let whoever waits hear something, on an open path."""
        if self.waiting.media is not None:
            await self.media.feed(self.waiting.media, player)

    async def keep(self) -> None:
        """Give the worker a snapshot of the call as it is now."""
        if any(leg.media for leg in self.legs):
            with suppress(MediaError):  # a worker that is gone says so by itself
                self.media.store(str(self.id), self.sealed())

    def sealed(self) -> bytes:
        """The call as it is now, for the worker to keep."""
        return self.around.snapshots.seal(self.snapshot())

    async def drop_media(self, legs: Iterable[Leg], last: bytes = b"") -> None:
        """Free the ports of these legs and keep their last figures for the record."""
        held = [(leg, leg.media) for leg in legs if leg.media is not None]
        for leg, _ in held:
            leg.media = None
        figures = await self.media.drop_all([media for _, media in held], last)
        for (leg, _), stats in zip(held, figures, strict=True):
            leg.stats = stats

    def has_room(self, device: UUID) -> bool:
        """Whether the device may be rung, or has as many calls as it may have."""
        return self.is_emergency or self._board.has_room(device)

    @property
    def may_take_ports(self) -> bool:
        """The last ports of a worker are for emergency calls (47 CFR 9.16)."""
        total = self.around.legs_per_worker
        if self.is_emergency or not total:
            return True
        kept = min(self.around.config.emergency_legs, total // 4)
        return self.media.legs_beside(str(self.id)) < total - kept

    @property
    def is_wanted(self) -> bool:
        """Whether whoever waits is still there."""
        return self.waiting.phase is not Phase.ENDED

    @property
    def has_given_up(self) -> bool:
        """The caller went before anybody answered; the event that says so may still wait."""
        return self.caller.phase is Phase.ENDED and self.caller.answered_at is None

    def ended(self, leg: Leg) -> None:
        """A leg is over: its device has room again."""
        if leg.device not in self.devices():
            self._board.uncount(leg.device)

    def devices(self) -> set[UUID]:
        """Those that are part of the call now."""
        return {leg.device for leg in self.legs if leg.phase is not Phase.ENDED}

    def people(self) -> set[UUID | None]:
        """Those whose phones are part of the call now."""
        return {leg.person for leg in self.legs if leg.phase is not Phase.ENDED}

    def add(self, leg: Leg) -> None:
        """One more phone is part of the call."""
        if leg.device not in self.devices():
            self._board.count(leg.device)
        self.legs.append(leg)

    def owe(self, device: UUID, dialog: Dialog) -> None:
        """The phone cannot be reached now: it is told that the call is over when it can be."""
        self._board.goodbyes.owe(device, dialog)

    def early_dialog_of(self, response: Response) -> None:
        """Requests in the dialog of a provisional response are this call's too."""
        if not self._has_early_dialog:
            self._has_early_dialog = self.dialog_of(response) is not None

    def dialog_of(self, answer: Response) -> Dialog | None:
        """The dialog that our answer made."""
        dialog = self.agent.dialog(uas_id(answer))
        if dialog is not None:
            self._board.listen_dialog(dialog, self.caller)
        return dialog

    def person_at(self, device: UUID) -> UUID | None:
        """Whose phone it is; None: nobody's."""
        holder = self.directory.holder_of(device)
        return holder.person if holder else None

    # -- what is kept and shown

    @property
    def route_name(self) -> str:
        """For records and tables."""
        return route_name(self.route)

    def snapshot(self) -> CallSnapshot:
        return snapshot_of(self)

    def record(self) -> CallRecord:
        return record_of(self)
