"""One's own messages from the command line: listed, opened for this command alone, deleted.

The exchange never opens a message: on a ticket a worker seals it anew to the ephemeral key of the
command that asks. The row that says who and what for is committed before the key holder is asked.
"""

from collections.abc import Mapping
from uuid import UUID

import structlog
from litestar import get, post
from litestar.params import FromPath, JSONBody

from media.client import Asker, MediaError, MessageRefused, Resealed, Resealing, Ticketed
from pbx.access.errors import Denied
from pbx.access.roles import Privilege
from pbx.admin.given import GivenCaller, GivenPlane, GivenTelephony
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed
from pbx.admin.wire.voicemail import MessageView, NewExport, NewOpening, SealedCopy
from pbx.telephony import Telephony
from pbx.voicemail.expecting import expectation
from pbx.voicemail.reading import readable_by
from storage import messages
from storage.conflicts import NotFound, WrongState
from storage.intents import intend
from storage.keyholder.client import KeyHolderUnavailable, Refused
from storage.ledger.actions import Action, Outcome
from storage.ledger.unit import Unit
from storage.messages import VISIBLE, Message
from storage.sealed import primitives

log = structlog.get_logger()


@get(
    "/v1/own/messages",
    opt=needs(Privilege.OWN_MESSAGES, Action.MESSAGE_LISTED),
    summary="The messages you may hear; not who left them",
)
async def list_messages(plane: GivenPlane, caller: GivenCaller) -> list[MessageView]:
    mailboxes = await readable(plane, caller)
    return [view(one) for one in await plane.run(messages.listed, caller.deed, mailboxes, VISIBLE)]


@post(
    "/v1/own/messages/{message:uuid}/listening",
    opt=needs(Privilege.OWN_MESSAGES, Action.MESSAGE_HEARD),
    status_code=200,
    summary="A message, sealed to the command that asks",
)
async def listen(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony,
    message: FromPath[UUID], data: JSONBody[NewOpening],
) -> SealedCopy:  # fmt: skip
    found = await _readable(plane, caller, message)
    after = {"purpose": data.purpose, "where": "command"}
    copy = await _copy(plane, caller, telephony, found, Action.MESSAGE_HEARD, after, data)
    await plane.run(messages.heard, caller.deed, found.id)
    telephony.voicemail.changed(found.mailbox)
    return copy


@post(
    "/v1/own/messages/{message:uuid}/export",
    opt=needs(Privilege.OWN_MESSAGES, Action.MESSAGE_EXPORTED),
    status_code=200,
    summary="A message for an encrypted file",
)
async def export(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony,
    message: FromPath[UUID], data: JSONBody[NewExport],
) -> SealedCopy:  # fmt: skip
    return await _export(plane, caller, telephony, message, data, is_plain=False)


@post(
    "/v1/own/messages/{message:uuid}/plain-export",
    opt=needs(Privilege.MESSAGE_PLAIN, Action.MESSAGE_EXPORTED),
    status_code=200,
    summary="A message for a file that anybody can play",
)
async def export_plain(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony,
    message: FromPath[UUID], data: JSONBody[NewExport],
) -> SealedCopy:  # fmt: skip
    return await _export(plane, caller, telephony, message, data, is_plain=True)


@post(
    "/v1/own/messages/{message:uuid}/deletion",
    opt=needs(Privilege.OWN_MESSAGES, Action.MESSAGE_DELETED),
    status_code=200,
    summary="Hide a message; it is destroyed when the days to bring it back are over",
)
async def delete_message(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, message: FromPath[UUID]
) -> Changed:
    found = await _readable(plane, caller, message)
    await plane.run(messages.delete, caller.deed, found.id, "owner")
    telephony.voicemail.changed(found.mailbox)
    return Changed(operation=caller.deed.operation)


async def readable(plane: Plane, caller: Caller) -> list[UUID]:
    """Mailboxes that the key holder would open for this person; it decides again each time."""
    boxes = await plane.keyholder.mailboxes()
    return readable_by(caller.someone, boxes, caller.deed.at)


async def _readable(plane: Plane, caller: Caller, message: UUID) -> Message:
    """One of one's own; whether somebody else's exists is not said."""
    mailboxes = await readable(plane, caller)
    async with plane.database.read() as connection:
        try:
            found = await messages.get(connection, message)
        except NotFound:
            raise Denied("this is not a message of yours") from None
    if found.mailbox not in mailboxes:
        raise Denied("this is not a message of yours")
    if found.state not in VISIBLE:
        raise WrongState("message", f"is {found.state}")
    return found


async def _export(
    plane: Plane, caller: Caller, telephony: Telephony, message: UUID, data: NewExport, *,
    is_plain: bool,
) -> SealedCopy:  # fmt: skip
    found = await _readable(plane, caller, message)
    after = {"purpose": data.purpose, "plain": is_plain}
    copy = await _copy(plane, caller, telephony, found, Action.MESSAGE_EXPORTED, after, data)

    async def work(unit: Unit) -> None:
        unit.record(
            caller.deed.entry(Action.MESSAGE_EXPORTED, messages.subject(found.id), after=after)
        )

    await plane.committer.run(work)
    return copy


async def _copy(
    plane: Plane, caller: Caller, telephony: Telephony, message: Message, action: Action,
    after: Mapping[str, object], asked: NewOpening | NewExport,
) -> SealedCopy:  # fmt: skip
    """Row, ticket, a worker that seals it anew; the copy's file is deleted when it was read."""
    if message.adopted_at is None or message.slot is None:
        await telephony.voicemail.adoption.run()
        async with plane.database.read() as connection:
            message = await messages.get(connection, message.id)
    if message.slot is None or message.adopted_at is None:
        raise KeyHolderUnavailable("the key holder has not taken this message over yet")
    subject = messages.subject(message.id)
    evidence = await intend(plane.committer, caller.deed, action, subject, after)
    content = primitives.random(16)
    with telephony.voicemail.recovery.sparing(content):
        try:
            ticket = await plane.keyholder.ticket(caller.handle, message.id, evidence)
            resealed = await telephony.media.reseal(
                Resealing(
                    opening=Ticketed(message.content, ticket.ticket, message.slot),
                    expect=expectation(message),
                    to=Asker(content, asked.suite, asked.public, asked.voucher),
                )
            )
        except Refused:
            await plane.note_refusal(caller, action, subject, Outcome.REFUSED)
            raise Denied("the key holder does not open this message for you") from None
        except MessageRefused as refusal:
            log.error("a message was not opened", reason=refusal.fault)
            entry = caller.deed.entry(
                Action.MESSAGE_DAMAGED,
                subject,
                after={"fault": refusal.fault},
                outcome=Outcome.FAILED,
            )
            await plane.committer.note(entry)
            await plane.note_refusal(caller, action, subject, Outcome.FAILED)
            raise WrongState("message", f"cannot be opened ({refusal.fault})") from None
        return await _read(telephony, caller, resealed)


async def _read(telephony: Telephony, caller: Caller, resealed: Resealed) -> SealedCopy:
    path = telephony.ground.layout.message_spool / f"{resealed.content.hex()}.sealed"
    try:
        file = path.read_bytes()
    finally:
        try:
            await telephony.media.remove([resealed.content])
        except MediaError:
            telephony.voicemail.remove(resealed.content)
    return SealedCopy(
        operation=caller.deed.operation,
        content=resealed.content,
        slot=resealed.slot,
        codec=resealed.codec,
        milliseconds=resealed.milliseconds,
        digest=resealed.digest,
        file=file,
    )


def view(message: Message) -> MessageView:
    return MessageView(
        id=message.id,
        mailbox=message.mailbox,
        state=message.state,
        received_at=message.received_at,
        milliseconds=message.milliseconds,
        codec=message.codec,
        is_urgent=message.is_urgent,
        is_private=message.is_private,
        is_complete=message.is_complete,
        is_forwarded=message.forwarded_from is not None,
        heard_at=message.heard_at,
        state_at=message.state_at,
    )


ROUTES = [list_messages, listen, export, export_plain, delete_message]
