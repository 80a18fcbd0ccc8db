"""`*97`: somebody hears their messages. The person is identified, not the phone.

Each listening is a ledger row, committed before the key holder is asked for a ticket. The message's
key goes from the key holder to the worker and is dropped with the message; after five idle minutes,
or when the phone is put down, the session ends.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog

from media.client import (
    Digit,
    MediaError,
    MessageRefused,
    Played,
    Playing,
    Ticketed,
)
from pbx.b2bua.call import Call
from pbx.b2bua.endings import CallOver
from pbx.features import sign_in
from pbx.features.dialogue import Dialogue
from pbx.features.talk import go_on
from pbx.features.voicemail_forward import forward
from pbx.features.voicemail_login import Listener, allows, end_session
from pbx.features.voicemail_reply import CalledBack, number_of, reply
from pbx.features.voicemail_settings import renew_pin, settings
from pbx.features.voicemail_spoken import counts_said, envelope_said
from pbx.voicemail.expecting import expectation
from pbx.voicemail.office import Voicemail
from pbx.voicemail.reading import readable_by
from storage import messages
from storage.calls import CallOutcome
from storage.conflicts import Conflict
from storage.deeds import Deed
from storage.errors import StorageError
from storage.identifiers import new_id
from storage.intents import intend
from storage.keyholder.client import KeyHolderError, KeyHolderUnavailable, Refused
from storage.ledger.actions import Action, Outcome
from storage.ledger.unit import Unit
from storage.messages import VISIBLE, Counts, Message, MessageState

log = structlog.get_logger()

STEP_MS = 5_000
FILE_FAULTS = frozenset(
    {"missing", "header", "truncated", "unfinished", "reordered", "spliced", "altered", "length",
     "digest", "slot"}
)  # fmt: skip
MOST_ROUNDS = 1_000
LONGEST_MINUTES = 32
"""Longer than any message."""


async def own_messages(call: Call) -> None:
    """From the answer to the last goodbye."""
    voicemail = call.around.voicemail
    await call.caller.accept()
    call.outcome, call.cause, call.state = CallOutcome.ANSWERED, "messages", "messages"
    await call.keep()
    dialogue = Dialogue(call)
    if voicemail is None:
        await dialogue.say("vm-away", "goodbye")
        raise CallOver("messages-away")
    listener = await sign_in.listener(dialogue, voicemail)
    voicemail.listening(call, listener.person)
    try:
        await dialogue.open()
        if listener.must_change:
            await renew_pin(dialogue, voicemail, listener)
        await Listening(dialogue, voicemail, listener).run()
    except CalledBack:
        call.cause = "called-back"
    except (StorageError, KeyHolderError):
        await dialogue.say("vm-away", "goodbye")
        raise CallOver("messages-away") from None
    finally:
        voicemail.not_listening(call, listener.person)
        await end_session(voicemail, listener)
    await call.talk()
    await go_on(call)


class Listening:
    """One person's way through their messages."""

    def __init__(self, dialogue: Dialogue, voicemail: Voicemail, listener: Listener) -> None:
        self._dialogue, self._voicemail, self._listener = dialogue, voicemail, listener
        self._ground = voicemail.ground
        self._messages: list[Message] = []
        self._at = 0
        self._says_numbers = False
        self._knows_keys = False

    async def run(self) -> None:
        """Until the caller is done or idle."""
        await self._load()
        self._says_numbers = await allows(self._dialogue, self._voicemail, "number")
        new = sum(one.state is MessageState.NEW for one in self._messages)
        pressed = await self._dialogue.say(*counts_said(Counts(new, len(self._messages) - new)))
        for _ in range(MOST_ROUNDS):
            if pressed == "*":
                await settings(self._dialogue, self._voicemail, self._listener)
                pressed = ""
            if self._at < len(self._messages):
                pressed = await self._message()
                continue
            pressed = await self._menu(*(("vm-no-more",) if self._messages else ()), "vm-keys")
            if pressed == "#":
                break
            if pressed in ("1", "7") and self._messages:
                self._at = max(len(self._messages) - 1, 0) if pressed == "7" else 0
        await self._dialogue.say("goodbye")
        raise CallOver("messages-done")

    async def _load(self) -> None:
        """Of mailboxes that the key holder says are theirs; it decides again at each opening."""
        boxes = await self._ground.keyholder.mailboxes()
        mine = readable_by(self._listener.person, boxes, self._ground.clock())
        async with self._ground.database.read() as connection:
            self._messages = await messages.of_mailboxes(connection, mine)

    # -- one message

    async def _message(self) -> str:
        """Envelope, sound, keys; answers "*" when the settings are wanted."""
        message = self._messages[self._at]
        from_ = ""
        if self._says_numbers:
            from_ = await number_of(self._voicemail, self._listener, message)
        said = envelope_said(message, self._at + 1, self._ground.clock(), from_)
        pressed = await self._dialogue.say(*said)
        if not pressed and await self._open(message):
            pressed = await self._until_key_or_end()
        return await self._keys(pressed)

    async def _keys(self, pressed: str) -> str:
        """Until the caller goes on to another message."""
        for _ in range(MOST_ROUNDS):
            message, plays = self._messages[self._at], False  # taken over when it was opened
            match pressed:
                case "1":
                    plays = await self._again(message)
                case "2":
                    if await self._do(messages.save, message):
                        await self._dialogue.tell("vm-saved-it")
                    return self._next()
                case "3":
                    return await self._delete(message)
                case "4" | "6":
                    plays = await self._try_media("seek", -STEP_MS if pressed == "4" else STEP_MS)
                case "5":
                    plays = await self._pause()
                case "7":
                    return self._move(-1)
                case "8":
                    await forward(self._dialogue, self._voicemail, self._listener, message)
                case "9":
                    await reply(self._dialogue, self._voicemail, self._listener, message)
                case "#":
                    return self._next()
                case "*":
                    await self._dialogue.media.release(self._dialogue.leg)
                    return "*"
            pressed = await (self._until_key_or_end() if plays else self._menu("vm-keys"))
        return ""

    async def _open(self, message: Message) -> bool:
        """Row, ticket, sound; whether it plays."""
        ground, listener = self._ground, self._listener
        message = await self._present(message)
        self._messages[self._at] = message
        if message.state not in VISIBLE or message.slot is None or message.adopted_at is None:
            await self._dialogue.tell("vm-fault")
            return False
        deed = self._deed()
        where = {"device": str(self._dialogue.call.caller.device), "purpose": "own messages"}
        subject = messages.subject(message.id)
        evidence = await intend(ground.committer, deed, Action.MESSAGE_HEARD, subject, where)
        try:
            ticket = await ground.keyholder.ticket(listener.session, message.id, evidence)
            await self._dialogue.media.play_message(
                self._dialogue.leg,
                Playing(
                    opening=Ticketed(message.content, ticket.ticket, message.slot),
                    expect=expectation(message),
                ),
            )
        except Refused:
            await self._not_opened(deed, message, Outcome.REFUSED, "refused")
            return False
        except MessageRefused as refusal:
            await self._not_opened(deed, message, Outcome.FAILED, refusal.fault)
            return False
        try:
            await self._run(messages.heard, deed, message.id)
        except Conflict:  # deleted in this moment
            await self._dialogue.media.release(self._dialogue.leg)
            await self._dialogue.tell("vm-fault")
            return False
        self._voicemail.changed(message.mailbox)
        return True

    async def _present(self, message: Message) -> Message:
        """As it is now: somebody else may have deleted it meanwhile, and one that came a moment ago
        may still wait for the key holder."""
        if message.adopted_at is None:
            await self._voicemail.adoption.run()
        async with self._ground.database.read() as connection:
            return await messages.get(connection, message.id)

    async def _not_opened(self, deed: Deed, message: Message, outcome: Outcome, fault: str) -> None:
        """A damaged file is refused clearly, recorded, and others are unaffected."""
        action = Action.MESSAGE_DAMAGED if fault in FILE_FAULTS else Action.MESSAGE_HEARD
        entry = deed.entry(
            action, messages.subject(message.id), after={"fault": fault}, outcome=outcome
        )
        await self._ground.committer.note(entry)
        log.error("a message was not opened", reason=fault)
        if fault in FILE_FAULTS:
            self._voicemail.damaged += 1
        await self._dialogue.tell("vm-damaged" if fault in FILE_FAULTS else "vm-fault")

    async def _again(self, message: Message) -> bool:
        """From its beginning: within one listening, or as a new one with a row of its own."""
        return await self._try_media("restart") or await self._open(message)

    async def _until_key_or_end(self) -> str:
        """Whoever hears a long message is not idle."""
        for _ in range(LONGEST_MINUTES):
            deadline = asyncio.get_running_loop().time() + 60
            while (event := await self._dialogue.hear(deadline)) is not None:
                if isinstance(event, Digit | Played):
                    await self._touch()
                    return event.digit if isinstance(event, Digit) else ""
            await self._touch()
        return ""

    async def _pause(self) -> bool:
        """Any key goes on."""
        if not await self._try_media("pause"):
            return False
        await self._key()
        return await self._try_media("resume")

    async def _try_media(self, verb: str, *arguments: int) -> bool:
        try:
            await getattr(self._dialogue.media, verb)(self._dialogue.leg, *arguments)
        except MediaError:
            return False
        return True

    async def _delete(self, message: Message) -> str:
        is_ours = await self._do(messages.delete, message, "owner")
        if is_ours and await self._dialogue.ask("vm-deleted", seconds=4, times=1) == "3":
            if await self._do(messages.undelete, message):
                await self._dialogue.tell("vm-undeleted")
            return self._next()
        del self._messages[self._at]
        await self._dialogue.media.release(self._dialogue.leg)
        return ""

    # -- what all of it needs

    def _next(self) -> str:
        return self._move(1)

    def _move(self, by: int) -> str:
        self._at = max(self._at + by, 0)
        return ""

    async def _menu(self, *sounds: str) -> str:
        """A key, or the end of an idle listener; what the keys do is said once."""
        said = [name for name in sounds if name != "vm-keys" or not self._knows_keys]
        self._knows_keys = True
        pressed = await self._dialogue.say(*said) if said else ""
        return pressed or await self._key()

    async def _key(self) -> str:
        pressed = await self._dialogue.key(self._voicemail.config.idle_seconds)
        if not pressed:
            await self._dialogue.say("goodbye")
            raise CallOver("idle")
        await self._touch()
        return pressed

    async def _touch(self) -> None:
        """The person is still there; a session that the key holder ended ends here too."""
        try:
            await self._ground.keyholder.touch(self._listener.session)
        except Refused:
            raise CallOver("session-ended") from None
        except KeyHolderUnavailable:
            return

    async def _do(self, verb: object, message: Message, *arguments: str) -> bool:
        """Whether it is so; somebody else may have been first."""
        try:
            await self._run(verb, self._deed(), message.id, *arguments)
        except Conflict:
            await self._dialogue.tell("vm-fault")
            return False
        self._voicemail.changed(message.mailbox)
        return True

    async def _run(self, verb: object, deed: Deed, message: UUID, *arguments: str) -> None:
        async def work(unit: Unit) -> None:
            await verb(unit, deed, message, *arguments)  # type: ignore[operator]

        await self._ground.committer.run(work)

    def _deed(self) -> Deed:
        return Deed(self._listener.actor, new_id(self._ground.clock), self._ground.clock())
