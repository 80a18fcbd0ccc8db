"""The extension as it is now: its own rows, lamps, sign-ins and greetings against its history.

Nobody's part is played here: rows are compared with the ledger, the exchange's memory and the key
holder's table with the rows. What was edited behind the exchange's back shows by disagreeing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pbx.isolation.finding import Finding, judged, unknown
from pbx.isolation.tables import bound_to_a_tenure
from pbx.telephony import Telephony
from storage import greetings, tenures
from storage.keyholder.protocol import MailboxView
from storage.ledger.actions import Action
from storage.models.extensions import tenure as tenure_table
from storage.models.ledger import ledger
from storage.models.messages import message
from storage.sealed.fields import Cell, FieldKey
from storage.sealed.primitives import OpenError
from storage.tenures import Tenure

HANDS = (Action.EXTENSION_ASSIGNED, Action.EXTENSION_RELEASED, Action.EXTENSION_UNDONE)
PATH = "this extension: "
LEFT = (Action.MESSAGE_DEPOSITED, Action.MESSAGE_INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Holders:
    """Who has the extension, and who had it."""

    extension: UUID
    present: Tenure | None
    former: tuple[Tenure, ...]

    @property
    def people(self) -> set[UUID]:
        """Those who had it and do not have it now."""
        return {one.person for one in self.former} - (
            {self.present.person} if self.present else set()
        )


async def holders(connection: AsyncConnection, extension: UUID) -> Holders:
    query = select(tenure_table.c.id).where(tenure_table.c.extension_id == extension)
    held = [await tenures.get(connection, id) for id in (await connection.scalars(query)).all()]
    present = next((one for one in held if one.ended_at is None), None)
    return Holders(extension, present, tuple(one for one in held if one is not present))


async def findings(
    connection: AsyncConnection, held: Holders, telephony: Telephony,
    boxes: Iterable[MailboxView] | None, fields: FieldKey,
) -> list[Finding]:  # fmt: skip
    """`boxes`: the key holder's own table; None: it is away."""
    found = [await _hands(connection, held), _key_holder(held, boxes)]
    if held.present is not None:
        found.append(await _messages(connection, held.present))
        found += [
            await _older(connection, one, held.present, fields) for one in bound_to_a_tenure()
        ]
    found += [_lamps(held, telephony), _sign_ins(held, telephony)]
    found.append(await _greetings(connection, held, telephony))
    return found


async def _hands(connection: AsyncConnection, held: Holders) -> Finding:
    """The open tenure is the one that the ledger says was begun last."""
    path = "this extension: holder"
    query = (
        select(ledger.c.after)
        .where(ledger.c.subject_id == held.extension, ledger.c.action.in_(HANDS),
               ledger.c.outcome == "done")
        .order_by(ledger.c.occurred_at.desc(), ledger.c.sequence.desc())
        .limit(1)
    )  # fmt: skip
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return unknown(path, "the ledger has no row of its being assigned")
    said = msgspec.json.decode(row.after) if row.after else None
    is_now = None if held.present is None else (str(held.present.id), str(held.present.person))
    told = None if said is None else (said["tenure"], said["person"])
    leak = "" if told == is_now else "the table names another holder or tenure than the ledger"
    return judged(path, leak, "table and ledger name the same holder and tenure")


def _key_holder(held: Holders, boxes: Iterable[MailboxView] | None) -> Finding:
    path = "this extension: key holder"
    if boxes is None:
        return unknown(path, "the key holder is away")
    by_id = {box.id: box for box in boxes}
    waiting = held.present.follows if held.present else None
    for one in held.former:
        box = by_id.get(one.mailbox)
        if box is not None and box.closed is None and one.id != waiting:
            return judged(path, "a former holder's mailbox is open there", "")
    if held.present is None:
        return judged(path, "", "every former holder's mailbox is closed")
    box = by_id.get(held.present.mailbox)
    if box is None or (box.owner, box.tenure) != (held.present.person, held.present.id):
        return judged(path, "its table names another owner or tenure than ours", "")
    members = {one.person for one in box.members} & held.people
    leak = f"{len(members)} former holders are members of the present mailbox" if members else ""
    return judged(path, leak, "its owner is the present holder; no former one is a member")


async def _messages(connection: AsyncConnection, present: Tenure) -> Finding:
    """Each message was left in this mailbox, as its row of the ledger says."""
    path = "this extension: list"
    query = select(message.c.id).where(message.c.mailbox_id == present.mailbox)
    listed = list((await connection.scalars(query)).all())
    rows = [await _deposit(connection, id) for id in listed]
    if None in rows:
        return unknown(path, "a message has no row in the ledger here: spooled, or moved off")
    strange = sum(_mailbox(row) != str(present.mailbox) for row in rows if row is not None)
    leak = f"{strange} of {len(rows)} messages were left in another mailbox" if strange else ""
    return judged(path, leak, f"{len(rows)} messages, each left in this mailbox")


async def _deposit(connection: AsyncConnection, id: UUID) -> Row[Any] | None:
    query = select(ledger.c.after).where(ledger.c.subject_id == id, ledger.c.action.in_(LEFT))
    return (await connection.execute(query.limit(1))).one_or_none()


def _mailbox(row: Row[Any]) -> str:
    return str(msgspec.json.decode(row.after)["mailbox"])


async def _older(
    connection: AsyncConnection, bound: tuple[Any, Any], present: Tenure, fields: FieldKey
) -> Finding:
    """Nothing of the present holder's is older than their time on the number."""
    table, column = bound
    path = f"this extension: {table.name}"
    times = [one for one in table.columns if one.name.endswith("_at") and not one.nullable]
    whose = present.mailbox if column.name.endswith("mailbox_id") else present.id
    if not times:
        return await _undated(connection, bound, whose, path, fields)
    earlier = times[0] < present.started_at
    found = (await connection.execute(select(column).where(column == whose, earlier))).all()
    leak = f"{len(found)} rows are older than the present tenure" if found else ""
    return judged(path, leak, "no row is older than the present tenure")


async def _undated(
    connection: AsyncConnection, bound: tuple[Any, Any], whose: UUID, path: str, fields: FieldKey
) -> Finding:
    """Without a time: what is sealed in a row opens only where it was sealed."""
    table, column = bound
    found = (await connection.execute(select(table).where(column == whose))).all()
    sealed = [one.name for one in table.columns if one.name.endswith("_sealed")]
    if found and not sealed:
        return unknown(path, f"{table.name} has rows, and no time to compare")
    try:
        for row in found:
            for name in sealed:
                cell = Cell(table.name, name.removesuffix("_sealed"), row.id)
                fields.open(getattr(row, name), cell)
    except OpenError:
        return judged(path, "a row was sealed for another tenure", "")
    return judged(path, "", f"{len(found)} rows, sealed for the present tenure")


def _lamps(held: Holders, telephony: Telephony) -> Finding:
    closed = {one.mailbox for one in held.former}
    closed -= {held.present.mailbox} if held.present else set()
    devices = telephony.keeper.current().devices
    lit = sum(telephony.lamps.mailbox_of(device) in closed for device in devices)
    leak = f"{lit} phones show the lamp of a former holder" if lit else ""
    return judged(f"{PATH}lamps", leak, f"none of {len(devices)} phones shows a former holder's")


def _sign_ins(held: Holders, telephony: Telephony) -> Finding:
    over = {one.id for one in held.former}
    seats = telephony.keeper.current().signed_in
    alive = sum(
        tenure in over and telephony.keeper.current().holder_of(device) is not None
        for device, tenure in seats.items()
    )
    leak = f"{alive} phones are signed in for a former tenure" if alive else ""
    return judged(f"{PATH}phone log-in", leak, "nobody is signed in for a former tenure")


async def _greetings(connection: AsyncConnection, held: Holders, telephony: Telephony) -> Finding:
    path = f"{PATH}greeting heard"
    if held.present is None:
        return judged(path, "", "nobody holds the number, so nobody is greeted for it")
    spoken = telephony.voicemail.greetings.of(held.present.mailbox)
    former = {one.mailbox for one in held.former} - {held.present.mailbox}
    theirs = {one.content for one in await greetings.all_(connection) if one.mailbox in former}
    heard = {one.content for one in (spoken.personal, spoken.name) if one is not None}
    strange = any(one is not None and one.mailbox != held.present.mailbox
                  for one in (spoken.personal, spoken.name))  # fmt: skip
    leak = "callers hear a former holder's greeting" if strange or heard & theirs else ""
    return judged(path, leak, "callers hear no greeting of a former holder")
