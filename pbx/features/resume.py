"""The rest of a call that the exchange came back to."""

from __future__ import annotations

from contextlib import suppress

from media.client import MediaError
from pbx.b2bua.call import Call
from pbx.b2bua.endings import CallOver
from pbx.b2bua.resumed import RESTARTED
from pbx.features.emergency import NO_LINE, emergency
from pbx.features.park import still_parked
from pbx.features.reachable import until_reachable
from pbx.features.talk import go_on
from pbx.features.transfer import go_on_with
from storage.calls import CallOutcome


async def resume(call: Call) -> None:
    """Two that talked go on, and who was being put through; an emergency call is announced and
    rung anew; others end."""
    if call.ended_at:
        raise CallOver(call.cause)  # it was ending
    if call.parked_by is not None:
        call.outcome, call.cause = CallOutcome.ANSWERED, "internal"
        await still_parked(call, call.parked_by)
    if call.journey is not None:
        call.outcome, call.cause = CallOutcome.ANSWERED, "internal"
        await go_on_with(call, call.journey)
        await go_on(call)
    parties = [leg for leg in call.pairing.parties if leg.is_talking]
    if not parties:
        raise CallOver(RESTARTED)  # nobody had answered
    is_alone = len(parties) < 2 and call.partner_of(parties[0]) is None
    if is_alone and call.is_emergency:
        devices = call.directory.emergency_devices
        with suppress(MediaError):
            await call.play(NO_LINE)
        await until_reachable(call, devices)
        await emergency(call, devices)
    if is_alone and call.route_name != "echo":
        raise CallOver(RESTARTED, CallOutcome.ANSWERED)
    call.outcome, call.cause, call.state = CallOutcome.ANSWERED, "internal", "talking"
    await call.pairing.join_again()
    await go_on(call)
