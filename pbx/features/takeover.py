"""A phone takes the place of another one in a call (INVITE with Replaces, RFC 3891), or comes to a
call that rings or is parked."""

from __future__ import annotations

from media.client import AnswerRefused, MediaError, OfferRefused
from pbx.b2bua.call import Call
from pbx.b2bua.caller_leg import CallerLeg
from pbx.b2bua.events import Replacing
from pbx.b2bua.handing_over import introduce
from pbx.b2bua.leg import Leg


async def answer_comer(call: Call, comer: CallerLeg) -> bool:
    """Answer a phone that comes for whoever waits, and join the two; whether it is there then."""
    try:
        await comer.take_offer()
        await _accept(comer, call.waiting)
        if comer.is_talking:
            await call.pairing.meet(comer)
            return True
    except OfferRefused as refusal:
        comer.reject(refusal.status, warning=refusal.reason)
    except AnswerRefused:
        comer.hang_up()
    except MediaError:
        comer.reject(503)
    await _sent_away(call, comer)
    return False


async def _sent_away(call: Call, comer: CallerLeg) -> None:
    """Its ports are free again, and unless it was answered it leaves nothing behind."""
    comer.hang_up()
    await call.drop_media([comer])
    if comer.answered_at is None:
        call.members.forget(comer)


async def _accept(new: CallerLeg, other: Leg) -> None:
    """In a codec that the other phone speaks, or in another that it may be asked for then."""
    try:
        await new.accept(other)
    except OfferRefused:
        await new.accept()


async def take_over(call: Call, asked: Replacing) -> None:
    """The new phone is answered at once and hears whom the old one heard."""
    new, old = asked.leg, asked.replaced
    other = call.partner_of(old)
    if other is None or not other.is_talking:
        new.reject(481)
        await _sent_away(call, new)
        return
    try:
        await new.take_offer()
        await _accept(new, other)
    except OfferRefused as refusal:
        new.reject(refusal.status, warning=refusal.reason)
    except AnswerRefused:
        new.hang_up()
    except MediaError:
        new.reject(503)
    if not new.is_talking or not other.is_talking:
        await _sent_away(call, new)
        return
    await call.pairing.join(new, other)
    call.transferred("taken-over", new, old, "", 200)
    introduce(call, other, new)
    introduce(call, new, other)
    old.hang_up()
    await call.drop_media([old])
    await call.talk()
