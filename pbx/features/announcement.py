"""Prompts: on their own, or before a refusal.

A refusal with a prompt is 183 with sound, then the final status: the caller hears why, and the
phone still knows how the call ended.
"""

from __future__ import annotations

import asyncio

import structlog

from media.client import Fed, MediaError, Player, Prompt, Silence, Tone
from pbx.b2bua.call import Call
from pbx.b2bua.endings import CallOver
from pbx.b2bua.events import Heard
from storage.calls import CallOutcome

log = structlog.get_logger()

LONGEST = 20.0
"""Seconds a prompt may take; a worker that never says that it ended cannot hold a call."""

LEAD_IN = Silence(milliseconds=300)  # the phone opens its path while we begin


async def refuse(
    call: Call, status: int, prompt: str, outcome: CallOutcome, *, cause: str = ""
) -> None:
    """Say why, then end the call with this status, whatever becomes of the prompt."""
    call.outcome, call.cause = outcome, cause or prompt
    if call.has_given_up:
        raise CallOver("caller-gave-up")
    call.state = "announcing"
    try:
        await call.caller.progress()
        await _play(call, prompt)
    except MediaError:
        log.warning("no prompt before a refusal", call=str(call.id))
    finally:
        call.caller.reject(status)


async def announce(call: Call, prompt: str) -> None:
    """Answer, say it, hang up."""
    await call.caller.accept()
    call.outcome, call.cause, call.state = CallOutcome.ANSWERED, prompt, "announcing"
    await _play(call, prompt)
    raise CallOver(prompt)


async def _play(call: Call, prompt: str) -> None:
    await call.play(Player(sounds=(LEAD_IN, Prompt(prompt), Tone("congestion"))))
    deadline = asyncio.get_running_loop().time() + LONGEST
    while (event := await call.next(deadline)) is not None:
        if isinstance(event, Heard) and isinstance(event.event, Fed):
            return
