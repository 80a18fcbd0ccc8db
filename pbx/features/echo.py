"""`*43`: the caller hears what the caller says, after a word of explanation."""

from __future__ import annotations

from media.client import Fed, Player, Prompt
from pbx.b2bua.call import Call
from pbx.b2bua.events import Heard
from storage.calls import CallOutcome


async def echo(call: Call) -> None:
    """Until the caller hangs up."""
    await call.caller.accept()
    call.outcome, call.cause, call.state = CallOutcome.ANSWERED, "internal", "talking"
    await call.keep()
    await call.play(Player(sounds=(Prompt("echo-test"),)))
    while True:
        event = await call.next()
        if isinstance(event, Heard) and isinstance(event.event, Fed):
            await call.echo()
