"""Numbers are found by the key holder's values, and what was missed is counted."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import select

from pbx.access.roles import Role
from pbx.b2bua.recorder import ended
from pbx.indexing import NumberIndexer
from storage import calls, messages
from storage.calls import CallOutcome, CallRecord, Parties
from storage.keyholder.client import KeyHolderUnavailable
from storage.ledger.unit import Unit
from storage.messages import Envelope, NewMessage
from storage.models.audit import number_gap, number_index
from storage.records import HourlyKeys
from storage.sealed.fields import Cell
from storage.sealed.primitives import random
from tests.support.clinic import Clinic

HOUR = 3_600
NUMBER = "+1 (202) 555-0147"


@dataclass
class Desk:
    """A clinic's records, as calls and messages leave them."""

    clinic: Clinic
    keys: HourlyKeys
    indexer: NumberIndexer

    async def call(self, number: str, dialled: str = "1042") -> UUID:
        now, key = self.clinic.now, self.keys.current()
        record = CallRecord(
            id=self.clinic.id(), started_at=now, answered_at=now, ended_at=now, route="person",
            outcome=CallOutcome.ANSWERED, cause="caller-hung-up", is_emergency=False,
            caller_device=UUID(int=1), caller_person=None, callee_tenure=None,
            parties=Parties(caller_number=number, dialled=dialled), legs=(),
        )  # fmt: skip

        async def work(unit: Unit) -> None:
            await calls.write(unit.connection, [record], key)
            unit.record(ended(record))

        await self.clinic.plane.committer.run(work)
        return record.id

    async def message(self, number: str) -> UUID:
        clinic = self.clinic
        new = NewMessage(
            id=clinic.id(), mailbox=UUID(int=2), content=random(16), deposit_key=clinic.id(),
            slot=b"s", codec="pcmu", milliseconds=1, octets=1, segments=1, digest=random(32),
            received_at=clinic.now,
        )  # fmt: skip
        key = self.keys.current()
        assert key is not None
        text = msgspec.json.encode(Envelope(number=number))
        sealed = key.fields.seal_bytes(text, Cell("message", "caller", new.id))
        await clinic.plane.run(messages.deposit, clinic.plane.deed(), new, key, sealed)
        return new.id

    async def search(self, number: str) -> Any:
        officer = await self.clinic.present(self.clinic.members["officer"])
        body = {"number": number, "reason": "a complaint of a patient"}
        return await self.clinic.do(officer, "POST", "/v1/audit/number-search", body)


@pytest.fixture
async def desk(clinic: Clinic) -> Desk:
    await clinic.staffed()
    await clinic.with_role("officer", Role.COMPLIANCE_OFFICER)
    plane = clinic.plane
    (public,) = await plane.keyholder.public_keys("records")
    keys = HourlyKeys(plane.pinned, lambda: public, plane.clock)
    return Desk(clinic, keys, NumberIndexer(plane.database, plane.keyholder, keys, plane.clock))


async def test_calls_and_messages_of_a_number_are_found_and_no_others(desk: Desk) -> None:
    call, message = await desk.call(NUMBER), await desk.message("12025550147")
    await desk.call("12025550148")
    await desk.call("")
    assert await desk.indexer.once() == 4
    assert await desk.indexer.once() == 0

    found = await desk.search("1-202-555-0147")

    assert {row["subject"] for row in found["rows"]} == {str(call), str(message)}
    assert {row["action"] for row in found["rows"]} == {"call.ended", "message.deposited"}
    assert found["not_indexed"] == 0
    async with desk.clinic.plane.database.read() as connection:
        stored = (await connection.execute(select(number_index))).all()
    assert not any(b"2025550147" in row.value for row in stored)


async def test_numbers_wait_for_the_key_holder_until_their_hour_is_over(desk: Desk) -> None:
    await desk.call(NUMBER)
    await desk.clinic.edge.stop()
    with pytest.raises(KeyHolderUnavailable):
        await desk.indexer.once()
    await desk.clinic.edge.start()
    assert await desk.indexer.once() == 1
    await desk.call(NUMBER)
    desk.clinic.pass_(HOUR)

    assert await desk.indexer.once() == 0

    found = await desk.search(NUMBER)
    assert len(found["rows"]) == 1
    assert found["not_indexed"] == 1
    await desk.indexer.once()
    async with desk.clinic.plane.database.read() as connection:
        gaps = (await connection.execute(select(number_gap.c.count))).scalars().all()
    assert list(gaps) == [1], "an hour is counted once"


async def test_without_a_records_key_there_is_nothing_to_index(desk: Desk) -> None:
    plane = desk.clinic.plane
    keys = HourlyKeys(plane.pinned, lambda: None, plane.clock)

    assert await NumberIndexer(plane.database, plane.keyholder, keys, plane.clock).once() == 0
