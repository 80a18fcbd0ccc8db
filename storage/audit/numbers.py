"""The index of telephone numbers: filled while the hour's key is in memory, asked by its values.

Numbers stand in calls and messages under the key of their hour. In that hour the exchange gives
them to the key holder, which answers with values that can be compared and nothing else. What an
hour's end finds without a value stays without: it is counted, and an answer says how much.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.calls import Parties
from storage.messages import Envelope
from storage.models.audit import number_gap, number_index
from storage.models.calls import call, records_key
from storage.models.messages import message
from storage.sealed.fields import Cell, FieldKey

BATCH = 200
NOTHING = b""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call or message without its values."""

    kind: str
    id: UUID
    at: int
    numbers: tuple[str, ...]


async def waiting(connection: AsyncConnection, key_id: UUID, key: FieldKey) -> list[Waiting]:
    """What was written under this hour's key and is not indexed yet."""
    calls = (
        select(call.c.id, call.c.started_at, call.c.parties_sealed)
        .where(call.c.records_key_id == key_id, ~_indexed(call.c.id))
        .limit(BATCH)
    )
    messages = (
        select(message.c.id, message.c.received_at, message.c.caller_sealed)
        .where(message.c.records_key_id == key_id, ~_indexed(message.c.id))
        .limit(BATCH)
    )
    found = []
    for id, at, sealed in (await connection.execute(calls)).all():
        found.append(Waiting("call", id, at, tuple(_of_call(key, id, sealed))))
    for id, at, sealed in (await connection.execute(messages)).all():
        found.append(Waiting("message", id, at, tuple(_of_message(key, id, sealed))))
    return found


async def keep(
    connection: AsyncConnection, found: Sequence[Waiting], values: dict[str, bytes]
) -> None:
    """Each thing gets at least one row, so that it is not looked at again."""
    rows = [
        {"value": value, "subject_id": one.id, "subject_kind": one.kind, "occurred_at": one.at}
        for one in found
        for value in {values[number] for number in one.numbers} or {NOTHING}
    ]
    if rows:
        await connection.execute(insert(number_index), rows)


async def close_hours(connection: AsyncConnection, current: UUID | None, since: int) -> int:
    """Count what the hours that are over have left without values; the number of hours."""
    known = exists().where(number_gap.c.records_key_id == records_key.c.id)
    hours = select(records_key.c.id, records_key.c.made_at).where(
        records_key.c.made_at >= since, ~known
    )
    closed = 0
    for id, made_at in (await connection.execute(hours)).all():
        if id == current:
            continue
        count = 0
        for table in (call, message):
            left = select(func.count()).where(table.c.records_key_id == id, ~_indexed(table.c.id))
            count += await connection.scalar(left) or 0
        await connection.execute(
            insert(number_gap).values(records_key_id=id, made_at=made_at, count=count)
        )
        closed += 1
    return closed


async def missed(connection: AsyncConnection, since: int | None, until: int | None) -> int:
    """Calls and messages of a time that no question about a number finds."""
    query = select(func.coalesce(func.sum(number_gap.c.count), 0))
    if since is not None:
        query = query.where(number_gap.c.made_at >= since - 3_600_000_000)
    if until is not None:
        query = query.where(number_gap.c.made_at < until)
    return int(await connection.scalar(query) or 0)


def _indexed(id: ColumnElement[UUID]) -> ColumnElement[bool]:
    return exists().where(number_index.c.subject_id == id)


def _of_call(key: FieldKey, id: UUID, sealed: bytes | None) -> Iterator[str]:
    if sealed is None:
        return
    parties = msgspec.json.decode(key.open_bytes(sealed, Cell("call", "parties", id)), type=Parties)
    for number in (
        parties.caller_number,
        parties.dialled,
        *(transfer.number for transfer in parties.transfers),
    ):
        if _is_number(number):
            yield number


def _of_message(key: FieldKey, id: UUID, sealed: bytes | None) -> Iterator[str]:
    if sealed is None:
        return
    text = key.open_bytes(sealed, Cell("message", "caller", id))
    number = msgspec.json.decode(text, type=Envelope).number
    if _is_number(number):
        yield number


def _is_number(text: str) -> bool:
    return any(c in "0123456789" for c in text)
