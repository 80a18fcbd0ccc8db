"""From a route to the feature that carries it out."""

from __future__ import annotations

from pbx.b2bua.call import Call
from pbx.b2bua.snapshot import Resumed
from pbx.dialplan.groups import RingGroup
from pbx.dialplan.plan import (
    Echo,
    Emergency,
    EmergencyTest,
    LeaveMessage,
    OwnMessages,
    PickUp,
    Refusal,
    Refused,
    RingPerson,
    SetReach,
    SignIn,
    SignOut,
    Slot,
)
from pbx.features import park
from pbx.features.announcement import announce, refuse
from pbx.features.echo import echo
from pbx.features.emergency import emergency
from pbx.features.pick_up import nothing_rings
from pbx.features.resume import resume
from pbx.features.ring_person import ring
from pbx.features.set_reach import set_reach
from pbx.features.sign_in import sign_in, sign_out
from pbx.features.voicemail_deposit import leave_message, takes_messages
from pbx.features.voicemail_retrieve import own_messages
from storage.calls import CallOutcome


async def serve(call: Call) -> None:
    """The whole of a call after its offer was taken; ends by `CallOver` or by returning."""
    match call.route:
        case RingPerson() | RingGroup() as somebody:
            await ring(call, somebody)
        case LeaveMessage() as message:
            await straight_to_mailbox(call, message)
        case OwnMessages():
            await own_messages(call)
        case SetReach() as wanted:
            await set_reach(call, wanted)
        case PickUp() as wanted_call:
            await nothing_rings(call, wanted_call)
        case Slot() as slot:
            await park.dialled(call, slot)
        case SignIn() as whose:
            await sign_in(call, whose)
        case SignOut():
            await sign_out(call)
        case Echo():
            await echo(call)
        case Emergency(devices):
            await emergency(call, devices)
        case EmergencyTest(devices):
            await announce(call, "emergency-test" if devices else "emergency-no-line")
        case Resumed():
            await resume(call)
        case Refused(reason):
            busy = reason is Refusal.BUSY
            outcome = CallOutcome.BUSY if busy else CallOutcome.REFUSED
            await refuse(call, reason.status, reason.prompt, outcome)


async def straight_to_mailbox(call: Call, message: LeaveMessage) -> None:
    """Dialled directly, or because nobody is to be reached."""
    tenancy = call.directory.taking_messages(message.number)
    outcome = CallOutcome.BUSY if message.why is Refusal.BUSY else CallOutcome.OFFLINE
    if tenancy is not None and takes_messages(call, tenancy):
        why = CallOutcome.NO_ANSWER if message.is_wanted else outcome
        await leave_message(call, tenancy, why, message.why.status)
    await refuse(call, message.why.status, message.why.prompt, outcome)
