"""Put somebody through (RFC 3515, RFC 5589): resolved here, by our own plan, and nowhere else.

The phone that asks says where to; who is put through need not know of it: its leg is joined anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from media.client import Fed, Player, Prompt
from pbx import gruu
from pbx.b2bua.call import Call
from pbx.b2bua.endings import CallOver
from pbx.b2bua.events import Heard, Referred
from pbx.b2bua.handing_over import introduce
from pbx.b2bua.journey import Journey
from pbx.b2bua.leg import Leg
from pbx.b2bua.news import News, answer_referral
from pbx.b2bua.referral import Referral
from pbx.b2bua.routing import to_instance
from pbx.dialplan.groups import RingGroup
from pbx.dialplan.plan import (
    Emergency,
    EmergencyTest,
    LeaveMessage,
    Refused,
    RingPerson,
    Route,
    Slot,
    route,
)
from pbx.directory import GroupEntry, TenancyEntry
from pbx.features import park
from pbx.features.consulted import consulted, put_through, rings_still, take_ringing
from pbx.features.reachable import until_reachable
from pbx.features.refusals import (
    NO_EMERGENCY,
    NO_PLACE,
    NO_SERVICE,
    NO_TRANSFER,
    NOT_OURS,
    NotDone,
)
from pbx.features.ring_group import RingingGroup
from pbx.features.ringing import Ringing
from pbx.features.voicemail_deposit import leave_message, takes_messages
from pbx.sip.errors import PeerError
from pbx.sip.message import Request
from pbx.sip.replaces import Replaces
from storage.calls import CallOutcome

MUSIC = Player(sounds=(Prompt("music-on-hold"),), times=0)
NOBODY = Player(sounds=(Prompt("no-answer"),))
LONGEST = 20.0


Goal = RingPerson | RingGroup | TenancyEntry | GroupEntry | Slot


async def transfer(call: Call, asked: Referred) -> None:
    """What a REFER comes to; the call goes on with whoever is in it then."""
    transferor = asked.leg
    other = call.partner_of(transferor)
    try:
        referral = _allowed(call, asked.request)
        if other is None:
            raise NotDone(403)
        if referral.replaces is not None:
            await _attended(call, asked, other, referral.replaces)
            return
        goal = _goal(call, transferor, other, referral)
    except PeerError as error:
        answer_referral(asked, error.status, error.rule)
        return
    except NotDone as refusal:
        answer_referral(asked, refusal.status, refusal.why)
        return
    news = answer_referral(asked, 202)
    news.tell(100)
    journey = Journey(kind="blind", by=transferor, who=other, number=referral.user, news=news)
    match goal:
        case TenancyEntry() | GroupEntry():
            await _to_mailbox(call, journey, goal)
        case Slot():
            await park.park(call, transferor, other, news)
            await park.stay(call)
        case RingGroup():
            group = RingingGroup(call, goal, number=referral.user, news=news)
            await ring_for(call, journey, group, ())
        case RingPerson(devices=devices):
            await ring_for(call, journey, _ringing(call, journey, goal), devices)


async def _to_mailbox(call: Call, journey: Journey, tenancy: TenancyEntry | GroupEntry) -> None:
    """The caller leaves a message; who put them through need not wait for it."""
    await call.pairing.entertain(journey.who, MUSIC)
    _told(call, journey, 200)
    await leave(call, journey.by)
    await leave_message(call, tenancy, CallOutcome.NO_ANSWER)


async def _attended(call: Call, asked: Referred, other: Leg, replaces: Replaces) -> None:
    found = consulted(call, asked.leg, replaces)
    if found.call.state == park.PARKING:
        await _to_the_place(call, asked, other, found.call)
        return
    legs = rings_still(found)
    if not legs:
        await put_through(call, asked, found)
        await call.talk()
        return
    news = answer_referral(asked, 202)
    news.tell(100)
    number = found.call.caller.dialled
    await take_ringing(call, found, legs)
    ringing = Ringing(call, number=number, news=news, legs=legs)
    journey = Journey(kind="ringing", by=asked.leg, who=other, number=number, news=news)
    await ring_for(call, journey, ringing, [])


async def _to_the_place(call: Call, asked: Referred, other: Leg, ready: Call) -> None:
    """Into the place that was made ready, of which the transferor has heard the number."""
    news = answer_referral(asked, 202)
    news.tell(100)
    call.around.lot.hand_over(ready, call)
    ready.end("parked")
    await park.park(call, asked.leg, other, news, is_told=True)
    await park.stay(call)


async def ring_for(
    call: Call,
    journey: Journey,
    ringing: Ringing | RingingGroup,
    devices: Sequence[UUID],
) -> None:
    """The target's phones ring, and whoever is put through waits for them."""
    await call.set_out(journey)
    await call.pairing.entertain(journey.who, MUSIC)
    try:
        if isinstance(ringing, RingingGroup):
            winner = await ringing.first_answer()
        else:
            winner = await ringing.first_answer(devices)
    except CallOver:
        _told(call, journey, 487)
        raise
    if winner is None:
        _told(call, journey, ringing.verdict()[0])
        await come_back(call, journey.by, journey.who)
        return
    await call.set_out(journey.arrived(winner))
    await arrive(call, journey)
    introduce(call, journey.who, winner)


async def arrive(call: Call, journey: Journey) -> None:
    """Two who hear each other already; the third is told so and leaves."""
    _told(call, journey, 200)
    await leave(call, journey.by)
    await call.talk()


async def go_on_with(call: Call, journey: Journey) -> None:
    """What the exchange came back to: whoever has taken the call keeps it, and where nobody has,
    the one who was to be put through is not left alone."""
    call.state, to = "transferring", journey.to
    if to is not None:
        await call.pairing.join(journey.who, to)
        await arrive(call, journey)
        introduce(call, journey.who, to)
        return
    _told(call, journey, 503)
    if not journey.by.is_talking:
        await call.pairing.entertain(journey.who, MUSIC)
        await until_reachable(call, [journey.by.device])
    await come_back(call, journey.by, journey.who)


def _told(call: Call, journey: Journey, status: int) -> None:
    journey.news.tell(status)
    call.transferred(journey.kind, journey.by, journey.who, journey.number, status)


async def leave(call: Call, transferor: Leg) -> None:
    """Who has put somebody through is no part of the call any more."""
    transferor.hang_up()
    await call.drop_media([transferor])


async def come_back(call: Call, transferor: Leg, other: Leg) -> None:
    """The target did not take the call: so the transferor has it again, or is rung."""
    if transferor.is_talking:
        await call.pairing.join(other, transferor)
        await call.talk()
        return
    await call.pairing.entertain(other, MUSIC)
    holder = call.directory.holder_of(transferor.device)
    ringing = Ringing(
        call, number=holder.number if holder else "", news=News(transferor, None, is_wanted=False)
    )
    winner = await ringing.first_answer([transferor.device])
    if winner is None:
        await _end_kindly(call)
    await call.talk()


async def _end_kindly(call: Call) -> None:
    await call.play(NOBODY)
    event = None
    deadline = asyncio.get_running_loop().time() + LONGEST
    while not (isinstance(event, Heard) and isinstance(event.event, Fed)):
        event = await call.next(deadline)
        if event is None:
            break
    raise CallOver("transfer-failed")


def _allowed(call: Call, request: Request) -> Referral:
    referral = Referral.of(request)
    if call.is_emergency:
        raise NotDone(403, NO_TRANSFER)
    return referral


def _goal(call: Call, transferor: Leg, other: Leg, referral: Referral) -> Goal:
    """Which phones ring, whose mailbox it is or where it is parked, by our plan and the
    transferor's rights; never anybody outside."""
    if referral.host and not _is_ours(call, transferor, referral.host):
        raise NotDone(403, NOT_OURS)
    match _route(call, transferor.device, referral):
        case RingPerson(devices=devices) as person:
            ours = [device for device in devices if device != other.device]
            if not ours:
                raise NotDone(480)
            if call.members.is_at_limit(person.person, person.most_calls):
                raise NotDone(486)
            return replace(person, devices=tuple(ours))
        case RingGroup() as group:
            return _without(group, other.device)
        case Slot(place) as slot:
            if not call.around.lot.take(call, call.around.config.park_slots, place):
                raise NotDone(486, NO_PLACE)
            return slot
        case Emergency() | EmergencyTest():
            raise NotDone(403, NO_EMERGENCY)
        case Refused(reason):
            raise NotDone(reason.status)
        case LeaveMessage(number, is_wanted):
            tenancy = call.directory.taking_messages(number)
            if not is_wanted or tenancy is None or not takes_messages(call, tenancy):
                raise NotDone(480)
            if other is call.caller:  # whose voice the mailbox records
                return tenancy
    raise NotDone(403, NO_SERVICE)


def _is_ours(call: Call, leg: Leg, host: str) -> bool:
    """Whether a URI that this leg's phone names points at us."""
    facts, host = call.agent.facts(leg.flow), host.lower()
    if host == call.around.domain or host in call.around.aliases:
        return True
    return facts is not None and host in (facts.local[0], facts.public)


def _route(call: Call, device: UUID, referral: Referral) -> Route:
    one = gruu.read(referral.uri, call.around.domain) if referral.uri is not None else None
    if one is not None:
        return to_instance(device, one, call.directory, call.clock())
    return route(device, referral.user, call.directory, call.clock())


def _ringing(call: Call, journey: Journey, goal: RingPerson) -> Ringing:
    """Whoever a GRUU names is said to be whom they can be dialled as."""
    held = call.directory.of_extension(goal.extension) if goal.instance else None
    number = held.number if held is not None else journey.number
    return Ringing(call, number=number, news=journey.news, instance=goal.instance)


def _without(group: RingGroup, device: UUID) -> RingGroup:
    """Nobody is rung by the call that they are in."""
    turns = [
        replace(turn, devices=tuple(d for d in turn.devices if d != device)) for turn in group.turns
    ]
    left = tuple(turn for turn in turns if turn.devices)
    if not left:
        raise NotDone(480)
    return replace(group, turns=left)
