"""storage/keyholder/keyring.py"""

from uuid import uuid4

import pytest

from storage.keyholder import acts, protocol, signing
from storage.keyholder.clock import DAY, WEEK
from storage.keyholder.core import No
from storage.keyholder.keyring import Keyring
from storage.keyholder.protocol import KeyList, PublicKeys, Refusal
from tests.support.keyholder import House


async def test_deposit_keys_are_made_and_signed_ahead(house: House) -> None:
    admin = await house.administrator()
    mailbox, tenure = uuid4(), uuid4()
    await house.done(admin, acts.OpenTenure(mailbox, tenure, admin.id))

    keys = (await house.ask(PublicKeys("deposit", mailbox), KeyList)).keys
    again = (await house.ask(PublicKeys("deposit", mailbox), KeyList)).keys

    assert len(keys) == 5
    assert keys == again
    assert house.pin is not None
    now = house.core.clock()
    for number, key in enumerate(keys):
        then = now + number * WEEK
        signing.check_key(house.pin.signing_key, key, purpose="deposit", now=then, mailbox=mailbox)
        assert key.tenure == tenure
    house.time.pass_(7 * 86_400)
    later = (await house.ask(PublicKeys("deposit", mailbox), KeyList)).keys
    assert later[:4] == keys[1:]
    house.reopen()
    assert (await house.ask(PublicKeys("deposit", mailbox), KeyList)).keys == later


@pytest.mark.parametrize(
    "request_",
    [
        PublicKeys("deposit", uuid4()),
        PublicKeys("deposit"),
        PublicKeys("proof", uuid4()),
        PublicKeys("anything"),
    ],
)
async def test_no_key_for_what_does_not_exist(house: House, request_: PublicKeys) -> None:
    assert await house.holder.answer(request_) == Refusal()


async def test_a_closed_mailbox_takes_no_more_messages(house: House) -> None:
    admin = await house.administrator()
    mailbox = uuid4()
    await house.done(admin, acts.OpenTenure(mailbox, uuid4(), admin.id))
    await house.done(admin, acts.CloseTenure(mailbox))

    assert await house.holder.answer(PublicKeys("deposit", mailbox)) == Refusal()


async def test_the_proof_and_records_keys_are_renewed_before_they_end(house: House) -> None:
    first = (await house.ask(PublicKeys("records"), KeyList)).keys[0]
    house.time.pass_(330 * 86_400)
    same = (await house.ask(PublicKeys("records"), KeyList)).keys[0]
    house.time.pass_(10 * 86_400)
    renewed = (await house.ask(PublicKeys("records"), KeyList)).keys[0]
    challenge = await house.ask(protocol.AskChallenge(), protocol.Challenge)

    assert first == same
    assert (renewed.generation, renewed.purpose) == (2, "records")
    assert challenge.key.until > house.core.clock() + 30 * DAY
    assert isinstance(await house.administrator(), object)


async def test_without_any_key_the_first_is_generation_one(house: House) -> None:
    from storage.keyholder.records import KeyRow
    from storage.keyholder.store import Change

    store = house.core.store
    keys = [(KeyRow, row.id) for row in store.all(KeyRow)]
    store.commit(Change(delete=keys), store.state.position, 0)
    keyring = Keyring(house.core)

    assert keyring.newest("records") is None
    assert (await keyring.current("records")).generation == 1
    with pytest.raises(No):
        keyring.private(uuid4())


async def test_a_key_that_was_destroyed_is_forgotten(house: House) -> None:
    keyring = Keyring(house.core)
    key = await keyring.current("records")

    keyring.forget(key.id)

    assert keyring.newest("records") is None
