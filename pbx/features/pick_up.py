"""`*8` and an extension or group, where nothing is to be picked up.

A phone that may, and for which something rings, is no call of its own: it comes to the one that
rings (`pbx.b2bua.comers`). Whoever may not hears the same whether anything rings there or not.
"""

from __future__ import annotations

from pbx.b2bua.call import Call
from pbx.dialplan.plan import PickUp
from pbx.features.announcement import refuse
from storage.calls import CallOutcome
from storage.ledger.actions import Action


async def nothing_rings(call: Call, wanted: PickUp) -> None:
    """Say so, or that this phone has no right to it, with a row."""
    if wanted.is_allowed:
        await refuse(call, 404, "pick-up-none", CallOutcome.REFUSED)
        return
    call.around.refused(call.caller.device, call.caller.person, Action.CALL_PICKED_UP)
    await refuse(call, 403, "not-allowed", CallOutcome.REFUSED)
