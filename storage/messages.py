"""Messages as rows: where the sealed file of each is, what opens it, and what became of it.

A row and its ledger row, which carries the file's digest, are committed together: a file without
both is no message. Nothing here opens a message; that takes the key holder.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import calls
from storage.conflicts import NotFound, WrongState
from storage.deeds import Deed
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import Entry, Subject
from storage.ledger.unit import Unit
from storage.models.messages import message as table
from storage.records import RecordsKey
from storage.sealed.fields import Cell, FieldKey


class MessageState(StrEnum):
    """Where a message is in its life."""

    NEW = "new"
    SAVED = "saved"
    """Heard, or kept on purpose."""
    DELETED = "deleted"
    """Hidden; it can still be brought back."""
    DESTROYED = "destroyed"
    """Its only key is gone; the row says so."""


VISIBLE = (MessageState.NEW, MessageState.SAVED)


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """Who left it; sealed."""

    number: str = ""
    name: str = ""


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that came to its end, as it goes into the table."""

    id: UUID
    mailbox: UUID
    content: bytes
    deposit_key: UUID
    slot: bytes
    codec: str
    milliseconds: int
    octets: int
    segments: int
    digest: bytes
    received_at: int
    is_complete: bool = True
    is_urgent: bool = False
    is_private: bool = False
    call: UUID | None = None
    forwarded_from: UUID | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message without its envelope."""

    id: UUID
    mailbox: UUID
    content: bytes
    state: MessageState
    codec: str
    milliseconds: int
    octets: int
    segments: int
    digest: bytes
    is_complete: bool
    is_urgent: bool
    is_private: bool
    deposit_key: UUID
    slot: bytes | None
    adopted_at: int | None
    received_at: int
    call: UUID | None
    forwarded_from: UUID | None
    records_key: UUID | None
    caller_sealed: bytes | None
    heard_at: int | None
    state_at: int
    deleted_by: UUID | None
    certificate: str | None

    def envelope(self, key: FieldKey | None) -> Envelope:
        """Who left it; nothing without the key of its hour."""
        if key is None or self.caller_sealed is None:
            return Envelope()
        text = key.open_bytes(self.caller_sealed, _cell(self.id))
        return msgspec.json.decode(text, type=Envelope)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a lamp says (RFC 3842): new and old, and how many of each are urgent."""

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0
    hidden: int = field(default=0, compare=False)
    """Not counted: deleted, perhaps while a phone was away whose lamp still burns for them."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.new + other.new,
            self.old + other.old,
            self.urgent_new + other.urgent_new,
            self.urgent_old + other.urgent_old,
            self.hidden + other.hidden,
        )


def deposited(deed: Deed, new: NewMessage) -> Entry:
    """The ledger row without which its file is refused."""
    action = Action.MESSAGE_DEPOSITED if new.is_complete else Action.MESSAGE_INTERRUPTED
    after = {
        "mailbox": str(new.mailbox),
        "content": new.content.hex(),
        "digest": new.digest.hex(),
        "segments": new.segments,
        "milliseconds": new.milliseconds,
        "call": None if new.call is None else str(new.call),
        "forwarded_from": None if new.forwarded_from is None else str(new.forwarded_from),
    }
    return deed.entry(action, subject(new.id), after=after)


def sealed_envelope(new: UUID, envelope: Envelope, key: RecordsKey) -> bytes:
    return key.fields.seal_bytes(msgspec.json.encode(envelope), _cell(new))


async def deposit(
    unit: Unit,
    deed: Deed,
    new: NewMessage,
    key: RecordsKey | None,
    caller_sealed: bytes | None,
    *,
    has_row: bool = False,
) -> None:
    """Message and ledger row in one; `has_row`: the ledger's spool took the row already."""
    connection = unit.connection
    if await connection.scalar(select(table.c.id).where(table.c.id == new.id)) is not None:
        return  # committed before a crash that forgot so
    if key is not None:
        await calls.keep_key(connection, key)
    await connection.execute(
        insert(table).values(
            id=new.id,
            mailbox_id=new.mailbox,
            content=new.content,
            state=MessageState.NEW,
            codec=new.codec,
            milliseconds=new.milliseconds,
            octets=new.octets,
            segments=new.segments,
            digest=new.digest,
            is_complete=new.is_complete,
            is_urgent=new.is_urgent,
            is_private=new.is_private,
            deposit_key_id=new.deposit_key,
            slot=new.slot,
            received_at=new.received_at,
            recorded_at=deed.at,
            call_id=new.call,
            forwarded_from=new.forwarded_from,
            records_key_id=None if key is None else key.id,
            caller_sealed=caller_sealed,
            state_at=deed.at,
        )
    )
    if not has_row:
        unit.record(deposited(deed, new))


async def adopted(unit: Unit, deed: Deed, message: UUID, slot: bytes) -> None:
    """From now on it opens with a secret of its own, which can be destroyed."""
    values = {"slot": slot, "adopted_at": deed.at}
    await unit.connection.execute(update(table).where(table.c.id == message).values(values))
    unit.record(deed.entry(Action.MESSAGE_ADOPTED, subject(message)))


async def heard(unit: Unit, deed: Deed, message: UUID) -> None:
    """It was listened to: no longer new; its time to be kept begins."""
    row = await _row(unit.connection, message)
    if row.state not in VISIBLE:
        raise WrongState("message", "is deleted")
    values: dict[str, Any] = {"heard_at": row.heard_at or deed.at}
    if row.state == MessageState.NEW:
        values |= {"state": MessageState.SAVED, "state_at": deed.at}
    await unit.connection.execute(update(table).where(table.c.id == message).values(values))
    unit.record(deed.entry(Action.MESSAGE_HEARD, subject(message), after={"heard": True}))


async def save(unit: Unit, deed: Deed, message: UUID) -> None:
    """Kept on purpose; who says so again does not make it be kept for longer."""
    row = await _row(unit.connection, message)
    is_again = row.state == MessageState.SAVED
    await _enter(
        unit, deed, message, VISIBLE, MessageState.SAVED, Action.MESSAGE_SAVED,
        **({"state_at": row.state_at} if is_again else {}),
    )  # fmt: skip


async def delete(unit: Unit, deed: Deed, message: UUID, policy: str) -> None:
    """Hidden from its readers; recoverable until it is destroyed."""
    by = deed.actor.id
    await _enter(
        unit, deed, message, VISIBLE, MessageState.DELETED, Action.MESSAGE_DELETED,
        after={"policy": policy}, deleted_by=by,
    )  # fmt: skip


async def undelete(unit: Unit, deed: Deed, message: UUID) -> None:
    """Back where its readers see it."""
    row = await _row(unit.connection, message)
    state = MessageState.NEW if row.heard_at is None else MessageState.SAVED
    await _enter(
        unit, deed, message, (MessageState.DELETED,), state, Action.MESSAGE_UNDELETED,
        deleted_by=None,
    )  # fmt: skip


async def destroyed(unit: Unit, deed: Deed, message: UUID, certificate: str) -> None:
    """Its secret is gone; what is left is the row and the certificate."""
    await _enter(
        unit, deed, message, (MessageState.DELETED, MessageState.DESTROYED),
        MessageState.DESTROYED, Action.MESSAGE_DESTROYED,
        certificate=certificate, slot=None, caller_sealed=None,
    )  # fmt: skip


async def get(connection: AsyncConnection, message: UUID) -> Message:
    return _message(await _row(connection, message))


async def of_mailboxes(
    connection: AsyncConnection,
    mailboxes: Iterable[UUID],
    states: Iterable[MessageState] = VISIBLE,
) -> list[Message]:
    """New before saved, urgent before others, then oldest first: the order of listening."""
    query = select(table).where(
        table.c.mailbox_id.in_(list(mailboxes)), table.c.state.in_(list(states))
    )
    found = [_message(row) for row in (await connection.execute(query)).all()]
    return sorted(
        found, key=lambda m: (m.state is not MessageState.NEW, not m.is_urgent, m.received_at)
    )


async def counts(connection: AsyncConnection, mailbox: UUID) -> Counts:
    """How many of which kind; opens nothing."""
    return (await counts_of(connection, {mailbox}))[mailbox]


async def counts_of(connection: AsyncConnection, mailboxes: Collection[UUID]) -> dict[UUID, Counts]:
    """The same of several mailboxes at one look."""
    query = select(table.c.mailbox_id, table.c.state, table.c.is_urgent).where(
        table.c.mailbox_id.in_(mailboxes), table.c.state.in_((*VISIBLE, MessageState.DELETED))
    )
    urgent = {box: {state: list[bool]() for state in MessageState} for box in mailboxes}
    for row in (await connection.execute(query)).all():
        urgent[row.mailbox_id][MessageState(row.state)].append(row.is_urgent)
    return {box: _counted(by_state) for box, by_state in urgent.items()}


def _counted(urgent: Mapping[MessageState, list[bool]]) -> Counts:
    new, old = urgent[MessageState.NEW], urgent[MessageState.SAVED]
    return Counts(len(new), len(old), sum(new), sum(old), len(urgent[MessageState.DELETED]))


async def not_adopted(connection: AsyncConnection, limit: int = 100) -> list[Message]:
    """What the key holder has yet to take over; oldest first."""
    query = (
        select(table)
        .where(table.c.adopted_at.is_(None), table.c.state != MessageState.DESTROYED)
        .order_by(table.c.id)
        .limit(limit)
    )
    return [_message(row) for row in (await connection.execute(query)).all()]


async def unadopted_keys(connection: AsyncConnection) -> set[UUID]:
    """Deposit keys that a message still needs: the key holder has not taken it over yet."""
    query = select(table.c.deposit_key_id).where(
        table.c.adopted_at.is_(None), table.c.state != MessageState.DESTROYED
    )
    return set((await connection.execute(query.distinct())).scalars())


async def contents(connection: AsyncConnection) -> dict[bytes, MessageState]:
    """Every file there should be, and of what kind of message."""
    rows = (await connection.execute(select(table.c.content, table.c.state))).all()
    return {row.content: MessageState(row.state) for row in rows}


async def listed(
    unit: Unit, deed: Deed, mailboxes: Iterable[UUID], states: Iterable[MessageState]
) -> list[Message]:
    """For a person who may read them; the row says how many were shown."""
    found = await of_mailboxes(unit.connection, mailboxes, states)
    unit.record(deed.entry(Action.MESSAGE_LISTED, after={"count": len(found)}))
    return found


def subject(message: UUID) -> Subject:
    return Subject("message", message)


async def _enter(
    unit: Unit,
    deed: Deed,
    message: UUID,
    allowed: Iterable[MessageState],
    state: MessageState,
    action: Action,
    *,
    after: dict[str, Any] | None = None,
    **values: Any,
) -> None:
    row = await _row(unit.connection, message)
    if row.state not in tuple(allowed):
        raise WrongState("message", f"is {row.state}")
    await unit.connection.execute(
        update(table)
        .where(table.c.id == message)
        .values({"state": state, "state_at": deed.at, **values})
    )
    unit.record(
        deed.entry(
            action, subject(message), before={"state": row.state},
            after={"state": str(state), **(after or {})}, outcome=Outcome.DONE,
        )
    )  # fmt: skip


async def _row(connection: AsyncConnection, message: UUID) -> Row[Any]:
    row = (await connection.execute(select(table).where(table.c.id == message))).one_or_none()
    if row is None:
        raise NotFound("message")
    return row


def _cell(message: UUID) -> Cell:
    return Cell("message", "caller", message)


def _message(row: Row[Any]) -> Message:
    return Message(
        id=row.id,
        mailbox=row.mailbox_id,
        content=row.content,
        state=MessageState(row.state),
        codec=row.codec,
        milliseconds=row.milliseconds,
        octets=row.octets,
        segments=row.segments,
        digest=row.digest,
        is_complete=row.is_complete,
        is_urgent=row.is_urgent,
        is_private=row.is_private,
        deposit_key=row.deposit_key_id,
        slot=row.slot,
        adopted_at=row.adopted_at,
        received_at=row.received_at,
        call=row.call_id,
        forwarded_from=row.forwarded_from,
        records_key=row.records_key_id,
        caller_sealed=row.caller_sealed,
        heard_at=row.heard_at,
        state_at=row.state_at,
        deleted_by=row.deleted_by,
        certificate=row.certificate,
    )
