"""Call records: stored whole, opened with the key of their hour, and never without one."""

from uuid import UUID

import pytest

from storage import calls
from storage.calls import CallOutcome, CallRecord, LegRecord, Parties, Receipt, Signalling
from storage.conflicts import NotFound
from storage.identifiers import new_id
from storage.ledger.unit import Unit
from storage.records import RecordsKey
from storage.sealed.fields import FieldKey
from storage.sealed.primitives import OpenError
from tests.support.stores import Stores


def a_key(stores: Stores, secret: int = 7) -> RecordsKey:
    fields = FieldKey(bytes([secret]) * 32, "records")
    return RecordsKey(new_id(stores.clock), stores.clock(), fields, b"sealed", UUID(int=9))


def a_record(stores: Stores, *, has_legs: bool = True) -> CallRecord:
    at = stores.clock()
    signalling = Signalling(tls_version="TLSv1.3", cipher="x", authentication="certificate")
    leg = LegRecord(
        id=new_id(stores.clock), role="caller", device=UUID(int=1), person=UUID(int=2),
        started_at=at, answered_at=at, ended_at=at, status=200,
        receipt=Receipt(signalling=signalling, suite="AEAD_AES_256_GCM", mos=4.4),
    )  # fmt: skip
    return CallRecord(
        id=new_id(stores.clock), started_at=at, answered_at=at, ended_at=at, route="person",
        outcome=CallOutcome.ANSWERED, cause="caller-hung-up", is_emergency=False,
        caller_device=UUID(int=1), caller_person=UUID(int=2), callee_tenure=UUID(int=3),
        parties=Parties(caller_number="1001", dialled="1002"), legs=(leg,) if has_legs else (),
    )  # fmt: skip


async def put(stores: Stores, key: RecordsKey | None, *records: CallRecord) -> None:
    async def work(unit: Unit) -> None:
        await calls.write(unit.connection, records, key)

    await stores.committer.run(work)


async def test_a_record_opens_with_the_key_of_its_hour_alone(stores: Stores) -> None:
    key, record = a_key(stores), a_record(stores)
    await put(stores, key, record)

    sealed = await stores.ask(calls.read, record.id)

    assert sealed.records_key == key.id
    assert sealed.opened(key.fields) == record
    assert sealed.opened(None).parties == Parties()
    with pytest.raises(OpenError):
        sealed.opened(a_key(stores, 8).fields)
    assert await stores.ask(calls.sealed_key, key.id) == (b"sealed", UUID(int=9))
    assert b"1002" not in sealed.row.parties_sealed


async def test_without_a_key_no_parties_are_stored(stores: Stores) -> None:
    record = a_record(stores, has_legs=False)
    await put(stores, None, record)
    await put(stores, None)

    sealed = await stores.ask(calls.read, record.id)

    assert (sealed.records_key, sealed.row.parties_sealed, sealed.legs) == (None, None, ())


async def test_one_key_serves_many_records_and_they_are_listed_newest_first(
    stores: Stores,
) -> None:
    key, first = a_key(stores), a_record(stores)
    stores.clock.now += 1_000_000
    second = a_record(stores)
    await put(stores, key, first)
    await put(stores, key, second)

    assert [c.row.id for c in await stores.ask(calls.recent)] == [second.id, first.id]
    older = await stores.ask(calls.recent, before=second.id, limit=5)
    assert [c.row.id for c in older] == [first.id]


async def test_what_is_not_there_is_not_found(stores: Stores) -> None:
    with pytest.raises(NotFound):
        await stores.ask(calls.read, UUID(int=4))
    with pytest.raises(NotFound):
        await stores.ask(calls.sealed_key, UUID(int=4))
