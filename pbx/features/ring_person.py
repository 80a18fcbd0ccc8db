"""Ring all phones of a person at once; the first to answer has the call, or it is sent on."""

from __future__ import annotations

from pbx.b2bua.call import Call
from pbx.dialplan.plan import RingPerson, onward
from pbx.features.announcement import refuse
from pbx.features.ringing import Ringing
from pbx.features.talk import talk
from pbx.features.voicemail_deposit import leave_message, takes_messages
from storage.calls import CallOutcome
from storage.reach import When

_FORWARDED = {
    CallOutcome.BUSY: When.BUSY,
    CallOutcome.NO_ANSWER: When.NO_ANSWER,
    CallOutcome.OFFLINE: When.OFFLINE,
}
"""Whoever declines wants it nowhere else than in the mailbox."""


async def ring_person(call: Call, route: RingPerson) -> None:
    """Ring, talk, or ring whoever it is sent on to; or say why not."""
    first = route.via[0] if route.via else route.extension
    # One phone that its GRUU names is that phone, not its holder: no mailbox, no forward.
    original = call.directory.of_extension(first) if not route.instance else None
    while True:
        call.tenure = route.tenure
        holder = call.directory.of_extension(route.extension) if not route.instance else None
        call.callee_name = holder.name if holder else ""
        ringing = Ringing(call, instance=route.instance)
        winner = await ringing.first_answer(route.devices)
        if winner is not None:
            await talk(call, winner)
        status, prompt, outcome = ringing.verdict()
        when = None if route.instance else _FORWARDED.get(outcome)
        if when is None:
            break
        following = onward(call.caller.device, route, when, call.directory, call.clock())
        if following is None:
            break
        route = following
    if original is not None and takes_messages(call, original):
        await leave_message(call, original, outcome, status)
    cause = "answer-refused" if outcome is CallOutcome.FAILED else ""
    await refuse(call, status, prompt, outcome, cause=cause)
