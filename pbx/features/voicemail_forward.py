"""Sending a message on: sealed anew to the recipient's key in a worker, never a copy in clear.

A comment is a message of its own, which comes first. A private message is not sent on, and nobody
gets one whose role has no business with messages.
"""

from __future__ import annotations

from uuid import UUID

import msgspec
import structlog

from media.client import (
    Deposit,
    MediaError,
    MessageRefused,
    Recorded,
    Recording,
    Resealing,
    Ticketed,
)
from pbx.directory import TenancyEntry
from pbx.features.dialogue import Dialogue
from pbx.features.voicemail_login import Listener
from pbx.voicemail.deposits import NotPossible, Sender
from pbx.voicemail.expecting import expectation
from pbx.voicemail.office import Voicemail
from storage.deeds import Deed
from storage.errors import StorageError
from storage.identifiers import new_id
from storage.intents import intend
from storage.keyholder.client import KeyHolderError
from storage.keyholder.decisions import CONTENT_ROLES
from storage.keyholder.signing import SignedKey
from storage.ledger.actions import Action, Outcome
from storage.messages import Envelope, Message, subject

log = structlog.get_logger()

COMMENT_MS = 60_000
Recipient = tuple[UUID, SignedKey]
"""A mailbox, and the key to seal to."""


async def forward(
    dialogue: Dialogue, voicemail: Voicemail, listener: Listener, message: Message
) -> None:
    """Ask whom, perhaps record a comment, send it."""
    if message.is_private or message.slot is None or message.adopted_at is None:
        await dialogue.tell("vm-not-for-them")
        return
    first = await dialogue.ask("vm-whom", seconds=8)
    recipient = dialogue.call.directory.tenancies.get(await dialogue.digits(first))
    if recipient is None or recipient.mailbox is None or not await _may(voicemail, recipient):
        await dialogue.tell("vm-not-for-them")
        return
    mailbox = recipient.mailbox
    key = voicemail.key_of(mailbox)
    if key is None:
        await dialogue.tell("vm-not-possible")
        return
    wants_comment = await dialogue.ask("vm-comment", seconds=6, times=1) == "1"
    if wants_comment and not await _comment(dialogue, voicemail, listener, message, (mailbox, key)):
        await dialogue.tell("vm-not-possible")
        return
    sent = await _send(dialogue, voicemail, listener, message, (mailbox, key))
    await dialogue.tell("vm-sent" if sent else "vm-fault")


async def _may(voicemail: Voicemail, recipient: TenancyEntry) -> bool:
    """By the key holder's own table: the exchange's rows are a copy."""
    now = voicemail.ground.clock()
    for person in await voicemail.ground.keyholder.people():
        if person.id == recipient.person and person.state == "active":
            return any(
                grant.role in CONTENT_ROLES
                and grant.start <= now
                and (grant.until is None or now < grant.until)
                for grant in person.grants
            )
    return False


async def _send(
    dialogue: Dialogue, voicemail: Voicemail, listener: Listener, message: Message, to: Recipient
) -> bool:
    """Row first; the worker opens it on a ticket and seals it anew under another content."""
    ground, (mailbox, key) = voicemail.ground, to
    deed = Deed(listener.actor, new_id(ground.clock), ground.clock())
    about = {"to": str(mailbox)}
    draft = None
    try:
        sender = _sender(listener, message, is_copy=True)
        draft = await voicemail.deposits.begin(mailbox, key, sender)
        evidence = await intend(
            ground.committer, deed, Action.MESSAGE_FORWARDED, subject(message.id), about
        )
        ticket = await ground.keyholder.ticket(listener.session, message.id, evidence)
        resealed = await ground.media.reseal(
            Resealing(
                opening=Ticketed(message.content, ticket.ticket, message.slot or b""),
                expect=expectation(message),
                to=Deposit(draft.content, str(mailbox), msgspec.msgpack.encode(key)),
                leg=dialogue.leg,
            )
        )
    except (NotPossible, StorageError, KeyHolderError, MediaError):
        if draft is not None:
            await voicemail.deposits.abandon(draft)
        entry = deed.entry(
            Action.MESSAGE_FORWARDED, subject(message.id), after=about, outcome=Outcome.FAILED
        )
        await ground.committer.note(entry)
        return False
    draft.is_urgent = message.is_urgent
    await voicemail.deposits.forwarded(draft, resealed)
    await ground.committer.note(
        deed.entry(
            Action.MESSAGE_FORWARDED,
            subject(message.id),
            after={**about, "as": str(draft.begun.message)},
        )
    )
    return True


async def _comment(
    dialogue: Dialogue, voicemail: Voicemail, listener: Listener, message: Message, to: Recipient
) -> bool:
    """Whether it was recorded; without it nothing is sent."""
    mailbox, key = to
    try:
        draft = await voicemail.deposits.begin(mailbox, key, _sender(listener, message))
    except NotPossible:
        return False
    try:
        await dialogue.say("vm-record")
        seal = Deposit(draft.content, str(mailbox), msgspec.msgpack.encode(key))
        await dialogue.media.record(dialogue.leg, Recording(seal=seal, limit_ms=COMMENT_MS))
    except MessageRefused:
        await voicemail.deposits.abandon(draft)
        return False
    except BaseException:
        voicemail.deposits.conclude(draft)
        raise
    try:
        taken = await recorded(dialogue, COMMENT_MS)
    finally:
        voicemail.deposits.conclude(draft)
    return taken is not None and taken.is_complete


async def recorded(dialogue: Dialogue, limit_ms: int) -> Recorded | None:
    """Until the recording under way has ended; see `Dialogue.recorded`."""
    return await dialogue.recorded(limit_ms / 1000)


def _sender(listener: Listener, message: Message, *, is_copy: bool = False) -> Sender:
    return Sender(
        call=None,
        actor=listener.actor,
        envelope=Envelope(number=listener.number),
        forwarded_from=message.id,
        is_copy=is_copy,
    )
