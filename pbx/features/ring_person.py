"""Ring a person's phones, or a group; the first to answer has the call, or it is sent on."""

from __future__ import annotations

from pbx.b2bua.call import Call
from pbx.b2bua.leg import Leg
from pbx.dialplan.groups import RingGroup
from pbx.dialplan.plan import Ringable, RingPerson, message_for, onward
from pbx.features.announcement import refuse
from pbx.features.ring_group import RingingGroup, Verdict
from pbx.features.ringing import BUSY, Ringing
from pbx.features.talk import talk
from pbx.features.voicemail_deposit import leave_message, takes_messages
from storage.calls import CallOutcome
from storage.reach import When

_FORWARDED = {
    CallOutcome.BUSY: When.BUSY,
    CallOutcome.NO_ANSWER: When.NO_ANSWER,
    CallOutcome.OFFLINE: When.OFFLINE,
}
"""Whoever declines wants it nowhere else than in the mailbox; what a group declines goes on."""


async def ring(call: Call, route: Ringable) -> None:
    """Ring, talk, or ring whoever it is sent on to; or say why not."""
    # One phone that its GRUU names is that phone, not its holder: no mailbox, no forward.
    is_one_phone = isinstance(route, RingPerson) and bool(route.instance)
    while True:
        winner, verdict = await _rung(call, route)
        if winner is not None:
            await talk(call, winner)
        following = None if is_one_phone else _following(call, route, verdict[2])
        if following is None:
            break
        route = following
    status, prompt, outcome = verdict
    at = route.group if isinstance(route, RingGroup) else route.extension
    keeper = None if is_one_phone else message_for((*route.via, at), call.directory)
    taking = call.directory.taking_messages(keeper) if keeper is not None else None
    if taking is not None and takes_messages(call, taking):
        await leave_message(call, taking, outcome, status)
    cause = "answer-refused" if outcome is CallOutcome.FAILED else ""
    await refuse(call, status, prompt, outcome, cause=cause)


async def _rung(call: Call, route: Ringable) -> tuple[Leg | None, Verdict]:
    if isinstance(route, RingGroup):
        call.tenure, call.callee_name = None, route.name
        group = RingingGroup(call, route)
        winner = await group.first_answer()
        if winner is not None and (held := call.directory.holder_of(winner.device)) is not None:
            call.tenure, call.callee_name = held.tenure, held.name
        return winner, group.verdict()
    call.tenure = route.tenure
    holder = call.directory.of_extension(route.extension) if not route.instance else None
    call.callee_name = holder.name if holder else ""
    if call.members.is_at_limit(route.person, route.most_calls):
        return None, (BUSY, "busy", CallOutcome.BUSY)
    ringing = Ringing(call, instance=route.instance)
    return await ringing.first_answer(route.devices), ringing.verdict()


def _following(call: Call, route: Ringable, outcome: CallOutcome) -> Ringable | None:
    when = _FORWARDED.get(outcome)
    if when is None and isinstance(route, RingGroup):
        when = When.NO_ANSWER
    if when is None:
        return None
    return onward(call.caller.device, route, when, call.directory, call.clock())
