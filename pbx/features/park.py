"""Park a call in a numbered place, and take it back from any phone of the house.

A place is given by blind transfer to `*70`, or by dialling `*70`, hearing the number, and putting
somebody through to that call. Whoever is parked hears music. Nobody takes it: it rings at whoever
parked it, again and again, and goes to their mailbox at last.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import UUID

from media.client import Fed, MediaError, Player, Prompt, Silence
from pbx.b2bua.call import Call
from pbx.b2bua.callee_leg import CalleeLeg
from pbx.b2bua.comers import may_take_back
from pbx.b2bua.endings import CallOver
from pbx.b2bua.events import Heard, Taking
from pbx.b2bua.handing_over import introduce, picked_up
from pbx.b2bua.identity import Shown
from pbx.b2bua.leg import Leg
from pbx.b2bua.news import News
from pbx.dialplan.codes import number_of_slot
from pbx.dialplan.plan import Slot
from pbx.features.announcement import refuse
from pbx.features.dialogue import spelled
from pbx.features.ringing import Ringing
from pbx.features.takeover import answer_comer
from pbx.features.voicemail_deposit import leave_message, takes_messages
from storage.calls import CallOutcome
from storage.ledger.actions import Action

MUSIC = Player(sounds=(Prompt("music-on-hold"),), times=0)
NOBODY = Player(sounds=(Prompt("no-answer"),))
ANNOUNCED = 10.0
"""Seconds that the words about the place may take."""
MADE_READY = 60.0
"""How long a place is kept for whoever dialled for one."""
PARKING = "parking"


def words(place: str) -> Player:
    """What is dialled to take the call back, digit by digit."""
    said = (Prompt(name) for name in ("park-at", *spelled(place)))
    return Player(sounds=(Silence(milliseconds=300), *said))


async def dialled(call: Call, slot: Slot) -> None:
    """A place is made ready, or there is nobody in it to be taken back."""
    caller = call.caller
    if not may_take_back(call.directory, caller.device):
        call.around.refused(caller.device, caller.person, Action.CALL_RETRIEVED)
        await refuse(call, 403, "not-allowed", CallOutcome.REFUSED)
        return
    if slot.number:
        await refuse(call, 404, "park-empty", CallOutcome.REFUSED)
        return
    place = call.around.lot.take(call, call.around.config.park_slots)
    if not place:
        await refuse(call, 486, "park-full", CallOutcome.BUSY)
        return
    await caller.accept()
    call.outcome, call.cause, call.state = CallOutcome.ANSWERED, "parking", PARKING
    await call.keep()
    await call.play(Player(sounds=words(number_of_slot(place)).sounds, times=3))
    deadline = asyncio.get_running_loop().time() + MADE_READY
    while await call.next(deadline) is not None:
        """Until somebody is put through to it, or its caller hangs up."""
    raise CallOver("parking")


async def park(call: Call, parker: Leg, who: Leg, news: News, *, is_told: bool = False) -> None:
    """Our partner waits in the call's place; whoever parked it is told which, while they listen."""
    place = number_of_slot(call.place)
    await _wait(call, parker.device, who)
    call.transferred("parked", parker, who, place, 200)
    if not is_told:
        await _tell(call, parker, place)
    news.tell(200)
    parker.hang_up()
    await call.drop_media([parker])


async def _tell(call: Call, parker: Leg, place: str) -> None:
    """In words, and on the display where the phone takes that without a new offer."""
    if parker.dialog is not None and "UPDATE" in parker.dialog.state.allow:
        parker.asking.show(Shown(f"Parked: {place}", place))
    if parker.media is not None:
        with suppress(MediaError):  # the call is parked, with or without the words
            await call.media.feed(parker.media, words(place))
    deadline = asyncio.get_running_loop().time() + ANNOUNCED
    while parker.is_talking and (event := await call.next(deadline)) is not None:
        if isinstance(event, Taking) and await _taken(call, event):
            return
        if isinstance(event, Heard) and _is_over(event, parker):
            return


async def stay(call: Call) -> None:
    """Until the parked call is taken, rings at its parker, or ends; returns when two talk."""
    if call.state == "talking":
        return  # it was taken while its place was said
    config = call.around.config
    for _ in range(config.park_returns):
        if await _stays(call, float(config.park_seconds)) or await _comes_back(call):
            return
    await _given_up(call)


async def still_parked(call: Call, parker: UUID) -> None:
    """It was when the exchange went; returns when two talk."""
    talking = [leg for leg in call.legs if leg.is_talking]
    who = next((leg for leg in talking if leg.device != parker), None)
    if who is None:
        raise CallOver("park-given-up")
    parkers = [leg for leg in talking if leg is not who]
    for leg in parkers:
        leg.hang_up()  # it was told the place
    await _wait(call, parker, who)
    await call.drop_media(parkers)
    await stay(call)


async def _wait(call: Call, parker: UUID, who: Leg) -> None:
    """Kept before it is done, so that an exchange that comes back finds nobody parked in vain."""
    call.parked_by, call.takes_comers, call.state = parker, True, "parked"
    await call.keep()
    await call.pairing.entertain(who, MUSIC)


async def _stays(call: Call, seconds: float) -> bool:
    """Whether somebody has taken it."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (event := await call.next(deadline)) is not None:
        if isinstance(event, Taking) and await _taken(call, event):
            return True
    return False


async def _taken(call: Call, asked: Taking) -> bool:
    number = number_of_slot(call.place)
    if not await answer_comer(call, asked.leg):
        await call.pairing.entertain(call.waiting, MUSIC)
        return False
    picked_up(call, asked.leg, number, "retrieved")
    await _leave_place(call)
    return True


async def _leave_place(call: Call) -> None:
    call.around.lot.leave(call)
    call.parked_by, call.takes_comers = None, False
    await call.talk()


async def _comes_back(call: Call) -> bool:
    """It rings at whoever parked it; whether somebody has it then."""
    parker, who = call.parked_by, call.waiting
    if parker is None:
        return False
    holder = call.directory.holder_of(parker)
    devices = holder.devices if holder is not None else (parker,)
    number = holder.number if holder is not None else ""
    ringing = Ringing(call, number=number, news=News(who, None, is_wanted=False))
    winner = await ringing.first_answer([device for device in devices if device != who.device])
    if winner is None:
        await _wait(call, parker, who)
        return False
    if isinstance(winner, CalleeLeg):
        call.transferred("came-back", winner, who, number_of_slot(call.place), 200)
        introduce(call, who, winner)
    await _leave_place(call)
    return True


async def _given_up(call: Call) -> None:
    """Into the mailbox of whoever parked it, where the recorder can hear them; or it ends."""
    parker, who = call.parked_by, call.waiting
    call.around.lot.leave(call)
    call.parked_by, call.takes_comers = None, False
    holder = call.directory.holder_of(parker) if parker is not None else None
    if who is call.caller and holder is not None and takes_messages(call, holder):
        await leave_message(call, holder, CallOutcome.NO_ANSWER)
    await call.play(NOBODY)
    deadline = asyncio.get_running_loop().time() + ANNOUNCED
    while (event := await call.next(deadline)) is not None:
        if isinstance(event, Heard) and _is_over(event, who):
            break
    raise CallOver("park-given-up")


def _is_over(event: Heard, leg: Leg) -> bool:
    return event.leg is leg and isinstance(event.event, Fed)
