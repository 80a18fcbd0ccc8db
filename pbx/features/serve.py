"""From a route to the feature that carries it out."""

from __future__ import annotations

from pbx.b2bua.call import Call
from pbx.dialplan.plan import Echo, Emergency, EmergencyTest, Refused, RingPerson
from pbx.features.announcement import announce, refuse
from pbx.features.echo import echo
from pbx.features.emergency import emergency
from pbx.features.ring_person import ring_person
from storage.calls import CallOutcome


async def serve(call: Call) -> None:
    """The whole of a call after its offer was taken; ends by `CallOver` or by returning."""
    match call.route:
        case RingPerson() as person:
            await ring_person(call, person)
        case Echo():
            await echo(call)
        case Emergency(devices):
            await emergency(call, devices)
        case EmergencyTest(devices):
            await announce(call, "emergency-test" if devices else "emergency-no-line")
        case Refused(reason):
            await refuse(call, reason.status, reason.prompt, CallOutcome.REFUSED)
