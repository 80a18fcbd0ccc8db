"""One call: a coroutine fed by one queue of leg events, from INVITE to BYE.

What ends a call in whatever state (somebody hangs up, vanishes, the media worker dies) raises
`CallOver` out of `next`; so a feature reads as the call happens and the `finally` of `run` is the
only place where legs and ports are given back and the record is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from uuid import UUID

import structlog

from media.client import MediaError, OfferRefused, Player
from pbx.b2bua.callee_leg import CalleeLeg, Invitation
from pbx.b2bua.caller_leg import CallerLeg
from pbx.b2bua.endings import CallOver
from pbx.b2bua.events import LegEvent, Told
from pbx.b2bua.identity import Caller, shown_to, wants_privacy
from pbx.b2bua.inbox import Inbox
from pbx.b2bua.journey import Journey
from pbx.b2bua.leg import Leg, Phase
from pbx.b2bua.location import Location
from pbx.b2bua.members import Members
from pbx.b2bua.pairing import Pairing
from pbx.b2bua.ports import Contact
from pbx.b2bua.snapshot import CallSnapshot, Resumed
from pbx.b2bua.surroundings import Board, Serve, Surroundings
from pbx.b2bua.written import record_of, route_name, snapshot_of
from pbx.dialplan.plan import Emergency, Route
from pbx.sip.dialog import Dialog, uas_id
from pbx.sip.events import RequestReceived
from pbx.sip.message import Request, Response
from storage.calls import CallOutcome, CallRecord, LegRecord, Transfer
from storage.identifiers import new_id

log = structlog.get_logger()

LONGEST_SNAPSHOT = 512 * 1024
"""Bytes; the worker takes messages of 1 MiB, and an offer may go with it."""


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
        self.board = board
        self.inbox = Inbox(self)
        self.started_at = started_at
        self.ended_at = 0
        self.outcome = CallOutcome.FAILED
        self.cause = "internal"
        self._reason: str | None = None
        """Of the end, for the phones."""
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
        self.members = Members(self, board)
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
        call.members.add(call.caller)
        return call

    # -- life

    async def run(self, route: Route | Resumed, serve: Serve) -> None:
        """From the INVITE to the last BYE; then `record` has it all."""
        self.route = route
        try:
            await self.caller.take_offer()
            await serve(self)
        except CallOver as over:
            self.cause, self._reason = over.cause, over.reason
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
        self.inbox.put(event)

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
        self.inbox.close()

    def _hang_up(self, leg: Leg) -> None:
        """What one leg's peer made of its dialog keeps no other leg from ending."""
        try:
            leg.hang_up(self._reason)
        except Exception:
            log.exception("a leg of a call was not hung up", call=str(self.id))

    def _conclude(self, outcome: CallOutcome, cause: str) -> None:
        self.outcome, self.cause = outcome, cause

    # -- what features use

    @property
    def legs(self) -> list[Leg]:
        """All that it ever had, but those that it gave to another call."""
        return self.members.legs

    @property
    def is_emergency(self) -> bool:
        route = self.route
        return route.is_emergency if isinstance(route, Resumed) else isinstance(route, Emergency)

    async def next(self, deadline: float | None = None) -> LegEvent | None:
        """The next event that a feature has to think about; None when the deadline passed.

        `deadline` is loop time. Raises `CallOver`.
        """
        return await self.inbox.next(deadline)

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
        self.members.add(leg)
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
        self.board.settled()
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
        if any(leg.media for leg in self.legs) and (sealed := self.sealed()):
            with suppress(MediaError):  # a worker that is gone says so by itself
                self.media.store(str(self.id), sealed)

    def sealed(self) -> bytes:
        """The call as it is now, for the worker to keep; nothing where it is more than the worker
        takes, which would hang up on all calls."""
        sealed = self.around.snapshots.seal(self.snapshot())
        return sealed if len(sealed) <= LONGEST_SNAPSHOT else b""

    async def drop_media(self, legs: Iterable[Leg], last: bytes = b"") -> None:
        """Free the ports of these legs and keep their last figures for the record."""
        held = [(leg, leg.media) for leg in legs if leg.media is not None]
        for leg, _ in held:
            leg.media = None
        figures = await self.media.drop_all([media for _, media in held], last)
        for (leg, _), stats in zip(held, figures, strict=True):
            leg.stats = stats

    @property
    def place(self) -> int:
        """Where it is parked, or is to be; 0: nowhere."""
        return self.around.lot.place_of(self)

    @property
    def is_wanted(self) -> bool:
        """Whether whoever waits is still there."""
        return self.waiting.phase is not Phase.ENDED

    @property
    def has_given_up(self) -> bool:
        """The caller went before anybody answered; the event that says so may still wait."""
        return self.caller.phase is Phase.ENDED and self.caller.answered_at is None

    def owe(self, device: UUID, dialog: Dialog, write: Callable[[], Request] | None = None) -> None:
        """The phone cannot be reached now: it is told this when it can be, or that the call is
        over."""
        self.board.goodbyes.owe(device, dialog, write)

    def early_dialog_of(self, response: Response) -> None:
        """Requests in the dialog of a provisional response are this call's too."""
        if not self._has_early_dialog:
            self._has_early_dialog = self.dialog_of(response, self.caller) is not None

    def dialog_of(self, answer: Response, leg: Leg) -> Dialog | None:
        """The dialog that our answer made."""
        dialog = self.agent.dialog(uas_id(answer))
        if dialog is not None:
            self.board.listeners.listen_dialog(dialog, leg)
        return dialog

    def person_at(self, device: UUID) -> UUID | None:
        """Whose phone it is; None: nobody's."""
        holder = self.directory.holder_of(device)
        return holder.person if holder else None

    def is_between_two(self, leg: Leg) -> bool:
        """Whether this one talks with somebody now; an echo is nobody."""
        return self.state == "talking" and self.partner_of(leg) not in (None, leg)

    def identity_of(self, leg: Leg) -> Caller:
        """Who is at this phone, as we know it."""
        return self.identity if leg is self.caller else self.directory.caller(leg.device)

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

    # -- what is kept and shown

    @property
    def route_name(self) -> str:
        """For records and tables."""
        return route_name(self.route)

    def snapshot(self) -> CallSnapshot:
        return snapshot_of(self)

    def record(self) -> CallRecord:
        return record_of(self)
