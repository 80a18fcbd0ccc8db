"""What each thief reads (SECURITY.md, custody): each "nothing" is opened by the missing piece.

One clinic with a call record of an earlier hour, a directory and a key store; a thief gets copies
of its directories and whatever else its row of the table names. The last tests are a thief who
runs code as the exchange's account.
"""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from pbx.access.roles import Role
from pbx.paths import Layout
from storage import calls, directory
from storage.calls import CallOutcome, CallRecord, Parties
from storage.database import Database
from storage.devices import Place
from storage.identifiers import new_id
from storage.keyholder import founding, slots
from storage.keyholder.keystores import KeyStoreError
from storage.keyholder.keystores.file import FileKeyStore
from storage.keyholder.protocol import Evidence
from storage.keyholder.records import KeyRow, Person
from storage.keyholder.store import Store, read_wrapped
from storage.models.people import person
from storage.records import PURPOSE, HourlyKeys
from storage.sealed.fields import Cell, FieldKey
from storage.sealed.primitives import OpenError
from tests.support.clinic import Clinic
from tests.support.databases import sqlite_urls

pytestmark = pytest.mark.phoneless

PARTIES = Parties(
    caller_number="+14155550142", caller_name="Wilhelmina Patient", dialled="1001", callee_name="Dr"
)
NAME = "Name of doctor"


@dataclass
class Loot:
    """What was stolen: directories of a stopped clinic."""

    clinic: Clinic
    layout: Layout
    call: UUID
    doctor: UUID
    root: Path
    """The key file; on another volume in earnest."""

    def files(self, *directories: Path) -> bytes:
        """Every byte of these, one after the other."""
        found = (path for one in directories for path in sorted(one.rglob("*")) if path.is_file())
        return b"\0".join(path.read_bytes() for path in found)

    async def call_parties(self, key: FieldKey) -> Parties:
        database = Database.connect(sqlite_urls(self.layout.database_file).service)
        try:
            async with database.read() as connection:
                return (await calls.read(connection, self.call)).opened(key).parties
        finally:
            await database.close()

    async def doctors_name(self, key: FieldKey) -> str:
        database = Database.connect(sqlite_urls(self.layout.database_file).service)
        try:
            async with database.read() as connection:
                query = select(person.c.name_sealed).where(person.c.id == self.doctor)
                sealed = await connection.scalar(query)
        finally:
            await database.close()
        return key.open(sealed, Cell("person", "name", self.doctor))

    async def hourly_key(self) -> tuple[bytes, UUID]:
        database = Database.connect(sqlite_urls(self.layout.database_file).service)
        try:
            async with database.read() as connection:
                id = (await calls.read(connection, self.call)).records_key
                assert id is not None
                return await calls.sealed_key(connection, id)
        finally:
            await database.close()

    def store(self, root: Path) -> Store:
        keystore = FileKeyStore(root)
        path = self.layout.keys / founding.STORE
        return Store(path, keystore.unwrap(read_wrapped(path)))


@pytest.fixture
async def loot(clinic: Clinic, tmp_path: Path) -> AsyncIterator[Loot]:
    await clinic.staffed()
    clinic.plane.fields = directory_key(clinic)
    doctor = await clinic.with_role("doctor", Role.PHYSICIAN)
    call = await recorded(clinic)
    layout = Layout(tmp_path / "loot")
    shutil.copytree(clinic.layout.root, layout.root, ignore=shutil.ignore_patterns("run"))
    yield Loot(clinic, layout, call, doctor.id, clinic.house.directory.parent / "root.key")


def directory_key(clinic: Clinic) -> FieldKey:
    """The clinic's own, kept where `pbx init` keeps it."""
    (clinic.layout.credentials / directory.DIRECTORY_KEY).write_bytes(bytes(range(32)))
    (clinic.layout.credentials / directory.DIRECTORY_KEY).chmod(0o400)
    return directory.load(clinic.layout.credentials)


async def recorded(clinic: Clinic) -> UUID:
    """A call of this hour; then the hour is over."""
    plane = clinic.plane
    (public,) = await plane.keyholder.public_keys(PURPOSE)
    assert clinic.house.pin is not None
    keys = HourlyKeys(clinic.house.pin.signing_key, lambda: public, plane.clock)
    record = CallRecord(
        id=new_id(plane.clock),
        started_at=clinic.now,
        answered_at=None,
        ended_at=clinic.now,
        route="internal",
        outcome=CallOutcome.NO_ANSWER,
        cause="",
        is_emergency=False,
        caller_device=await phone(clinic),
        caller_person=None,
        callee_tenure=None,
        parties=PARTIES,
        legs=(),
    )
    async with plane.database.begin() as connection:
        await calls.write(connection, [record], keys.current())
    clinic.pass_(3_601)
    assert keys.held(keys.current().id) is not None  # type: ignore[union-attr]
    return record.id


async def phone(clinic: Clinic) -> UUID:
    plane, device = clinic.plane, clinic.id()
    await plane.run(plane.devices.add, plane.deed(), device, "desk phone", Place.PRIVATE)
    return device


def spellings(secret: str) -> list[bytes]:
    import base64

    raw = secret.encode()
    return [
        raw,
        raw.hex().encode(),
        base64.b64encode(raw).rstrip(b"=")[:-1],
        base64.b32encode(raw).rstrip(b"=")[:-1],
        secret.encode("utf-16-le"),
    ]


def is_in(haystack: bytes, secret: str) -> bool:
    return any(needle in haystack for needle in spellings(secret))


async def test_database_spool_and_sealed_files_alone_show_nothing_protected(loot: Loot) -> None:
    stolen = loot.files(loot.layout.database, loot.layout.spool)
    assert is_in(stolen + NAME.encode("utf-16-le"), NAME), "the search finds what is there"

    for protected in (PARTIES.caller_number, PARTIES.caller_name, NAME):
        assert not is_in(stolen, protected)
    with pytest.raises(OpenError):
        await loot.call_parties(FieldKey(bytes(32), PURPOSE))
    with pytest.raises(OpenError):
        await loot.doctors_name(FieldKey(bytes(32), "directory"))


async def test_with_the_credential_directory_the_directory_opens_and_no_call(loot: Loot) -> None:
    key = directory.load(loot.layout.credentials)

    assert await loot.doctors_name(key) == NAME
    with pytest.raises(OpenError):
        await loot.call_parties(key)
    assert not is_in(loot.files(loot.layout.credentials), PARTIES.caller_number)


async def test_the_key_store_without_its_root_key_opens_nothing(loot: Loot, tmp_path: Path) -> None:
    another = FileKeyStore(tmp_path / "another.key")
    another.create()
    stolen = loot.files(loot.layout.keys, loot.layout.database)
    someone = loot.clinic.members["doctor"]
    secrets = [someone.password, *someone.recovery]

    with pytest.raises(KeyStoreError):
        loot.store(another.path)
    assert not any(is_in(stolen, secret) for secret in secrets)
    assert someone.totp not in stolen


async def test_with_the_root_key_everything_opens(loot: Loot) -> None:
    """The missing piece of the rows above: root on the key holder's machine."""
    store = loot.store(loot.root)
    sealed, sealed_to = await loot.hourly_key()
    key = store.get(KeyRow, sealed_to)
    someone = store.get(Person, loot.doctor)
    assert key is not None
    assert someone is not None
    assert someone.factors is not None

    hour = slots.open_records_key(key.signed, key.private, sealed)

    assert await loot.call_parties(FieldKey(hour, PURPOSE)) == PARTIES
    assert someone.factors.totp == loot.clinic.members["doctor"].totp
    store.close()


async def test_the_exchange_opens_an_earlier_hour_only_with_a_readers_session(loot: Loot) -> None:
    """A stolen running exchange: its socket to the key holder, and no session of a reader."""
    clinic, keyholder = loot.clinic, loot.clinic.plane.keyholder
    sealed, sealed_to = await loot.hourly_key()
    from storage.keyholder.client import Refused

    root = await clinic.sign_in(clinic.members["root"]) and clinic.members["root"]
    for session in (b"", b"\0" * 32, handle(root.token)):
        with pytest.raises(Refused):
            await keyholder.open_records_key(session, sealed_to, sealed, Evidence(clinic.id()))

    doctor = clinic.members["doctor"]
    await clinic.sign_in(doctor)
    hour = await keyholder.open_records_key(
        handle(doctor.token), sealed_to, sealed, Evidence(clinic.id())
    )

    assert await loot.call_parties(FieldKey(hour, PURPOSE)) == PARTIES


def handle(token: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(token + "=")
