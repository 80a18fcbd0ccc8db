"""Two people talk, whoever they are after a transfer, until one of them hangs up."""

from __future__ import annotations

from pbx.b2bua.call import Call
from pbx.b2bua.events import Referred, Replacing
from pbx.b2bua.leg import Leg
from pbx.features.takeover import take_over
from pbx.features.transfer import transfer


async def talk(call: Call, callee: Leg) -> None:
    """Answer the caller for a callee that is connected; ends by `CallOver`."""
    await call.begin(callee)
    await go_on(call)


async def go_on(call: Call) -> None:
    """Until the end; ends by `CallOver`."""
    while True:
        match await call.next():
            case Referred() as asked:
                await transfer(call, asked)
            case Replacing() as asked:
                await take_over(call, asked)
