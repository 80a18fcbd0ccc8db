"""Phones as SIP knows them: one secret each, sealed; where they were last seen."""

from uuid import UUID

import pytest
from sqlalchemy import select

from storage.conflicts import NotFound, WrongState
from storage.identifiers import new_id
from storage.models.phones import phone_identity, phone_presence
from storage.phones import (
    ALPHABET,
    SECRET_LENGTH,
    USERNAME_LENGTH,
    PhoneIdentity,
    Phones,
    Presence,
    new_secret,
    new_username,
)
from storage.sealed.fields import FieldKey
from storage.slices import SLICE
from tests.support.stores import Stores

PHONES = Phones(FieldKey(b"k" * 32, "device-auth"))
OTHERS = Phones(FieldKey(b"o" * 32, "device-auth"))


async def enrolled(stores: Stores, username: str = "p1") -> UUID:
    made = new_id(stores.clock)
    await stores.do(stores.devices.add, made, f"label of {username}")
    await stores.do(PHONES.enrol, made, username)
    return made


async def identity(stores: Stores, phone: UUID) -> PhoneIdentity:
    return await stores.ask(PHONES.identity, phone)


def seen(phone: UUID, at: int, source: str = "192.0.2.1") -> Presence:
    return Presence(
        device=phone, first_seen_at=at, seen_at=at, registered_until=at + 600,
        source=source, user_agent="a phone",
    )  # fmt: skip


async def see(stores: Stores, *places: Presence) -> list[UUID]:
    async with stores.database.begin() as connection:
        return [first.device for first in await PHONES.see(connection, places)]


def test_names_and_secrets_are_random_and_typed_without_mistakes() -> None:
    names, secrets = {new_username() for _ in range(50)}, {new_secret() for _ in range(50)}
    assert len(names) == len(secrets) == 50
    assert all(len(name) == USERNAME_LENGTH and name[0] == "p" for name in names)
    assert all(len(secret) == SECRET_LENGTH for secret in secrets)
    assert set("".join(names | secrets)) <= set(ALPHABET)


async def test_a_new_phone_has_nothing_to_prove_itself_with(stores: Stores) -> None:
    found = await identity(stores, await enrolled(stores))

    assert (found.username, found.algorithm, found.ha1, found.certificate) == (
        "p1", "SHA-256", b"", "",
    )  # fmt: skip
    assert not found.has_used_sha256 and not found.answers_emergency


async def test_a_phone_has_one_secret_sealed_and_recorded_without_it(stores: Stores) -> None:
    phone = await enrolled(stores)
    await stores.do(PHONES.give_secret, phone, "SHA-256", b"first secret")
    await stores.do(PHONES.give_secret, phone, "MD5", b"second secret")

    found = await identity(stores, phone)
    assert (found.algorithm, found.ha1) == ("MD5", b"second secret")
    async with stores.database.read() as connection:
        [row] = (await connection.execute(select(phone_identity))).all()
    assert b"secret" not in row.ha1_sealed and "secret" not in str(await stores.rows())
    with pytest.raises(Exception, match="seal"):
        await stores.ask(OTHERS.identity, phone)


async def test_who_has_used_sha256_does_not_go_back(stores: Stores) -> None:
    phone = await enrolled(stores)
    await stores.do(PHONES.give_secret, phone, "MD5", b"old")
    async with stores.database.begin() as connection:
        await PHONES.used_sha256(connection, {phone})
        await PHONES.used_sha256(connection, {phone})

    with pytest.raises(WrongState, match="SHA-256"):
        await stores.do(PHONES.give_secret, phone, "MD5", b"new")
    assert (await identity(stores, phone)).ha1 == b"old"
    await stores.do(PHONES.give_secret, phone, "SHA-256", b"new")
    assert (await identity(stores, phone)).ha1 == b"new"


async def test_certificate_and_duty_come_and_go_with_rows(stores: Stores) -> None:
    phone = await enrolled(stores)
    await stores.do(PHONES.certify, phone, "sip:p1@x")
    await stores.do(PHONES.set_emergency, phone, True)
    found = await identity(stores, phone)
    assert (found.certificate, found.answers_emergency) == ("sip:p1@x", True)

    await stores.do(PHONES.certify, phone, None)
    await stores.do(PHONES.set_emergency, phone, False)
    found = await identity(stores, phone)
    assert (found.certificate, found.answers_emergency) == ("", False)
    certified, set_, uncertified, freed = (await stores.rows())[-4:]
    assert (certified.after, uncertified.after) == ('{"certified":true}', '{"certified":false}')
    assert (set_.after, freed.before) == ('{"answers_emergency":true}',) * 2


async def test_a_phone_that_is_shut_opens_with_a_new_secret_alone(stores: Stores) -> None:
    phone = await enrolled(stores)
    await stores.do(PHONES.give_secret, phone, "SHA-256", b"old")
    await stores.do(PHONES.certify, phone, "sip:p1@x")
    await stores.do(PHONES.shut, phone)
    found = await identity(stores, phone)
    assert (found.ha1, found.certificate) == (b"", "")

    await stores.do(PHONES.give_secret, phone, "SHA-256", b"new")
    assert (await identity(stores, phone)).ha1 == b"new"


async def test_a_removed_phone_is_gone_and_its_label_free(stores: Stores) -> None:
    phone = await enrolled(stores)
    await see(stores, seen(phone, 1))
    await stores.do(PHONES.remove, phone)

    with pytest.raises(NotFound):
        await identity(stores, phone)
    with pytest.raises(NotFound):
        await stores.do(PHONES.remove, phone)
    assert await stores.ask(PHONES.presence, phone) is None
    assert await see(stores, seen(phone, 2)) == []  # what was on its way is not kept
    await enrolled(stores)


async def test_a_place_is_kept_once_and_the_first_time_is_told(stores: Stores) -> None:
    first, second = await enrolled(stores, "p1"), await enrolled(stores, "p2")
    assert await stores.ask(PHONES.presence, first) is None
    assert await see(stores, seen(first, 10)) == [first]
    assert await see(stores, seen(first, 20, "2001:db8::1"), seen(second, 20)) == [second]

    found = await stores.ask(PHONES.presence, first)
    assert found is not None
    assert (found.first_seen_at, found.seen_at, found.source) == (10, 20, "2001:db8::1")
    async with stores.database.read() as connection:
        rows = (await connection.execute(select(phone_presence))).all()
    assert len(rows) == 2 and b"2001" not in rows[0].source_sealed + rows[1].source_sealed


async def test_all_identities_come_however_many_there_are(stores: Stores) -> None:
    phones = {await enrolled(stores, f"p{number}") for number in range(SLICE // 2 + 1)}
    more = {await enrolled(stores, f"q{number}") for number in range(SLICE // 2 + 1)}

    found = await stores.ask(PHONES.identities)

    assert {identity.device for identity in found} == phones | more
