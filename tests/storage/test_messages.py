"""Messages: a row with its ledger row, hidden before it is destroyed, and sealed as to who."""

from uuid import UUID

import msgspec
import pytest

from storage import messages
from storage.conflicts import NotFound, WrongState
from storage.identifiers import new_id
from storage.messages import Counts, Envelope, MessageState
from tests.support.stores import Stores
from tests.support.voicemail import BOX, a_message, hourly, left


async def test_a_message_and_the_ledger_row_with_its_digest_are_committed_together(
    stores: Stores,
) -> None:
    new = await left(stores, envelope=Envelope(number="1001", name="Anna"))

    [row] = await stores.rows()
    after = msgspec.json.decode(row.after)
    found = await stores.ask(messages.get, new.id)

    assert row.action == "message.deposited"
    assert after["digest"] == new.digest.hex()
    assert (found.state, found.slot, found.adopted_at) == (MessageState.NEW, b"slot", None)
    assert found.envelope(hourly(stores).fields) == Envelope(number="1001", name="Anna")
    assert found.envelope(None) == Envelope()
    assert b"1001" not in (found.caller_sealed or b"")


async def test_an_interrupted_one_says_so_in_its_row(stores: Stores) -> None:
    await left(stores, is_complete=False, segments=2)

    assert await stores.actions() == ["message.interrupted"]


async def test_depositing_twice_after_a_crash_changes_nothing(stores: Stores) -> None:
    new = await left(stores)

    await stores.do(messages.deposit, new, None, None)

    assert await stores.actions() == ["message.deposited"]


async def test_a_row_that_the_spool_took_is_not_written_again(stores: Stores) -> None:
    new = a_message(stores)

    await stores.do(messages.deposit, new, None, None, has_row=True)

    assert await stores.actions() == []
    assert (await stores.ask(messages.get, new.id)).digest == new.digest


async def test_new_and_urgent_come_first_and_the_oldest_of_them(stores: Stores) -> None:
    saved = await left(stores)
    await stores.do(messages.heard, saved.id)
    plain = await left(stores, received_at=2)
    urgent = await left(stores, received_at=3, is_urgent=True)
    older = await left(stores, received_at=1)

    found = await stores.ask(messages.of_mailboxes, [BOX])

    assert [one.id for one in found] == [urgent.id, older.id, plain.id, saved.id]
    assert await stores.ask(messages.counts, BOX) == Counts(3, 1, 1, 0)
    assert await stores.ask(messages.counts, UUID(int=1)) == Counts()


async def test_deleted_is_hidden_and_comes_back_as_it_was(stores: Stores) -> None:
    heard, unheard = await left(stores), await left(stores)
    await stores.do(messages.heard, heard.id)
    for one in (heard, unheard):
        await stores.do(messages.delete, one.id, "owner")
    assert await stores.ask(messages.of_mailboxes, [BOX]) == []
    with pytest.raises(WrongState):
        await stores.do(messages.heard, heard.id)
    with pytest.raises(WrongState):
        await stores.do(messages.delete, heard.id, "owner")

    for one in (heard, unheard):
        await stores.do(messages.undelete, one.id)

    states = {one.id: one.state for one in await stores.ask(messages.of_mailboxes, [BOX])}
    assert states == {heard.id: MessageState.SAVED, unheard.id: MessageState.NEW}
    with pytest.raises(WrongState):
        await stores.do(messages.undelete, heard.id)


async def test_listening_again_does_not_move_the_time_it_was_first_heard(stores: Stores) -> None:
    new = await left(stores)
    await stores.do(messages.heard, new.id)
    first = (await stores.ask(messages.get, new.id)).heard_at
    stores.clock.now += 5

    await stores.do(messages.heard, new.id)
    await stores.do(messages.save, new.id)

    assert (await stores.ask(messages.get, new.id)).heard_at == first


async def test_what_is_destroyed_keeps_its_certificate_and_nothing_that_opens(
    stores: Stores,
) -> None:
    new = await left(stores, envelope=Envelope(number="1001"))
    await stores.do(messages.adopted, new.id, b"own slot")
    assert (await stores.ask(messages.get, new.id)).slot == b"own slot"
    assert await stores.ask(messages.not_adopted) == []
    await stores.do(messages.delete, new.id, "owner")

    await stores.do(messages.destroyed, new.id, "certificate")
    await stores.do(messages.destroyed, new.id, "certificate")

    found = await stores.ask(messages.get, new.id)
    assert (found.state, found.slot, found.caller_sealed) == (MessageState.DESTROYED, None, None)
    assert found.certificate == "certificate"
    assert await stores.ask(messages.contents) == {new.content: MessageState.DESTROYED}
    with pytest.raises(WrongState):
        await stores.do(messages.undelete, new.id)


async def test_a_listing_leaves_a_row_and_what_is_not_there_is_not_found(stores: Stores) -> None:
    new = await left(stores)

    [found] = await stores.do(messages.listed, [BOX], messages.VISIBLE)

    assert found.id == new.id
    assert (await stores.actions())[-1] == "message.listed"
    assert [one.id for one in await stores.ask(messages.not_adopted)] == [new.id]
    with pytest.raises(NotFound):
        await stores.ask(messages.get, new_id(stores.clock))
