"""A person's own greeting, name and PIN, by phone."""

from __future__ import annotations

from uuid import UUID

import structlog

from media.client import (
    Greeting,
    MediaError,
    MessageRefused,
    Playing,
    Recorded,
    Recording,
    Review,
    SecretEntry,
    Whole,
)
from pbx.b2bua.endings import CallOver
from pbx.features.dialogue import Dialogue
from pbx.features.voicemail_deposit import played
from pbx.features.voicemail_forward import recorded
from pbx.features.voicemail_login import Listener, perform, secret
from pbx.voicemail.office import Voicemail
from storage import greetings
from storage.conflicts import NotFound
from storage.deeds import Deed
from storage.greetings import GreetingChoice, GreetingKind
from storage.identifiers import new_id
from storage.keyholder import acts
from storage.keyholder.client import InvalidRequest, Refused
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.sealed import primitives

log = structlog.get_logger()

LIMIT_MS = {GreetingKind.PERSONAL: 60_000, GreetingKind.NAME: 6_000}
TRIES = 5


async def settings(dialogue: Dialogue, voicemail: Voicemail, listener: Listener) -> None:
    """Until the caller goes back to the messages."""
    for _ in range(TRIES):
        match await dialogue.ask("vm-settings", seconds=8):
            case "1":
                await _record(dialogue, voicemail, listener, GreetingKind.PERSONAL)
            case "2":
                await _record(dialogue, voicemail, listener, GreetingKind.NAME)
            case "3":
                await _choose(dialogue, voicemail, listener)
            case "4":
                await change_pin(dialogue, voicemail, listener)
            case _:
                return


async def _record(
    dialogue: Dialogue, voicemail: Voicemail, listener: Listener, kind: GreetingKind
) -> None:
    mailbox = _own_mailbox(dialogue, listener)
    if mailbox is None:
        await dialogue.tell("vm-fault")
        return
    for _ in range(TRIES):
        content, is_kept = primitives.random(16), False
        try:
            with voicemail.recovery.sparing(content):
                taken = await _take(dialogue, voicemail, content, kind)
                pressed = "" if taken is None else await _verdict(dialogue, taken)
                if taken is not None and pressed == "1":
                    before = await _keep(voicemail, listener, mailbox, kind, taken)
                    is_kept = True
                    await _settle(voicemail, taken, before)
        finally:
            if not is_kept:  # whoever hangs up wants it as little
                voicemail.remove(content)
        if is_kept:
            await dialogue.tell("vm-done")
        if is_kept or pressed != "3":
            return


async def _take(
    dialogue: Dialogue, voicemail: Voicemail, content: bytes, kind: GreetingKind
) -> Recorded | None:
    await dialogue.say("vm-record")
    sealing = Greeting(content, voicemail.greeting_key(content))
    try:
        recording = Recording(seal=sealing, limit_ms=LIMIT_MS[kind], silence_ms=4_000)
        await dialogue.media.record(dialogue.leg, recording)
    except MessageRefused:
        await dialogue.tell("vm-fault")
        return None
    taken = await recorded(dialogue, LIMIT_MS[kind])
    return taken if taken is not None and taken.is_complete else None


async def _verdict(dialogue: Dialogue, taken: Recorded) -> str:
    for _ in range(TRIES):
        pressed = await dialogue.ask("vm-keep", seconds=8)
        if pressed != "2":
            return pressed
        try:
            review = Playing(opening=Review(taken.content), expect=Whole(taken.digest))
            dialogue.ahead(await played(dialogue, review))
        except MediaError:
            await dialogue.tell("vm-fault")
    return ""


async def _keep(
    voicemail: Voicemail, listener: Listener, mailbox: UUID, kind: GreetingKind, taken: Recorded
) -> greetings.Greeting | None:
    """It counts from now on; answers the one before it."""
    ground = voicemail.ground
    deed = Deed(listener.actor, new_id(ground.clock), ground.clock())
    new = greetings.Greeting(
        deed.operation, mailbox, kind, taken.content, taken.codec, taken.milliseconds,
        taken.segments, taken.digest, deed.at,
    )  # fmt: skip

    async def work(unit: Unit) -> greetings.Greeting | None:
        before = await greetings.put(unit, deed, new)
        await greetings.choose(unit, deed, mailbox, GreetingChoice(kind.value))
        return before

    return await ground.committer.run(work)


async def _settle(voicemail: Voicemail, taken: Recorded, before: greetings.Greeting | None) -> None:
    """It is what callers hear."""
    if before is not None:
        voicemail.remove(before.content)
    await voicemail.greetings.refresh()
    try:
        await voicemail.ground.media.settle([taken.content])
    except MediaError:
        log.warning("a slot beside its file was not removed")


async def _choose(dialogue: Dialogue, voicemail: Voicemail, listener: Listener) -> None:
    choices = {"1": GreetingChoice.PERSONAL, "2": GreetingChoice.NAME, "3": GreetingChoice.STANDARD}
    choice = choices.get(await dialogue.ask("vm-choose", seconds=8))
    mailbox = _own_mailbox(dialogue, listener)
    if choice is None or mailbox is None:
        return
    ground = voicemail.ground
    deed = Deed(listener.actor, new_id(ground.clock), ground.clock())

    async def work(unit: Unit) -> None:
        await greetings.choose(unit, deed, mailbox, choice)

    try:
        await ground.committer.run(work)
    except NotFound:
        await dialogue.tell("vm-fault")
        return
    await voicemail.greetings.refresh()
    await dialogue.tell("vm-done")


async def renew_pin(dialogue: Dialogue, voicemail: Voicemail, listener: Listener) -> None:
    """It has expired, and nothing is heard before there is a new one; raises CallOver."""
    for _ in range(TRIES):
        await dialogue.say("vm-pin-expired")
        if await change_pin(dialogue, voicemail, listener):
            return
    await dialogue.say("goodbye")
    raise CallOver("pin-expired")


async def change_pin(dialogue: Dialogue, voicemail: Voicemail, listener: Listener) -> bool:
    """The present PIN and twice the new one, collected and sealed by the worker; whether it is
    so."""
    try:
        for entry, prompt in (
            (SecretEntry(name="pin"), "vm-pin"),
            (SecretEntry(name="new_pin"), "vm-new-pin"),
            (SecretEntry(name="new_pin", again=True), "vm-new-pin-again"),
        ):
            outcome = await secret(dialogue, entry, prompt)
            if outcome != "complete":
                await dialogue.tell("vm-different" if outcome == "different" else "vm-refused")
                return False
        act = acts.SetPin(extensions=(listener.number,))
        subject = Subject("person", listener.person)
        await perform(dialogue, voicemail, act, Action.FACTORS_CHANGED, listener, subject)
        await dialogue.tell("vm-done")
        return True
    except InvalidRequest:
        await dialogue.tell("vm-weak-pin")
    except Refused:
        await dialogue.tell("vm-refused")
    finally:
        await dialogue.media.release(dialogue.leg)
        await dialogue.open()
    return False


def _own_mailbox(dialogue: Dialogue, listener: Listener) -> UUID | None:
    tenancy = dialogue.call.directory.tenancies.get(listener.number)
    return tenancy.mailbox if tenancy is not None and tenancy.person == listener.person else None
