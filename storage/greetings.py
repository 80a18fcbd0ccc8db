"""Greetings and what else is set for a mailbox: which greeting, and how long messages are kept.

A greeting is a sealed file too, under the greetings key of the exchange: it is played to callers
while the key holder is away. It ends with its tenure.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound, Stale
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.messages import greeting as table
from storage.models.messages import mailbox_setting as settings


class GreetingKind(StrEnum):
    """What a person may record."""

    PERSONAL = "personal"
    """The whole of what a caller hears."""
    NAME = "name"
    """The name alone, in the middle of our own words."""


class GreetingChoice(StrEnum):
    """What callers hear."""

    STANDARD = "standard"
    NAME = "name"
    PERSONAL = "personal"


@dataclass(frozen=True, slots=True)
class Greeting:
    """One recorded greeting."""

    id: UUID
    mailbox: UUID
    kind: GreetingKind
    content: bytes
    codec: str
    milliseconds: int
    segments: int
    digest: bytes
    made_at: int


@dataclass(frozen=True, slots=True)
class MailboxSetting:
    """What is set for one mailbox; the default where nobody has set anything."""

    greeting: GreetingChoice = GreetingChoice.STANDARD
    retention_days: int | None = None
    """None: what the policies say."""
    version: int = 0


async def put(unit: Unit, deed: Deed, new: Greeting) -> Greeting | None:
    """Takes the place of the one before, which is answered: its file is to be removed."""
    before = await find(unit.connection, new.mailbox, new.kind)
    if before is not None:
        await unit.connection.execute(delete(table).where(table.c.id == before.id))
    await unit.connection.execute(
        insert(table).values(
            id=new.id,
            mailbox_id=new.mailbox,
            kind=new.kind,
            content=new.content,
            codec=new.codec,
            milliseconds=new.milliseconds,
            segments=new.segments,
            digest=new.digest,
            made_at=new.made_at,
        )
    )
    after = {"kind": str(new.kind), "digest": new.digest.hex(), "milliseconds": new.milliseconds}
    unit.record(deed.entry(Action.GREETING_CHANGED, _subject(new.mailbox), after=after))
    return before


async def find(connection: AsyncConnection, mailbox: UUID, kind: GreetingKind) -> Greeting | None:
    query = select(table).where(table.c.mailbox_id == mailbox, table.c.kind == kind)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _greeting(row)


async def all_(connection: AsyncConnection) -> list[Greeting]:
    """Every greeting, for the exchange's copy outside the database."""
    return [_greeting(row) for row in (await connection.execute(select(table))).all()]


async def end_of(unit: Unit, deed: Deed, mailbox: UUID) -> list[Greeting]:
    """A tenure is over: its greetings are too; answers whose files are to be removed."""
    query = select(table).where(table.c.mailbox_id == mailbox)
    found = [_greeting(row) for row in (await unit.connection.execute(query)).all()]
    await unit.connection.execute(delete(table).where(table.c.mailbox_id == mailbox))
    if found:
        before = {"kinds": sorted(str(one.kind) for one in found)}
        unit.record(deed.entry(Action.GREETING_CHANGED, _subject(mailbox), before=before))
    return found


async def setting_of(connection: AsyncConnection, mailbox: UUID) -> MailboxSetting:
    row = (
        await connection.execute(select(settings).where(settings.c.mailbox_id == mailbox))
    ).one_or_none()
    return MailboxSetting() if row is None else _setting(row)


async def settings_of_all(connection: AsyncConnection) -> dict[UUID, MailboxSetting]:
    rows = (await connection.execute(select(settings))).all()
    return {row.mailbox_id: _setting(row) for row in rows}


async def choose(unit: Unit, deed: Deed, mailbox: UUID, choice: GreetingChoice) -> None:
    """Which greeting callers hear; one that was never recorded cannot be chosen."""
    if choice is not GreetingChoice.STANDARD:
        kind = GreetingKind(choice.value)
        if await find(unit.connection, mailbox, kind) is None:
            raise NotFound("greeting")
    present = await setting_of(unit.connection, mailbox)
    await _set(unit, deed, mailbox, present, greeting=choice)


async def keep_for(unit: Unit, deed: Deed, mailbox: UUID, version: int, days: int | None) -> None:
    """How long this mailbox's messages are kept after they were heard; None: as everybody's."""
    present = await setting_of(unit.connection, mailbox)
    if present.version != version:
        raise Stale("mailbox")
    await _set(unit, deed, mailbox, present, retention_days=days)


async def _set(
    unit: Unit, deed: Deed, mailbox: UUID, present: MailboxSetting, **values: Any
) -> None:
    before = {"greeting": str(present.greeting), "retention_days": present.retention_days}
    after = {**before, **values, "greeting": str(values.get("greeting", present.greeting))}
    await unit.connection.execute(delete(settings).where(settings.c.mailbox_id == mailbox))
    await unit.connection.execute(
        insert(settings).values(
            mailbox_id=mailbox, changed_at=deed.at, version=present.version + 1, **after
        )
    )
    unit.record(deed.entry(Action.MAILBOX_SET, _subject(mailbox), before=before, after=after))


def _subject(mailbox: UUID) -> Subject:
    return Subject("mailbox", mailbox)


def _greeting(row: Row[Any]) -> Greeting:
    return Greeting(
        id=row.id,
        mailbox=row.mailbox_id,
        kind=GreetingKind(row.kind),
        content=row.content,
        codec=row.codec,
        milliseconds=row.milliseconds,
        segments=row.segments,
        digest=row.digest,
        made_at=row.made_at,
    )


def _setting(row: Row[Any]) -> MailboxSetting:
    return MailboxSetting(GreetingChoice(row.greeting), row.retention_days, row.version)
