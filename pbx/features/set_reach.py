"""`*78` `*79` and `*72` `*73`: do-not-disturb and a forward of all calls, by one's own phone."""

from __future__ import annotations

from pbx.b2bua.call import Call
from pbx.dialplan.plan import SetReach
from pbx.features.announcement import announce, refuse
from storage.calls import CallOutcome
from storage.errors import StorageError
from storage.reach import Change, When


async def set_reach(call: Call, wanted: SetReach) -> None:
    """Set it for whoever holds this phone, and say so; nobody holds a phone in a hallway."""
    holder, save = call.directory.holder_of(call.caller.device), call.around.set_reach
    if holder is None or save is None:
        await refuse(call, 403, "not-allowed", CallOutcome.REFUSED)
        return
    when = When.ALWAYS if wanted.is_forward else None
    change = Change(when=when, is_on=wanted.is_on, target=wanted.target)
    try:
        await save(call.caller.device, holder.person, change)
    except StorageError:
        await refuse(call, 480, "vm-fault", CallOutcome.FAILED)
        return
    kind = "forward" if wanted.is_forward else "dnd"
    await announce(call, f"{kind}-on" if wanted.is_on else f"{kind}-off")
