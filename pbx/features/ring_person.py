"""Ring all phones of a person at once; the first to answer has the call."""

from __future__ import annotations

from pbx.b2bua.call import Call
from pbx.dialplan.plan import RingPerson
from pbx.features.announcement import refuse
from pbx.features.ringing import Ringing
from pbx.features.talk import talk
from pbx.features.voicemail_deposit import leave_message, takes_messages
from storage.calls import CallOutcome


async def ring_person(call: Call, route: RingPerson) -> None:
    """Ring, talk; or say why not."""
    call.tenure = route.tenure
    holder = call.directory.tenancies.get(call.caller.dialled)
    call.callee_name = holder.name if holder else ""
    ringing = Ringing(call, instance=route.instance)
    winner = await ringing.first_answer(route.devices)
    if winner is not None:
        await talk(call, winner)
    status, prompt, outcome = ringing.verdict()
    if holder is not None and takes_messages(call, holder):
        await leave_message(call, holder, outcome, status)
    cause = "answer-refused" if outcome is CallOutcome.FAILED else ""
    await refuse(call, status, prompt, outcome, cause=cause)
