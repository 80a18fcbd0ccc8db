"""Who wants to hear messages: a person with a PIN, on their own phone or where the place allows.

The digits of a PIN are collected and sealed by the media worker; here they never are. The key
holder counts failures over every path, and slows a device before it locks a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import structlog

from media.client import MediaError, Player, Prompt, SecretEntered, SecretEntry
from pbx.b2bua.endings import CallOver
from pbx.directory import TenancyEntry
from pbx.features.dialogue import Dialogue
from pbx.voicemail.office import Voicemail
from storage import policies
from storage.deeds import Deed
from storage.errors import StorageError
from storage.identifiers import new_id
from storage.intents import intend
from storage.keyholder import acts
from storage.keyholder.client import (
    InvalidRequest,
    KeyHolderError,
    KeyHolderUnavailable,
    Refused,
)
from storage.keyholder.protocol import Done, Opened, Origin, Proof, Waiting
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import Actor, ActorKind, Subject

log = structlog.get_logger()

ATTEMPTS = 3
"""In one call; the key holder counts over all of them."""
ENTRY_SECONDS = 60.0
NEWS = {"locked": "vm-was-locked", "break-glass": "vm-was-opened"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Who somebody says they are, and whether a PIN is enough here."""

    holder: TenancyEntry
    needs_code: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """A person who has proved who they are, on this phone and for this call."""

    person: UUID
    session: bytes
    id: UUID
    number: str
    """Their extension; a PIN must not resemble it."""
    must_change: bool = False
    """Their PIN has expired."""

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.PERSON, self.person, self.id)


async def log_in(dialogue: Dialogue, voicemail: Voicemail) -> Listener:
    """Raises CallOver when nobody is."""
    holder = dialogue.call.directory.holder_of(dialogue.call.caller.device)

    async def other() -> Asked:
        return await _other(dialogue, voicemail)

    return (await identified(dialogue, voicemail, Asked(holder) if holder else None, other))[0]


async def identified(
    dialogue: Dialogue, voicemail: Voicemail, asked: Asked | None,
    other: Callable[[], Awaitable[Asked]],
) -> tuple[Listener, TenancyEntry, Opened]:  # fmt: skip
    """`asked`, or without it and after a star whoever `other` finds. Raises CallOver when nobody
    is who they say."""
    asked = asked or await other()
    for _ in range(ATTEMPTS):
        outcome = await _enter(dialogue, asked)
        if outcome == "complete":
            opened = await _try(dialogue, voicemail, asked)
            if opened is not None:
                listener = _listener(opened, asked.holder)
                await _tell_news(dialogue, voicemail, listener, opened)
                return listener, asked.holder, opened
        elif outcome == "cancelled":
            asked = await other()
            continue
        elif outcome == "timeout":
            break
        await dialogue.say("vm-refused")
    await dialogue.say("goodbye")
    raise CallOver("not-signed-in")


def _listener(opened: Opened, holder: TenancyEntry) -> Listener:
    return Listener(opened.person, opened.session, opened.id, holder.number, opened.must_change)


async def _enter(dialogue: Dialogue, asked: Asked) -> str:
    """PIN and, where it is wanted, a code; how it ended."""
    outcome = await secret(dialogue, SecretEntry(name="pin"), "vm-pin")
    if outcome != "complete" or not asked.needs_code:
        return outcome
    return await secret(dialogue, SecretEntry(name="totp", minimum=6, maximum=6), "vm-code")


async def _tell_news(
    dialogue: Dialogue, voicemail: Voicemail, listener: Listener, opened: Opened
) -> None:
    """What happened to their mailbox since they were last here. Whoever hangs up at that is signed
    out."""
    try:
        for kind in dict.fromkeys(notice.kind for notice in opened.notices):
            if kind in NEWS:
                await dialogue.say(NEWS[kind])
    except BaseException:
        await end_session(voicemail, listener)
        raise


async def secret(dialogue: Dialogue, entry: SecretEntry, prompt: str) -> str:
    """How the entry ended. What is pressed while the prompt is heard is part of the secret."""
    await dialogue.media.enter_secret(dialogue.leg, entry)
    await dialogue.call.play(Player(sounds=(Prompt(prompt),)))
    deadline = asyncio.get_running_loop().time() + ENTRY_SECONDS
    while (event := await dialogue.hear(deadline)) is not None:
        if isinstance(event, SecretEntered):
            await dialogue.media.part(dialogue.leg)
            return event.outcome
    return "timeout"


async def perform(
    dialogue: Dialogue, voicemail: Voicemail, act: acts.AnyAct, action: Action,
    listener: Listener | None = None, subject: Subject | None = None,
) -> Opened | Done | Waiting:  # fmt: skip
    """An act on what was entered: intent first, then the key holder; raises as its client does."""
    call, ground = dialogue.call, voicemail.ground
    session = b"" if listener is None else listener.session
    device = call.caller.device
    actor = Actor(ActorKind.DEVICE, device) if listener is None else listener.actor
    proof = await dialogue.media.seal_secrets(dialogue.leg, acts.canonical(act), session)
    deed = Deed(actor, new_id(ground.clock), ground.clock())
    evidence = await intend(ground.committer, deed, action, subject, {"device": str(device)})
    facts = call.agent.facts(call.caller.flow)
    origin = Origin(device=str(device), source=facts.peer[0] if facts else "")
    try:
        answer = await ground.keyholder.perform(act, Proof(proof, origin, session), evidence)
    except (Refused, InvalidRequest):
        await ground.committer.note(deed.entry(action, subject, outcome=Outcome.REFUSED))
        raise
    except KeyHolderUnavailable:
        await ground.committer.note(deed.entry(action, subject, outcome=Outcome.FAILED))
        raise
    if isinstance(answer, Opened):
        actor = Actor(ActorKind.PERSON, answer.person, answer.id)
    done = Deed(actor, deed.operation, ground.clock())
    await ground.committer.note(done.entry(action, subject, after={"device": str(device)}))
    return answer


async def _try(dialogue: Dialogue, voicemail: Voicemail, asked: Asked) -> Opened | None:
    act = acts.PhoneLogIn(asked.holder.person, asked.needs_code)
    subject = Subject("person", asked.holder.person)
    try:
        answer = await perform(dialogue, voicemail, act, Action.SESSION_OPENED, subject=subject)
    except (Refused, InvalidRequest):
        return None
    except (KeyHolderUnavailable, StorageError, MediaError):
        await dialogue.say("vm-away", "goodbye")
        raise CallOver("messages-away") from None
    return answer if isinstance(answer, Opened) else None


async def _other(dialogue: Dialogue, voicemail: Voicemail) -> Asked:
    """Somebody at a phone that is not theirs."""
    if not await allows(dialogue, voicemail, "login"):
        await dialogue.say("vm-not-here", "goodbye")
        raise CallOver("not-here")
    return await ask_who(dialogue, voicemail)


async def ask_who(dialogue: Dialogue, voicemail: Voicemail) -> Asked:
    """By the number that is keyed in."""
    await dialogue.open()
    first = await dialogue.ask("vm-number", seconds=8)
    entered = await dialogue.digits(first)
    await dialogue.media.digits(dialogue.leg, report=False)
    return await said_to_be(dialogue, voicemail, entered)


async def said_to_be(dialogue: Dialogue, voicemail: Voicemail, number: str) -> Asked:
    """Whoever has it, at a phone that is not theirs; with an unknown one a PIN is asked for as
    well."""
    needs_code = await allows(dialogue, voicemail, "second-factor")
    found = dialogue.call.directory.tenancies.get(number)
    if found is not None:
        return Asked(found, needs_code)
    nobody, stranger = UUID(int=0), voicemail.stranger(number)
    unknown = TenancyEntry(number=number, extension=nobody, tenure=nobody, person=stranger)
    return Asked(unknown, needs_code)


async def allows(dialogue: Dialogue, voicemail: Voicemail, what: str) -> bool:
    """A policy of the place the phone stands in: "login", "second-factor" or "number"."""
    place = dialogue.call.directory.place_of(dialogue.call.caller.device)
    ground = voicemail.ground
    try:
        async with ground.database.read() as connection:
            name = f"voicemail-{what}-{place.value}"
            return bool(await policies.value_of(connection, name, ground.clock()))
    except StorageError:
        return False


async def end_session(voicemail: Voicemail, listener: Listener) -> None:
    """At the key holder, whatever became of the call; its row says when."""
    ground = voicemail.ground
    try:
        await ground.keyholder.end_session(listener.session)
    except KeyHolderError:
        log.warning("a phone's session ends at the key holder by itself")
    deed = Deed(listener.actor, new_id(ground.clock), ground.clock())
    await ground.committer.note(deed.entry(Action.SESSION_ENDED, after={"kind": "phone"}))
