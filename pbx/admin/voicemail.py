"""Voicemail as those see it who answer for it: holds, undeletion, purging, certificates, figures.

None of them hears a message here.
"""

from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.params import FromPath, JSONBody
from sqlalchemy import func, select

from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane, GivenTelephony
from pbx.admin.messages import view
from pbx.admin.performed import performed
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed, Label, Performed, Proved
from pbx.admin.wire.voicemail import (
    Certificate,
    HoldView,
    LampDuty,
    MessageView,
    NewHold,
    NewRetention,
    PurgeWish,
    RetentionView,
    Statistics,
)
from pbx.voicemail.purge import Purged
from storage import greetings, holds, messages
from storage.conflicts import NotFound
from storage.keyholder import acts
from storage.keyholder.protocol import Waiting
from storage.keyholder.signing import SignedStatement
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.messages import MessageState
from storage.models.messages import message as table


@get(
    "/v1/deleted-messages",
    opt=needs(Privilege.MESSAGE_UNDELETE, Action.MESSAGE_LISTED),
    summary="Messages that are hidden and not destroyed yet",
)
async def list_deleted(plane: GivenPlane, caller: GivenCaller) -> list[MessageView]:
    async def work(unit: Unit) -> list[MessageView]:
        boxes = (await unit.connection.scalars(select(table.c.mailbox_id).distinct())).all()
        deed = caller.deed
        found = await messages.listed(unit, deed, boxes, [MessageState.DELETED])
        return [view(one) for one in found]

    return await plane.committer.run(work)


@post(
    "/v1/deleted-messages/{message:uuid}/restoration",
    opt=needs(Privilege.MESSAGE_UNDELETE, Action.MESSAGE_UNDELETED),
    status_code=200,
    summary="Bring a deleted message back to its readers",
)
async def undelete(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, message: FromPath[UUID]
) -> Changed:
    await plane.run(telephony.voicemail.purge.undelete, caller.deed, message)
    async with plane.database.read() as connection:
        found = await messages.get(connection, message)
    telephony.voicemail.changed(found.mailbox)
    return Changed(operation=caller.deed.operation)


@get("/v1/holds", opt=needs(Privilege.HOLD, Action.HOLD_LISTED), summary="Legal holds in force")
async def list_holds(plane: GivenPlane, caller: GivenCaller) -> list[HoldView]:
    return [
        HoldView(
            id=hold.id,
            mailbox=hold.mailbox,
            reason=hold.reason,
            placed_by=hold.placed_by,
            placed_at=hold.placed_at,
        )
        for hold in await plane.run(plane.holds.listed, caller.deed)
    ]


@post(
    "/v1/holds",
    opt=needs(Privilege.HOLD, Action.HOLD_PLACED),
    summary="Nothing of a mailbox is deleted by time or destroyed until this is released",
)
async def place_hold(plane: GivenPlane, caller: GivenCaller, data: JSONBody[NewHold]) -> Performed:
    act = acts.Hold(mailbox=data.mailbox, hold=data.id)
    subject = Subject("mailbox", data.mailbox)
    answer = await plane.perform(
        caller, act, data.proof, action=Action.HOLD_PLACED, subject=subject
    )
    await plane.run(
        plane.holds.place, caller.deed, data.id, data.mailbox, data.reason, caller.someone
    )
    return performed(caller, answer)


@post(
    "/v1/holds/{hold:uuid}/release",
    opt=needs(Privilege.HOLD, Action.HOLD_RELEASED),
    status_code=200,
    summary="Ask for the end of a hold; waits for a second person",
)
async def release_hold(
    plane: GivenPlane, caller: GivenCaller, hold: FromPath[UUID], data: JSONBody[Proved]
) -> Performed:
    async with plane.database.read() as connection:
        found = await plane.holds.find(connection, hold)
    act = acts.ReleaseHold(mailbox=found.mailbox, hold=hold)
    subject = Subject("mailbox", found.mailbox)
    answer = await plane.perform(
        caller, act, data.proof, action=Action.HOLD_RELEASED, subject=subject
    )
    if not isinstance(answer, Waiting):
        await plane.run(plane.holds.release, caller.deed, hold)
    return performed(caller, answer)


@post(
    "/v1/purge",
    opt=needs(Privilege.MESSAGE_PURGE, Action.MESSAGE_PURGED),
    status_code=200,
    summary="Hide and destroy what is due by the retention rules, or say what would be",
)
async def purge(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, data: JSONBody[PurgeWish]
) -> Purged:
    done = await telephony.voicemail.purge.run(
        is_dry_run=data.is_dry_run, actor=caller.deed.actor, most=data.most
    )

    async def work(unit: Unit) -> None:
        after = msgspec.to_builtins(done)
        unit.record(caller.deed.entry(Action.MESSAGE_PURGED, after=after))

    await plane.committer.run(work)
    return done


@get(
    "/v1/voicemail",
    opt=needs(Privilege.MESSAGE_STATISTICS, Action.MESSAGE_LISTED),
    summary="How voicemail is doing, in numbers",
)
async def statistics(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony
) -> Statistics:
    voicemail = telephony.voicemail

    async def work(unit: Unit) -> Statistics:
        connection = unit.connection
        by_state = select(table.c.state, func.count().label("number")).group_by(table.c.state)
        rows = (await connection.execute(by_state)).all()
        counted = {str(row.state): int(row.number) for row in rows}
        living = table.c.state != MessageState.DESTROYED
        cut = select(func.count()).where(living, table.c.is_complete == 0)
        waits = select(func.count()).where(living, table.c.adopted_at.is_(None))
        octets = select(func.coalesce(func.sum(table.c.octets), 0)).where(living)
        unit.record(caller.deed.entry(Action.MESSAGE_LISTED, after={"count": 0}))
        spool = voicemail.watch.spool
        return Statistics(
            new=counted.get("new", 0),
            saved=counted.get("saved", 0),
            deleted=counted.get("deleted", 0),
            destroyed=counted.get("destroyed", 0),
            interrupted=await connection.scalar(cut) or 0,
            not_adopted=await connection.scalar(waits) or 0,
            waiting=voicemail.deposits.waiting,
            on_hold=len(await holds.held_mailboxes(connection)),
            megabytes=int(await connection.scalar(octets) or 0) >> 20,
            free_megabytes=None if spool is None else spool.free >> 20,
            purge_done=voicemail.purge.progress.done,
            purge_total=voicemail.purge.progress.total,
        )

    return await plane.committer.run(work)


@get(
    "/v1/certificates/{message:uuid}",
    opt=needs(Privilege.HISTORY_READ, Action.MESSAGE_CERTIFICATE_READ),
    summary="The certificate of destruction of a message",
)
async def certificate(
    plane: GivenPlane, caller: GivenCaller, message: FromPath[UUID]
) -> Certificate:
    async def work(unit: Unit) -> Certificate:
        found = await messages.get(unit.connection, message)
        if found.certificate is None:
            raise NotFound("certificate")
        signed = msgspec.json.decode(found.certificate, type=SignedStatement)
        unit.record(caller.deed.entry(Action.MESSAGE_CERTIFICATE_READ, messages.subject(message)))
        return Certificate(
            message=message, kind=signed.kind, text=signed.text, signature=signed.signature
        )

    return await plane.committer.run(work)


@get(
    "/v1/mailboxes/{mailbox:uuid}/retention",
    opt=needs(Privilege.POLICY_READ, Action.MAILBOX_READ),
    summary="How long a mailbox keeps what was heard",
)
async def show_retention(
    plane: GivenPlane, caller: GivenCaller, mailbox: FromPath[UUID]
) -> RetentionView:
    async def work(unit: Unit) -> RetentionView:
        setting = await greetings.setting_of(unit.connection, mailbox)
        unit.record(caller.deed.entry(Action.MAILBOX_READ, Subject("mailbox", mailbox)))
        return RetentionView(mailbox=mailbox, days=setting.retention_days, version=setting.version)

    return await plane.committer.run(work)


@put(
    "/v1/mailboxes/{mailbox:uuid}/retention",
    opt=needs(Privilege.POLICY_CHANGE, Action.MAILBOX_SET),
    summary="Keep this mailbox's messages for longer or shorter than others'",
)
async def set_retention(
    plane: GivenPlane, caller: GivenCaller, mailbox: FromPath[UUID], data: JSONBody[NewRetention]
) -> Changed:
    await plane.run(greetings.keep_for, caller.deed, mailbox, data.version, data.days)
    return Changed(operation=caller.deed.operation)


@post(
    "/v1/devices/{label:str}/lamp",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_LAMP_SET),
    status_code=200,
    summary="Say whether a phone's lamp tells of messages",
)
async def set_lamp(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony,
    label: FromPath[Label], data: JSONBody[LampDuty],
) -> Changed:  # fmt: skip
    device = await resolve.device(plane, label)
    await plane.run(telephony.phones.set_lamp, caller.deed, device, data.shows)
    return Changed(operation=caller.deed.operation)


ROUTES = [
    list_deleted,
    undelete,
    list_holds,
    place_hold,
    release_hold,
    purge,
    statistics,
    certificate,
    show_retention,
    set_retention,
    set_lamp,
]
