"""The directory with its database there, gone, and back; and the copy that outlives both."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from pbx import directory_keeper
from pbx.b2bua.identity import Place
from pbx.directory import EMPTY, DeviceEntry, Directory, DirectoryFile, Entries, TenancyEntry
from pbx.directory_keeper import DirectoryKeeper, lost_access
from storage.database import Database
from storage.extensions import version_of
from storage.identifiers import new_id
from storage.phones import Phones
from storage.tenures import NewTenure
from tests.support.databases import Urls
from tests.support.stores import Stores

KEY = bytes(range(32))


@dataclass
class Desk:
    """A keeper over a database that goes away and comes back."""

    stores: Stores
    database: Database
    nowhere: Database
    path: Path
    changes: list[tuple[Directory, Directory]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.phones = Phones(self.stores.fields)
        self.file = DirectoryFile(self.path, KEY)
        self.here = self.database.engine
        self.start()

    def start(self) -> None:
        """A keeper that knows nothing yet, as after a restart."""
        self.keeper = DirectoryKeeper(
            self.database, self.stores.fields, self.phones, self.file, self.stores.clock
        )
        self.changes.clear()
        self.keeper.changed = lambda old, new: self.changes.append((old, new))

    def lose_database(self) -> None:
        self.database.engine = self.nowhere.engine

    def find_database(self) -> None:
        self.database.engine = self.here

    def block_copy(self) -> None:
        self.path.with_suffix(".new").mkdir()

    def unblock_copy(self) -> None:
        self.path.with_suffix(".new").rmdir()

    async def phone(self, username: str) -> UUID:
        made = new_id(self.stores.clock)
        await self.stores.do(self.stores.devices.add, made, f"label {username}")
        await self.stores.do(self.phones.enrol, made, username)
        return made

    def names(self) -> set[str]:
        return {entry.username for entry in self.keeper.current().entries.devices}


@pytest.fixture
async def desk(stores: Stores, database_urls: Urls, tmp_path: Path) -> AsyncIterator[Desk]:
    url = database_urls.service
    gone = str(tmp_path / "gone" / "pbx.db")
    lost = url.set(database=gone) if database_urls.is_sqlite else url.set(port=1)
    desk = Desk(stores, Database.connect(url), Database.connect(lost), tmp_path / "copy.sealed")
    yield desk
    desk.find_database()
    await desk.database.close()
    await desk.nowhere.close()


async def test_phones_and_who_holds_their_extensions_are_taken_over(desk: Desk) -> None:
    stores = desk.stores
    phone, extension = await desk.phone("pdesk"), new_id(stores.clock)
    await stores.do(stores.extensions.add, extension, "1042")
    anna = await stores.hire("anna")
    held = NewTenure(
        id=new_id(stores.clock), extension=extension, person=anna, mailbox=new_id(stores.clock)
    )
    await stores.do(stores.extensions.assign, held, await stores.ask(version_of, extension))
    await stores.do(stores.devices.assign, phone, 1, extension)

    await desk.keeper.refresh()

    entries = desk.keeper.current().entries
    assert entries.made_at == stores.clock()
    assert entries.devices == (
        DeviceEntry(id=phone, username="pdesk", place=Place.LOBBY, extension=extension),
    )
    assert entries.tenancies == (
        TenancyEntry(
            number="1042", extension=extension, tenure=held.id, person=anna,
            name="Name of anna", devices=(phone,), mailbox=held.mailbox,
        ),
    )  # fmt: skip
    assert desk.file.read() == entries
    assert not desk.keeper.is_from_copy
    assert not desk.keeper.is_copy_stale


async def test_what_did_not_change_is_neither_told_nor_written(desk: Desk) -> None:
    await desk.phone("pdesk")
    await desk.keeper.refresh()
    desk.path.unlink()
    desk.stores.clock.now += 1

    await desk.keeper.refresh()

    assert len(desk.changes) == 1
    assert desk.file.read() is None


async def test_a_database_that_went_away_changes_nothing(desk: Desk) -> None:
    await desk.phone("pdesk")
    await desk.keeper.refresh()
    desk.path.write_bytes(b"nobody reads this")

    desk.lose_database()
    await desk.keeper.refresh()

    assert desk.keeper.is_from_copy
    assert desk.names() == {"pdesk"}
    assert len(desk.changes) == 1


async def test_a_cold_start_without_the_database_serves_from_the_copy_until_it_is_back(
    desk: Desk,
) -> None:
    await desk.phone("pdesk")
    await desk.keeper.refresh()
    desk.lose_database()
    desk.start()

    await desk.keeper.refresh()
    assert desk.keeper.is_from_copy
    assert desk.names() == {"pdesk"}

    await desk.phone("pnew")
    desk.find_database()
    await desk.keeper.refresh()
    assert not desk.keeper.is_from_copy
    assert desk.names() == {"pdesk", "pnew"}


async def test_a_cold_start_without_database_and_copy_knows_nobody_and_looks_again(
    desk: Desk,
) -> None:
    desk.lose_database()
    await desk.keeper.refresh()
    assert desk.keeper.current() is EMPTY

    desk.file.write(Entries(made_at=1, devices=(entry(1, "pcopy"),)))
    await desk.keeper.refresh()

    assert desk.names() == {"pcopy"}


async def test_a_copy_that_was_altered_serves_nobody(desk: Desk) -> None:
    desk.path.write_bytes(b"x" * 100)
    desk.lose_database()

    await desk.keeper.refresh()

    assert desk.keeper.current() is EMPTY


async def test_a_copy_that_cannot_be_read_serves_nobody(desk: Desk) -> None:
    desk.path.mkdir()
    desk.lose_database()

    await desk.keeper.refresh()

    assert desk.keeper.current() is EMPTY


async def test_a_copy_of_another_shape_serves_nobody(desk: Desk) -> None:
    desk.file.write({"phones": "of another release"})  # type: ignore[arg-type]
    desk.lose_database()

    await desk.keeper.refresh()

    assert desk.keeper.current() is EMPTY


async def test_a_copy_that_could_not_be_written_is_stale_until_it_was(desk: Desk) -> None:
    await desk.phone("pdesk")
    desk.block_copy()
    await desk.keeper.refresh()
    assert desk.keeper.is_copy_stale
    assert desk.names() == {"pdesk"}

    desk.unblock_copy()
    await desk.keeper.refresh()

    assert not desk.keeper.is_copy_stale
    assert desk.file.read() == desk.keeper.current().entries


async def test_a_phone_removed_last_does_not_come_back_out_of_an_old_copy(desk: Desk) -> None:
    phone = await desk.phone("pdesk")
    await desk.keeper.refresh()
    await desk.stores.do(desk.phones.remove, phone)

    desk.start()
    await desk.keeper.refresh()
    desk.lose_database()
    await desk.keeper.refresh()
    assert desk.names() == set()
    desk.start()
    await desk.keeper.refresh()

    assert desk.names() == set()


async def test_a_change_that_nobody_could_be_told_of_is_written_the_next_time(desk: Desk) -> None:
    await desk.phone("pdesk")

    def fail(old: Directory, new: Directory) -> None:
        raise RuntimeError("a flow that does not end")

    desk.keeper.changed = fail
    with pytest.raises(RuntimeError):
        await desk.keeper.refresh()
    desk.keeper.changed = lambda old, new: None
    await desk.keeper.refresh()

    assert desk.file.read() == desk.keeper.current().entries


async def test_it_looks_by_itself_and_one_failure_does_not_stop_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_keeper, "EVERY", 0.0)
    calls = 0
    again = asyncio.Event()

    def changed(old: Directory, new: Directory) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("a flow that does not end")
        again.set()

    desk.keeper.changed = changed
    running = asyncio.create_task(desk.keeper.run())
    await again.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_guests_are_there_until_dismissed_and_on_no_disk(desk: Desk) -> None:
    await desk.phone("pdesk")
    await desk.keeper.refresh()
    visit = UUID(int=99)

    desk.keeper.host(visit, Entries(made_at=0, devices=(entry(1, "pguest"),)))
    await desk.phone("pnew")
    await desk.keeper.refresh()
    assert desk.names() == {"pdesk", "pnew", "pguest"}
    kept = desk.file.read()
    assert kept is not None
    assert {each.username for each in kept.devices} == {"pdesk", "pnew"}

    desk.keeper.dismiss(visit)
    assert desk.names() == {"pdesk", "pnew"}
    assert lost_access(*desk.changes[-1]) == {UUID(int=1)}
    told = len(desk.changes)
    desk.keeper.dismiss(visit)
    assert len(desk.changes) == told


def entry(number: int, username: str) -> DeviceEntry:
    return DeviceEntry(
        id=UUID(int=number), username=username, place=Place.PRIVATE, ha1=b"ha1",
        certificate="sip:x@pbx.test",
    )  # fmt: skip


def directory(*devices: DeviceEntry) -> Directory:
    return Directory(Entries(made_at=1, devices=devices))


@pytest.mark.parametrize(
    "change",
    [{"username": "pother"}, {"ha1": b"other"}, {"certificate": ""}],
)
def test_a_phone_with_another_name_secret_or_certificate_loses_its_flows(
    change: dict[str, object],
) -> None:
    old = directory(entry(1, "pone"), entry(2, "ptwo"))
    new = directory(replace(entry(1, "pone"), **change), entry(2, "ptwo"))

    assert lost_access(old, new) == {UUID(int=1)}


def test_a_removed_phone_loses_its_flows_and_a_moved_or_new_one_none() -> None:
    old = directory(entry(1, "pone"), entry(2, "ptwo"))
    moved = replace(entry(2, "ptwo"), place=Place.LOBBY, extension=UUID(int=5))

    assert lost_access(old, directory(moved, entry(3, "pthree"))) == {UUID(int=1)}
