"""From a route to the feature that carries it out."""

from __future__ import annotations

from pbx.b2bua.call import Call
from pbx.b2bua.snapshot import Resumed
from pbx.dialplan.plan import (
    Echo,
    Emergency,
    EmergencyTest,
    LeaveMessage,
    OwnMessages,
    Refused,
    RingPerson,
)
from pbx.features.announcement import announce, refuse
from pbx.features.echo import echo
from pbx.features.emergency import emergency
from pbx.features.resume import resume
from pbx.features.ring_person import ring_person
from pbx.features.voicemail_deposit import leave_message, takes_messages
from pbx.features.voicemail_retrieve import own_messages
from storage.calls import CallOutcome


async def serve(call: Call) -> None:
    """The whole of a call after its offer was taken; ends by `CallOver` or by returning."""
    match call.route:
        case RingPerson() as person:
            await ring_person(call, person)
        case LeaveMessage(number, is_wanted):
            await straight_to_mailbox(call, number, is_wanted=is_wanted)
        case OwnMessages():
            await own_messages(call)
        case Echo():
            await echo(call)
        case Emergency(devices):
            await emergency(call, devices)
        case EmergencyTest(devices):
            await announce(call, "emergency-test" if devices else "emergency-no-line")
        case Resumed():
            await resume(call)
        case Refused(reason):
            await refuse(call, reason.status, reason.prompt, CallOutcome.REFUSED)


async def straight_to_mailbox(call: Call, number: str, *, is_wanted: bool) -> None:
    """Dialled directly, or because there is no phone to ring."""
    tenancy = call.directory.tenancies.get(number)
    why = CallOutcome.NO_ANSWER if is_wanted else CallOutcome.OFFLINE
    if tenancy is not None and takes_messages(call, tenancy):
        await leave_message(call, tenancy, why)
    await refuse(call, 480, "offline", CallOutcome.OFFLINE)
