"""`*71` and `*74`: somebody signs in on a shared phone by number and PIN, and out again.

The PIN is collected and sealed by the media worker; here it never is. While somebody is signed in
the phone is theirs, but for what they have been left: a message opens only on the leg on which the
PIN was typed, so `*97` asks for it each time, and of a phone that signed out for the number too.
"""

from __future__ import annotations

from pbx.b2bua.call import Call
from pbx.b2bua.endings import CallOver
from pbx.dialplan.plan import SignIn
from pbx.features.announcement import announce, refuse
from pbx.features.dialogue import Dialogue
from pbx.features.voicemail_login import (
    Asked,
    Listener,
    ask_who,
    end_session,
    identified,
    log_in,
    said_to_be,
)
from pbx.sign_ins import SignIns
from pbx.voicemail.office import Voicemail
from storage.calls import CallOutcome
from storage.errors import StorageError
from storage.sign_ins import Why


async def sign_in(call: Call, wanted: SignIn) -> None:
    """Only where a phone is shared."""
    voicemail, sign_ins = call.around.voicemail, _sign_ins(call)
    if voicemail is None or sign_ins is None:
        await refuse(call, 403, "not-allowed", CallOutcome.REFUSED)
        return
    await call.caller.accept()
    call.outcome, call.cause, call.state = CallOutcome.ANSWERED, "sign-in", "signing-in"
    await call.keep()
    dialogue = Dialogue(call)
    number = wanted.number
    whose = await said_to_be(dialogue, voicemail, number) if number else None
    await end_session(voicemail, await _signed_in(dialogue, voicemail, sign_ins, whose))
    await dialogue.say("signed-in")
    raise CallOver("signed-in")


async def sign_out(call: Call) -> None:
    """Whoever is at the phone may: it only takes away."""
    sign_ins = _sign_ins(call)
    if sign_ins is None:
        await refuse(call, 403, "not-allowed", CallOutcome.REFUSED)
        return
    device = call.caller.device
    actor = sign_ins.person_at(device)
    if actor is not None:
        await sign_ins.sign_out(device, Why.CODE, actor)
    await announce(call, "signed-out")


async def listener(dialogue: Dialogue, voicemail: Voicemail) -> Listener:
    """Who hears messages; raises CallOver. On a shared phone who is signed in there, who proves it
    again, or who signs in now."""
    sign_ins = _sign_ins(dialogue.call)
    holder = dialogue.call.directory.holder_of(dialogue.call.caller.device)
    if sign_ins is None:
        return await log_in(dialogue, voicemail)
    if holder is None:
        return await _signed_in(dialogue, voicemail, sign_ins, None)
    asked = await said_to_be(dialogue, voicemail, holder.number)
    return (await identified(dialogue, voicemail, asked, lambda: _nobody_else(dialogue)))[0]


async def _nobody_else(dialogue: Dialogue) -> Asked:
    """Whoever is signed in has to sign out first."""
    await dialogue.say("vm-refused", "goodbye")
    raise CallOver("not-signed-in")


async def _signed_in(
    dialogue: Dialogue, voicemail: Voicemail, sign_ins: SignIns, whose: Asked | None
) -> Listener:
    """By number and PIN; a star begins anew with the number."""

    async def other() -> Asked:
        return await ask_who(dialogue, voicemail)

    listener, holder, opened = await identified(dialogue, voicemail, whose, other)
    caller = dialogue.call.caller
    try:
        await sign_ins.sign_in(caller.device, holder.tenure, opened)
    except (StorageError, TimeoutError):
        await end_session(voicemail, listener)
        await dialogue.say("vm-away", "goodbye")
        raise CallOver("messages-away") from None
    caller.person = holder.person
    return listener


def _sign_ins(call: Call) -> SignIns | None:
    """Where the caller's phone is shared; None: it is not."""
    entry = call.around.directory().devices.get(call.caller.device)
    return call.around.sign_ins if entry is not None and entry.is_shared else None
