"""All calls: admits them, finds the leg an event belongs to, and keeps what they leave behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeGuard
from uuid import UUID

import structlog

from media.client import StoredCall
from pbx import gruu
from pbx.b2bua.call import Call
from pbx.b2bua.caller_leg import CallerLeg, user_of
from pbx.b2bua.comers import is_open, may_take_back, rings_at
from pbx.b2bua.config import CallsConfig
from pbx.b2bua.events import Replacing, Taking
from pbx.b2bua.goodbyes import Goodbyes
from pbx.b2bua.listeners import Listeners
from pbx.b2bua.location import unwrap
from pbx.b2bua.lot import Lot
from pbx.b2bua.pace import Pace
from pbx.b2bua.resumed import resume
from pbx.b2bua.routing import to_instance
from pbx.b2bua.snapshot import CallSnapshot, Resumed
from pbx.b2bua.surroundings import Serve, Surroundings
from pbx.b2bua.written import route_name
from pbx.dialplan import plan
from pbx.sip import events as sip
from pbx.sip.dialog import Dialog, DialogId
from pbx.sip.errors import PeerError
from pbx.sip.loops import forwards
from pbx.sip.message import Request, response_to
from storage.calls import CallRecord
from storage.identifiers import new_id

log = structlog.get_logger()

BUSY_HERE, OVERLOADED = 486, 503


@dataclass(frozen=True, slots=True)
class CallRow:
    """One live call, for an operator's table: no number, no name."""

    id: UUID
    route: str
    state: str
    started_at: int
    answered_at: int | None
    devices: tuple[UUID, ...]


class Calls:
    """The calls of this exchange."""

    def __init__(
        self,
        around: Surroundings,
        serve: Serve,
        started: Callable[[Call], None],
        ended: Callable[[CallRecord], None],
    ) -> None:
        """`started` hears of each call with its route, `ended` gets its record."""
        self._around = around
        self._serve = serve
        self._started, self._ended = started, ended
        self._live: dict[UUID, Call] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._pace, self._pace_of_help = Pace(), Pace()
        self.listeners = Listeners()
        self._per_device: Counter[UUID] = Counter()
        self.goodbyes = Goodbyes(around.agent, around.phones)
        self.is_draining = False
        self._idle, self._turn = asyncio.Event(), asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._live)

    @property
    def lot(self) -> Lot:
        """Where calls are parked."""
        return self._around.lot

    def admit(self, event: sip.RequestReceived, device: UUID) -> None:
        """An INVITE of an authenticated device that begins a call."""
        around = self._around
        if "Replaces" in event.request.headers:
            refusal = self._replace(event, device)
            if refusal:
                around.agent.respond(event.transaction, response_to(event.request, refusal))
            return
        route = self._route(device, event.request)
        is_emergency = isinstance(route, plan.Emergency)
        if refusal := self._over_emergencies(device) if is_emergency else self._over_limit(device):
            around.agent.respond(event.transaction, response_to(event.request, refusal))
            return
        try:
            max_forwards = forwards(event.request)
        except PeerError as error:
            around.agent.respond(event.transaction, response_to(event.request, error.status))
            return
        location = unwrap(event.request)
        found = self._open_to(device, route)
        if found is not None:
            self._come(event, device, found)
            return
        call = Call.begun(around, self, event, device, max_forwards)
        call.route = route
        call.location = location if is_emergency else None
        self.listeners.listen(event.transaction, call.caller)
        self._started(call)
        self._note_use(call)
        self._begin(call, route)

    def resume(self, snapshot: CallSnapshot, stored: StoredCall) -> None:
        """Go on with a call that lives in its worker, or end what cannot go on."""
        call = resume(self._around, self, snapshot, stored)
        self._begin(call, Resumed(snapshot.route, snapshot.is_emergency))

    def is_live(self, call: str) -> bool:
        """Whether the call of this name goes on here."""
        return UUID(call) in self._live

    def _begin(self, call: Call, route: plan.Route | Resumed) -> None:
        self._live[call.id] = call
        self._idle.clear()
        self._tasks[call.id] = asyncio.create_task(self._run(call, route), name="call")

    def _route(self, device: UUID, request: Request) -> plan.Route:
        """By the number, or to the one phone that a GRUU names (RFC 5627)."""
        directory, now = self._around.directory(), self._around.clock()
        one = gruu.read(request.uri, self._around.domain)
        if one is None:
            return plan.route(device, user_of(request), directory, now)
        return to_instance(device, one, directory, now)

    def _replace(self, event: sip.RequestReceived, device: UUID) -> int:
        """A phone wants the place of another one in a call (RFC 3891 §3); or why it is refused."""
        try:
            replaces = event.request.replaces
        except PeerError as error:
            return error.status
        around = self._around
        holder = around.directory().holder_of(device)
        person = holder.person if holder else None
        found = replaces and self.listeners.leg_in(
            DialogId(replaces.call_id, replaces.to_tag, replaces.from_tag)
        )
        if not replaces or not found or not found.belongs_to(device, person):
            around.strangers(device, person)
            return 403 if found else 481
        if not found.is_confirmed:
            return 603 if found.is_ended else 481
        if replaces.is_early_only:
            return BUSY_HERE
        if found.call.is_emergency:
            return 403
        call = found.call
        leg = CallerLeg(call, new_id(around.clock), device, event)
        leg.person = person
        call.members.add(leg)
        self.listeners.listen(event.transaction, leg)
        call.tell(Replacing(leg, found))
        return 0

    def _open_to(self, device: UUID, route: plan.Route) -> Call | None:
        """The call that a phone wants to answer or take back, if it may and there is one."""
        match route:
            case plan.PickUp(target, is_allowed=True):
                return next((c for c in self._live.values() if rings_at(c, target, device)), None)
            case plan.Slot(place) if may_take_back(self._around.directory(), device):
                parked = self._around.lot.at(place)
                return parked if parked is not None and is_open(parked) else None
        return None

    def _come(self, event: sip.RequestReceived, device: UUID, call: Call) -> None:
        leg = CallerLeg(call, new_id(self._around.clock), device, event)
        leg.person = call.person_at(device)
        call.members.add(leg)
        self.listeners.listen(event.transaction, leg)
        call.tell(Taking(leg))

    def receive(self, event: sip.Event) -> bool:
        """An event of a transaction or dialog; False: it belongs to no call."""
        leg = self.listeners.leg_of(event)
        if leg is not None:
            dialog = getattr(event, "dialog", None)
            if dialog is not None:
                self.listeners.listen_dialog(dialog, leg)
            if isinstance(event, sip.RequestReceived | sip.Acknowledged):
                unwrap(event.request)
            leg.receive(event)
            if _is_end_of_ours(event) and not leg.is_begun_by(event.transaction):
                self.listeners.over(event.transaction)
            return True
        match event:
            case sip.ResponseReceived(response=response, dialog=Dialog() as dialog):
                if response.cseq.method == "INVITE" and 200 <= response.status < 300:
                    # It answered after all: a cancelled phone, or a fork of one (§13.2.2.4).
                    self._around.agent.acknowledge(event.transaction, dialog, event.flow)
                    self._around.agent.request(event.flow, dialog.request("BYE"))
                    return True
            case sip.RequestReceived(dialog=Dialog()):
                self._around.agent.respond(event.transaction, response_to(event.request, 481))
                return True
        return False

    def device_of(self, dialog: Dialog) -> UUID | None:
        """Whose dialog it is: a request in it must come from that device."""
        leg = self.listeners.leg_in(dialog.id)
        return leg.device if leg else None

    def snapshot(self) -> list[CallRow]:
        """Everything that is live."""
        return [
            CallRow(
                call.id,
                route_name(call.route),
                f"{call.state} at {call.place}" if call.state == "parked" else call.state,
                call.started_at,
                call.caller.answered_at,
                tuple(sorted(call.members.devices())),
            )
            for call in self._live.values()
        ]

    def reconfigure(self, config: CallsConfig) -> None:
        """Limits and times of calls from now on; calls that are up keep theirs."""
        self._around = replace(self._around, config=config)

    def hang_up(self, call: UUID, cause: str) -> bool:
        """End one call; False: there is none of this id, or it is an emergency call."""
        live = self._live.get(call)
        if live is None or live.is_emergency:
            return False
        live.end(cause)
        return True

    def is_in_emergency(self, device: UUID) -> bool:
        """Whether the device is part of an emergency call now."""
        return any(
            call.is_emergency and device in call.members.devices() for call in self._live.values()
        )

    def is_emergency(self, call: UUID) -> bool:
        """Whether it is an emergency call that is going on."""
        return call in self._live and self._live[call].is_emergency

    def hang_up_device(self, device: UUID, cause: str) -> int:
        """End all calls of a device but emergency calls; returns how many."""
        return self._hang_up(
            [c for c in self._live.values() if device in c.members.devices()], cause
        )

    def hang_up_person(self, person: UUID, cause: str) -> int:
        """End all calls that a person is part of but emergency calls; returns how many."""
        return self._hang_up(
            [c for c in self._live.values() if person in c.members.people()], cause
        )

    def hang_up_messages(self, person: UUID, device: UUID, cause: str) -> None:
        """Nobody hears on what they were signed in for."""
        for call in self._live.values():
            caller = call.caller
            if (caller.device, caller.person) == (device, person) and isinstance(
                call.route, plan.OwnMessages
            ):
                call.end(cause)

    def is_in_use(self, device: UUID) -> bool:
        """Whether somebody at the device calls, or has answered; one that rings is not in use."""
        return any(
            leg.device == device and (leg is call.caller or leg.answered_at is not None)
            for call in self._live.values()
            for leg in call.legs
            if not leg.is_ended
        )

    async def idle(self) -> None:
        """Returns when there is no call."""
        await self._idle.wait()

    async def drain(self, seconds: float) -> None:
        """No new calls; live ones may end until the time is up, then they are ended."""
        self.is_draining = True
        try:
            async with asyncio.timeout(seconds):
                await self.idle()
        except TimeoutError:
            for call in self._live.values():
                call.end("shutdown")
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    @property
    def unsettled(self) -> int:
        """Calls that would not outlive a change of exchanges: that ring, or leave a message."""
        return sum(not call.is_settled for call in self._live.values())

    def settled(self) -> None:
        """A call has come to where it can be left, or is over."""
        self._turn.set()

    async def until_settled(self) -> None:
        """Returns when every call can be left to the exchange that comes next."""
        while self.unsettled:
            self._turn.clear()
            await self._turn.wait()

    async def leave(self) -> None:
        """Go without a word: the workers keep the calls for the exchange that comes next. What
        could not be taken back is ended before."""
        self.is_draining = True
        for id, call in list(self._live.items()):
            if call.can_be_left and id in self._tasks:
                await call.leave(self._tasks[id])
            else:
                call.end("shutdown")
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _hang_up(self, calls: list[Call], cause: str) -> int:
        """Nobody with any right ends an emergency call: its phones and its end do."""
        theirs = [call for call in calls if not call.is_emergency]
        for call in theirs:
            call.end(cause)
        return len(theirs)

    def _over_emergencies(self, device: UUID) -> int:
        """A phone calls for help as often as somebody can; one that floods takes nobody's ports,
        and does not ring those who answer until they hear nobody else."""
        theirs = [c for c in self._live.values() if c.is_emergency and c.caller.device == device]
        config = self._around.config
        if len(theirs) >= config.emergencies_per_device:
            return BUSY_HERE
        now = self._around.clock()
        return 0 if self._pace_of_help.allows(device, config.calls_per_minute, now) else BUSY_HERE

    def _over_limit(self, device: UUID) -> int:
        config = self._around.config
        if self.is_draining or len(self._live) >= config.total:
            return OVERLOADED
        if not self.has_room(device):
            return BUSY_HERE
        is_human = self._pace.allows(device, config.calls_per_minute, self._around.clock())
        return 0 if is_human else BUSY_HERE

    async def _run(self, call: Call, route: plan.Route | Resumed) -> None:
        try:
            await call.run(route, self._serve)
        finally:
            self._note_use(call)
            self._forget(call)
            if not call.is_left:
                self._ended(call.record())

    def _note_use(self, call: Call) -> None:
        """Shared phones are not idle while somebody calls or talks on them."""
        sign_ins = self._around.sign_ins
        if sign_ins is None:
            return
        for leg in call.legs:
            if leg is call.caller or leg.answered_at is not None:
                sign_ins.used(leg.device)

    def _forget(self, call: Call) -> None:
        self._around.lot.leave(call)
        self.listeners.forget(call)
        for device in call.members.devices():
            self.uncount(device)  # only of a call that was torn down in the middle
        del self._live[call.id], self._tasks[call.id]
        self.settled()
        if not self._live:
            self._idle.set()

    def count(self, device: UUID) -> None:
        """The device is part of one more call."""
        self._per_device[device] += 1

    def uncount(self, device: UUID) -> None:
        """The device is part of one call less."""
        self._per_device[device] -= 1
        if self._per_device[device] <= 0:
            del self._per_device[device]

    def has_room(self, device: UUID) -> bool:
        return self._per_device[device] < self._around.config.per_device

    def is_at(self, person: UUID, most: int, beside: Call) -> bool:
        """Whether a person is part of so many calls, not counting one."""
        theirs = (
            c for c in self._live.values() if c is not beside and person in c.members.people()
        )
        return sum(1 for _ in theirs) >= most


def _is_end_of_ours(
    event: sip.Event,
) -> TypeGuard[sip.ResponseReceived | sip.TimedOut | sip.FlowLost]:
    """Nothing more comes of a request: it was answered for good, or nobody ever will."""
    match event:
        case sip.ResponseReceived():
            return event.response.status >= 200
        case sip.TimedOut(timer="F") | sip.FlowLost():
            return True
    return False
