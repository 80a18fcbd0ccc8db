"""Leaving a message: greeting, beep, recording, and what the caller then makes of it.

The key holder may be away and the ledger's disk full: a message is sealed to a signed public key
as it is spoken, and its row waits. There is no way from a greeting into anybody's mailbox.
"""

from __future__ import annotations

import asyncio
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from media.client import (
    Deposit,
    Digit,
    Greeting,
    MediaError,
    MessageRefused,
    Played,
    Playing,
    Recorded,
    Recording,
    Review,
    Silence,
    Whole,
)
from pbx.b2bua.call import Call
from pbx.b2bua.endings import CallOver
from pbx.features.announcement import refuse
from pbx.features.dialogue import Dialogue, spelled
from pbx.voicemail.deposits import Draft, NotPossible, Sender
from pbx.voicemail.office import Voicemail
from storage import greetings as stored
from storage.calls import CallOutcome
from storage.ledger.entry import Actor, ActorKind
from storage.messages import Envelope

log = structlog.get_logger()

WORKER_LOST = "media-worker-lost"
NOT_POSSIBLE = "vm-not-possible"
WHOLE = frozenset({"digit", "stopped", "silence", "limit"})
"""Ends after which the caller is still there. Stopped: by a hash in signalling."""
CUT = frozenset({"disk-full", "disk-error", "overrun"})
"""Ends after which only what is durable is kept; the caller hears that it was not all."""
REVIEWS = 10
"""How often a caller may hear, change or record it again."""
LEAD_IN = Silence(milliseconds=400)


class TakesMessages(Protocol):
    """Whoever holds an extension, or a group."""

    @property
    def mailbox(self) -> UUID | None: ...
    @property
    def tenure(self) -> UUID | None: ...
    @property
    def name(self) -> str: ...


def takes_messages(call: Call, tenancy: TakesMessages | None) -> bool:
    """Whether the extension has a mailbox, and this exchange voicemail."""
    return call.around.voicemail is not None and tenancy is not None and bool(tenancy.mailbox)


async def leave_message(
    call: Call, tenancy: TakesMessages, why: CallOutcome, status: int = 480
) -> None:
    """From "nobody takes the call" to the end of it; `why` the call came here."""
    voicemail, mailbox = call.around.voicemail, tenancy.mailbox
    if voicemail is None or mailbox is None:
        return
    call.tenure, call.callee_name = tenancy.tenure, tenancy.name
    if voicemail.key_of(mailbox) is None:
        await _not_possible(call, voicemail, why, status)
    await call.caller.accept()
    call.outcome, call.cause, call.state = CallOutcome.ANSWERED, f"voicemail-{why}", "voicemail"
    await call.keep()
    dialogue = Dialogue(call)
    await dialogue.open()
    await _greet(dialogue, voicemail, mailbox)
    await _record(dialogue, voicemail, mailbox)
    raise CallOver(f"voicemail-{why}")


async def _not_possible(call: Call, voicemail: Voicemail, why: CallOutcome, status: int) -> None:
    log.error("no message can be taken", call=str(call.id), reason="no key or no room")
    await voicemail.watch.look_at_disk()
    await refuse(call, status, NOT_POSSIBLE, why, cause=NOT_POSSIBLE)
    raise CallOver(NOT_POSSIBLE)


# -- the greeting


async def _greet(dialogue: Dialogue, voicemail: Voicemail, mailbox: UUID) -> None:
    """A key cuts every part short; none of them leads anywhere else."""
    spoken = voicemail.greetings.of(mailbox)
    pressed = await dialogue.say(LEAD_IN)
    if spoken.personal is not None:
        pressed = pressed or await _play(dialogue, voicemail, spoken.personal)
    elif spoken.name is not None:
        pressed = pressed or await dialogue.say("vm-reached")
        pressed = pressed or await _play(dialogue, voicemail, spoken.name)
    else:
        pressed = pressed or await dialogue.say("vm-unavailable")
    pressed = pressed or await dialogue.say("vm-emergency")
    if voicemail.watch.is_away(voicemail.config.away_minutes):
        await dialogue.say(*_away(voicemail.config.urgent_number))
    if not pressed:
        await dialogue.say("vm-leave")


def _away(number: str) -> tuple[str, ...]:
    if not number:
        return ("vm-cannot-be-heard", "vm-urgent-other")
    return ("vm-cannot-be-heard", "vm-urgent-call", *spelled(number))


async def _play(dialogue: Dialogue, voicemail: Voicemail, greeting: stored.Greeting) -> str:
    """The key that cut it short; without its file the standard words are said."""
    opening = Greeting(greeting.content, voicemail.greeting_key(greeting.content))
    try:
        return await played(dialogue, Playing(opening=opening, expect=Whole(greeting.digest)))
    except MessageRefused as refusal:
        log.error("a greeting cannot be played", reason=refusal.fault)
        return await dialogue.say("vm-unavailable")


async def played(dialogue: Dialogue, playing: Playing) -> str:
    """Play it to its end; the key that cut it short, or ""."""
    await dialogue.media.play_message(dialogue.leg, playing)
    deadline = asyncio.get_running_loop().time() + 1_900
    while (event := await dialogue.hear(deadline)) is not None:
        if isinstance(event, Digit):
            await dialogue.media.part(dialogue.leg)
            return event.digit
        if isinstance(event, Played):
            return ""
    return ""


# -- the recording


async def _record(dialogue: Dialogue, voicemail: Voicemail, mailbox: UUID) -> None:
    """Again and again, if the caller wants it; the last one counts."""
    for _ in range(REVIEWS):
        draft = await _begin(dialogue, voicemail, mailbox)
        is_again, recorded = False, None
        try:
            recorded = await _listen(dialogue)
            if recorded is not None and recorded.cause in WHOLE:
                is_again = await _review(dialogue, draft, recorded)
        except CallOver as over:
            draft.is_cut = over.cause == WORKER_LOST
            raise
        finally:
            voicemail.deposits.conclude(draft)
        if not is_again:
            break
    if recorded is not None and recorded.cause in CUT:
        await voicemail.watch.look_at_disk()
        await dialogue.say(NOT_POSSIBLE, "goodbye")
    else:
        await dialogue.say("vm-cancelled" if draft.is_unwanted else "vm-left", "goodbye")


async def _begin(dialogue: Dialogue, voicemail: Voicemail, mailbox: UUID) -> Draft:
    """Intent first, then the recording; whoever cannot be recorded is told so."""
    call = dialogue.call
    key = voicemail.key_of(mailbox)
    draft: Draft | None = None
    try:
        if key is None:
            raise NotPossible
        draft = await voicemail.deposits.begin(mailbox, key, _sender(call))
        config = voicemail.config
        await dialogue.media.record(
            dialogue.leg,
            Recording(
                seal=Deposit(draft.content, str(mailbox), msgspec.msgpack.encode(key)),
                limit_ms=config.limit_seconds * 1_000,
                silence_ms=config.silence_seconds * 1_000,
            ),
        )
    except (NotPossible, MediaError):
        if draft is not None:
            await voicemail.deposits.abandon(draft)
        log.error("no message can be taken", call=str(call.id), reason="recording refused")
        await voicemail.watch.look_at_disk()
        await dialogue.say(NOT_POSSIBLE, "goodbye")
        raise CallOver(NOT_POSSIBLE) from None
    except BaseException:
        # Whether the worker has begun is not known: recovery looks, or its `Recorded` comes.
        if draft is not None:
            voicemail.deposits.conclude(draft)
        raise
    return draft


def _sender(call: Call) -> Sender:
    caller = call.caller
    person = caller.person
    actor = Actor(ActorKind.PERSON, person) if person else Actor(ActorKind.DEVICE, caller.device)
    envelope = Envelope(number=call.identity.number, name=call.identity.name)
    if call.identity.wants_privacy:
        envelope = Envelope()
    return Sender(call=call.id, actor=actor, envelope=envelope)


async def _listen(dialogue: Dialogue) -> Recorded | None:
    """Until it has ended; whoever hangs up raises CallOver, and `Recorded` follows all the same."""
    voicemail = dialogue.call.around.voicemail
    limit = 0 if voicemail is None else voicemail.config.limit_seconds
    return await dialogue.recorded(limit)


async def _review(dialogue: Dialogue, draft: Draft, recorded: Recorded) -> bool:
    """What the caller makes of it; whether to record again. Hanging up leaves it."""
    for _ in range(REVIEWS):
        match await dialogue.ask("vm-review", seconds=8):
            case "2":
                await _hear_own(dialogue, recorded)
            case "3":
                draft.is_unwanted = True
                return True
            case "4":
                draft.is_urgent = not draft.is_urgent
                await dialogue.tell("vm-urgent-on" if draft.is_urgent else "vm-urgent-off")
            case "5":
                draft.is_private = not draft.is_private
                await dialogue.tell("vm-private-on" if draft.is_private else "vm-private-off")
            case "*":
                draft.is_unwanted = True
                return False
            case _:
                return False
    return False


async def _hear_own(dialogue: Dialogue, recorded: Recorded) -> None:
    review = Playing(opening=Review(recorded.content), expect=Whole(recorded.digest))
    try:
        dialogue.ahead(await played(dialogue, review))
    except MediaError:
        await dialogue.tell("vm-fault")
