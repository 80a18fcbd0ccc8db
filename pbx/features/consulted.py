"""Put somebody through to a person who was asked before (RFC 3891, RFC 5589 §7).

The exchange is in both calls, so it resolves Replaces itself: no phone needs to know of it. Only
who holds both dialogs may join what is behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from media.client import LegStats, MediaError
from pbx.b2bua.call import Call
from pbx.b2bua.callee_leg import CalleeLeg
from pbx.b2bua.caller_leg import CallerLeg
from pbx.b2bua.events import Referred
from pbx.b2bua.handing_over import give, introduce
from pbx.b2bua.journey import Journey
from pbx.b2bua.leg import Leg
from pbx.b2bua.news import answer_referral
from pbx.features.refusals import NO_TRANSFER, NotDone
from pbx.sip.dialog import DialogId
from pbx.sip.replaces import Replaces


def consulted(call: Call, transferor: Leg, replaces: Replaces) -> Leg:
    """The transferor's leg in the other call; raises `NotDone`."""
    found = call.leg_in(DialogId(replaces.call_id, replaces.to_tag, replaces.from_tag))
    if found is None or found.is_ended or found.call is call:
        call.around.strangers(transferor.device, transferor.person)
        raise NotDone(481)
    if not found.belongs_to(transferor.device, transferor.person):
        call.around.strangers(transferor.device, transferor.person)
        raise NotDone(403, "the dialog is somebody else's")
    if found.call.is_emergency:
        raise NotDone(403, NO_TRANSFER)
    return found


async def put_through(call: Call, asked: Referred, found: Leg) -> None:
    """Join our partner with the one behind the other dialog, who has been spoken with."""
    transferor, donor = asked.leg, found.call
    other, target = call.partner_of(transferor), donor.partner_of(found)
    if other is None or target is None or target is found or not target.is_talking:
        raise NotDone(481)
    figures = await _figures(call, target)
    is_there = target.is_talking and found.call is donor and donor.partner_of(found) is target
    if not (is_there and other.call is call):  # the other call was as fast, with ours
        raise NotDone(481)
    news = answer_referral(asked, 202)
    news.tell(100)
    number = donor.caller.dialled
    journey = Journey(
        kind="attended", by=transferor, who=other, number=number, news=news, to=target
    )
    give(donor, [target], call, [figures])
    call.state, call.journey = "transferring", journey
    await _move_media(donor, call, [target])
    await call.keep()  # where the other legs are another worker's
    await call.pairing.join(other, target)
    news.tell(200)
    call.transferred("attended", transferor, other, number, 200)
    introduce(call, other, target)
    introduce(call, target, other)
    transferor.hang_up()
    await call.drop_media([transferor])


def rings_still(found: Leg) -> list[CalleeLeg]:
    """The phones that the other call rings, when nobody has answered there yet."""
    if not (isinstance(found, CallerLeg) and found.is_beginning):
        return []
    return [leg for leg in found.call.legs if isinstance(leg, CalleeLeg) and leg.is_beginning]


async def take_ringing(call: Call, found: Leg, ringing: list[CalleeLeg]) -> None:
    """They go on ringing, for the one who is put through."""
    donor = found.call
    give(donor, ringing, call, [LegStats()] * len(ringing))
    if isinstance(found, CallerLeg):
        found.reject(487)
    await _move_media(donor, call, ringing)


async def _move_media(donor: Call, call: Call, legs: Sequence[Leg]) -> None:
    """Together with what is kept of both calls: no crash finds a leg in neither of them."""
    for leg in legs:
        if leg.media is not None:
            await call.media.move(leg.media, str(call.id), call.sealed(), donor.sealed())


async def _figures(call: Call, leg: Leg) -> LegStats:
    if leg.media is not None:
        with suppress(MediaError):
            return await call.media.stats(leg.media)
    return LegStats()
