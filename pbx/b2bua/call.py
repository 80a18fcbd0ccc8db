"""One call: a coroutine fed by one queue of leg events, from INVITE to BYE.

What ends a call in whatever state (somebody hangs up, vanishes, the media worker dies) raises
`CallOver` out of `next`; so a feature reads as the call happens and the `finally` of `run` is the
only place where legs and ports are given back and the record is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from uuid import UUID

import structlog

from media.client import AnswerRefused, Held, LegStats, MediaError, OfferRefused, Player, Silent
from pbx.b2bua.callee_leg import CalleeLeg, Invitation
from pbx.b2bua.caller_leg import CallerLeg
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
    Told,
    Vanished,
)
from pbx.b2bua.identity import Caller, shown_to, wants_privacy
from pbx.b2bua.journey import Journey
from pbx.b2bua.leg import Leg, Phase
from pbx.b2bua.location import Location
from pbx.b2bua.pairing import Pairing
from pbx.b2bua.ports import Contact
from pbx.b2bua.snapshot import CallSnapshot, Resumed
from pbx.b2bua.surroundings import Board, Serve, Surroundings
from pbx.b2bua.written import leg_record_of, record_of, route_name, snapshot_of
from pbx.dialplan.plan import Emergency, Route
from pbx.sip.dialog import Dialog, uas_id
from pbx.sip.events import RequestReceived
from pbx.sip.message import Request, Response
from storage.calls import CallOutcome, CallRecord, LegRecord, Transfer
from storage.identifiers import new_id

log = structlog.get_logger()

TRANSFERRED = "transferred"


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
        self.listen = board.listeners.listen
        self.leg_in = board.listeners.leg_in
        self._board = board
        self._inbox: asyncio.Queue[LegEvent] = asyncio.Queue()
        self.started_at = started_at
        self.ended_at = 0
        self.outcome = CallOutcome.FAILED
        self.cause = "internal"
        self.route: Route | Resumed | None = None
        self.tenure: UUID | None = None
        self.callee_name = ""
        self.group: UUID | None = None
        """The group that rings now, or whose member was found."""
        self.through = ""
        """What that is called: shown to those who are rung, before the caller."""
        self.takes_comers = False
        """Another phone may answer now: somebody is rung, or the call is parked."""
        self.parked_by: UUID | None = None
        """The device that gets a parked call back when nobody takes it."""
        self.location: Location | None = None
        """Where the phone of an emergency call says that it is."""
        self.pairing = Pairing(self)
        self.given: list[LegRecord] = []
        """What is kept of legs that went on in another call."""
        self.transfers: list[Transfer] = []
        self.journey: Journey | None = None
        """Who is being put through now."""
        self.legs: list[Leg] = []
        self._has_early_dialog = False
        self.state = "beginning"
        self.is_left = False
        """It goes on without us: another exchange takes it back from its worker."""

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
        call.pairing.await_for(call.caller)
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
            if not self.is_left:
                await self._finish()

    def tell(self, event: LegEvent) -> None:
        """A leg, or somebody with the right to, has something to say."""
        self._inbox.put_nowait(event)

    def end(self, cause: str) -> None:
        """Hang up from outside: an administrator, a drain, a revoked device."""
        self.tell(Told(None, cause))

    @property
    def is_settled(self) -> bool:
        """Whether an exchange that comes back goes on with all of it."""
        return self.state in ("talking", "parked")

    @property
    def can_be_left(self) -> bool:
        """Whether an exchange that comes back would go on with it, or with some of it."""
        if not any(leg.is_talking for leg in self.pairing.parties):
            return False
        return bool(self.is_settled or self.journey or self.parked_by or self.is_emergency)

    async def leave(self, task: asyncio.Task[None]) -> None:
        """Nothing is said to whoever talks, and nothing given back of theirs. Our task ends before
        it can take the end of what rings for a refusal."""
        self.is_left = True
        ringing = [leg for leg in self.legs if leg.is_beginning]
        for leg in ringing:
            self._hang_up(leg)
        await self.keep()
        for leg in self.legs:
            leg.asking.close()
        task.cancel()
        await self.drop_media(ringing)

    async def _finish(self) -> None:
        """Give everything back, whatever fails on the way."""
        self.state, self.ended_at = "ended", self.ended_at or max(self.clock(), self.started_at)
        for leg in self.legs:
            if not isinstance(leg, CallerLeg):
                self._hang_up(leg)
        await self.pairing.give_up()
        await self.drop_media(self.legs, self.sealed())
        for leg in self.legs:
            await leg.may_hang_up()
            self._hang_up(leg)
        while not self._inbox.empty():
            event = self._inbox.get_nowait()
            match event:
                case Reoffered(leg):
                    leg.refuse_offer(event, 481)
                case Referred(leg):
                    leg.answer_referral(event, 481)
                case Replacing(leg):
                    leg.reject(481)
                case Taking(leg):
                    leg.reject(480)

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
            if deadline is None:
                event = await self._inbox.get()
            else:
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
            case GaveUp() | HungUp() | Vanished():
                await self.keep()
                return False  # of a phone that is no party
            case Heard(event=Silent()):
                return False  # not for long enough
            case Heard(leg, Held(is_held=is_held)):
                leg.is_held = is_held
                await self.keep()
                return False
            case Reoffered() | RefreshDue() | Reanswered() | Acknowledged():
                await self._change(event)
                return False
            case Referred(leg) if self.state != "talking" or self.partner_of(leg) is None:
                leg.answer_referral(event, 491 if self.state == "transferring" else 403)
                return False
            case Replacing(leg) if self.state != "talking":
                leg.reject(481)
                return False
            case Taking(leg) if not self.takes_comers:
                leg.reject(480)  # somebody was faster
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
        return leg in self.pairing.parties

    @property
    def waiting(self) -> Leg:
        """Who waits for somebody to answer."""
        return self.pairing.waiting

    def partner_of(self, leg: Leg) -> Leg | None:
        """Whom the leg is joined with."""
        return self.pairing.partner_of(leg)

    async def ring(self, device: UUID, contact: Contact, number: str) -> CalleeLeg:
        """Invite one contact of a device; a failure leaves nothing of the leg behind."""
        leg = CalleeLeg(self, new_id(self.clock), device, contact)
        leg.person = self.person_at(device)
        self.add(leg)
        place = self.directory.place_of(device)
        who = self.identity_of(self.waiting)
        invitation = Invitation(
            domain=self.around.domain,
            number=number,
            shown=shown_to(who, place, is_emergency=self.is_emergency).through(self.through),
            max_forwards=self.max_forwards,
            is_emergency=self.is_emergency,
            location=self.location,
        )
        try:
            await leg.invite(invitation, self.waiting)
        except Exception:
            leg.status = 503
            self._hang_up(leg)
            await self.drop_media([leg])
            raise
        return leg

    async def begin(self, callee: Leg) -> None:
        """Answer the caller for a callee that is connected."""
        if self.has_given_up:
            raise CallOver("caller-gave-up", CallOutcome.CANCELLED)
        await self.caller.accept(callee)
        self._conclude(CallOutcome.ANSWERED, "internal")
        await self.talk()

    async def talk(self) -> None:
        """They talk, from now on or again."""
        self.state, self.journey = "talking", None
        self._board.settled()
        await self.keep()

    async def set_out(self, journey: Journey) -> None:
        """Somebody is put through: kept before anything is done, so that an exchange that comes
        back knows what it was about."""
        self.state, self.journey = "transferring", journey
        await self.keep()

    async def echo(self) -> None:
        """The caller hears itself."""
        await self.pairing.join(self.caller, self.caller)

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

    def is_at_limit(self, person: UUID, most: int | None) -> bool:
        """Whether a person has as many calls as they take at once."""
        return most is not None and not self.is_emergency and self._board.is_at(person, most, self)

    @property
    def place(self) -> int:
        """Where it is parked, or is to be; 0: nowhere."""
        return self.around.lot.place_of(self)

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

    def owe(self, device: UUID, dialog: Dialog, write: Callable[[], Request] | None = None) -> None:
        """The phone cannot be reached now: it is told this when it can be, or that the call is
        over."""
        self._board.goodbyes.owe(device, dialog, write)

    def early_dialog_of(self, response: Response) -> None:
        """Requests in the dialog of a provisional response are this call's too."""
        if not self._has_early_dialog:
            self._has_early_dialog = self.dialog_of(response, self.caller) is not None

    def dialog_of(self, answer: Response, leg: Leg) -> Dialog | None:
        """The dialog that our answer made."""
        dialog = self.agent.dialog(uas_id(answer))
        if dialog is not None:
            self._board.listeners.listen_dialog(dialog, leg)
        return dialog

    def person_at(self, device: UUID) -> UUID | None:
        """Whose phone it is; None: nobody's."""
        holder = self.directory.holder_of(device)
        return holder.person if holder else None

    def is_ours(self, leg: Leg, host: str) -> bool:
        """Whether a URI that this leg's phone names points at us."""
        facts = self.agent.facts(leg.flow)
        return host.lower() == self.around.domain or (facts is not None and host == facts.local[0])

    def identity_of(self, leg: Leg) -> Caller:
        """Who is at this phone, as we know it."""
        return self.identity if leg is self.caller else self.directory.caller(leg.device)

    def introduce(self, leg: Leg, other: Leg) -> None:
        """Tell this leg's phone whom it hears now, as far as its place may show it."""
        place = self.directory.place_of(leg.device)
        leg.asking.show(shown_to(self.identity_of(other), place))

    def transferred(self, kind: str, by: Leg, who: Leg | None, number: str, status: int) -> None:
        """Somebody was put through, or not: for the record."""
        self.transfers.append(
            Transfer(
                at=self.clock(),
                kind=kind,
                by=by.device,
                by_person=by.person,
                who=who.device if who else None,
                number=number,
                status=status,
            )
        )

    def picked_up(self, leg: Leg, number: str, kind: str = "picked-up") -> None:
        """Another phone has answered for whoever was rung, or has taken the parked call."""
        held = self.directory.holder_of(leg.device)
        if held is not None and kind == "picked-up" and self.waiting is self.caller:
            self.tenure, self.callee_name = held.tenure, held.name
        self.transferred(kind, leg, self.waiting, number, 200)
        self.introduce(self.waiting, leg)
        self.introduce(leg, self.waiting)

    def give(self, legs: Sequence[Leg], to: Call, figures: Sequence[LegStats]) -> None:
        """These legs go on in another call; ours is over for everybody else."""
        for leg, stats in zip(legs, figures, strict=True):
            self.given.append(leg_record_of(leg, stats, new_id(self.clock)))
            self.legs.remove(leg)
            self.pairing.parties.discard(leg)
            self.ended(leg)
            leg.call = to
            self._board.listeners.move(leg, self, to)
            to.take(leg)
        waiting = [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
        for event in waiting:
            (to if event.leg in legs else self).tell(event)
        self.ended_at, self.cause = self.clock(), TRANSFERRED
        self.tell(Told(None, TRANSFERRED))

    def take(self, leg: Leg) -> None:
        """A leg of another call goes on in this one."""
        self.add(leg)

    # -- what is kept and shown

    @property
    def route_name(self) -> str:
        """For records and tables."""
        return route_name(self.route)

    def snapshot(self) -> CallSnapshot:
        return snapshot_of(self)

    def record(self) -> CallRecord:
        return record_of(self)
