"""An emergency call: nothing in its way, and nobody left with silence.

Without an outside line the designated phones on site ring; the caller hears a clear announcement
meanwhile, again and again, until somebody answers.
"""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import structlog

from media.client import Fed, MediaError, OfferRefused, Player, Prompt, Silence
from pbx.b2bua.call import Call
from pbx.b2bua.endings import CallOver
from pbx.b2bua.events import Heard
from pbx.b2bua.leg import Leg
from pbx.features.ringing import Ringing
from pbx.features.talk import talk
from storage.calls import CallOutcome

log = structlog.get_logger()

NO_LINE = Player(sounds=(Silence(milliseconds=300), Prompt("emergency-no-line")), times=0)
NO_LINE_ONCE = Player(sounds=NO_LINE.sounds, times=3)


async def emergency(call: Call, devices: tuple[UUID, ...]) -> None:
    """Announce, and ring the phones on site."""
    try:
        await call.caller.accept()
    except OfferRefused:
        await _talk_on_site(call, devices)  # nothing can be said in its codec; they may speak it
        raise
    call.outcome, call.cause, call.state = CallOutcome.ANSWERED, "internal", "emergency"
    await call.keep()
    with suppress(MediaError):  # the phones ring, with or without the words
        await call.play(NO_LINE)
    await _talk_on_site(call, devices)
    await call.play(NO_LINE_ONCE)
    while True:
        event = await call.next()
        if isinstance(event, Heard) and isinstance(event.event, Fed):
            raise CallOver("emergency-no-line")


async def _talk_on_site(call: Call, devices: tuple[UUID, ...]) -> None:
    """Until they have talked, or nobody on site has answered."""
    winner = await _ring(call, devices)
    if winner is not None:
        await talk(call, winner)


async def _ring(call: Call, devices: tuple[UUID, ...]) -> Leg | None:
    """Whatever goes wrong with the phones on site, the caller is told and not cut off."""
    try:
        return await Ringing(call).first_answer(devices)
    except CallOver:
        raise
    except Exception:
        log.exception("the phones on site were not rung", call=str(call.id))
        return None
