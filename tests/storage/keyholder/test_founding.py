"""storage/keyholder/founding.py"""

import os
from pathlib import Path
from uuid import UUID

import pytest

from storage.keyholder import founding
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.journal import Entry, Event
from storage.keyholder.keystores import KeyStoreError
from storage.keyholder.keystores.file import FileKeyStore
from storage.keyholder.records import Tombstone
from storage.keyholder.segments import surviving
from storage.keyholder.store import StoreError
from tests.support.keyholder import FakeTime, House

TIME = FakeTime()


def keystore(path: Path) -> FileKeyStore:
    store = FileKeyStore(path)
    store.create()
    return store


def test_a_store_is_made_once(tmp_path: Path) -> None:
    root = keystore(tmp_path / "root")
    pin = founding.create(tmp_path / "keys", root, KeyHolderConfig(), TIME.wall_clock)

    assert len(pin.signing_key) == 32
    assert {path.name for path in (tmp_path / "keys").iterdir()} == {"store", "journal"}
    assert (tmp_path / "keys" / "store").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="exists already"):
        founding.create(tmp_path / "keys", root, KeyHolderConfig(), TIME.wall_clock)


def test_a_founding_that_was_cut_short_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, real = keystore(tmp_path / "root"), os.replace

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        founding.create(tmp_path / "keys", root, KeyHolderConfig(), TIME.wall_clock)
    assert not founding.exists(tmp_path / "keys")
    monkeypatch.setattr(os, "replace", real)

    founding.create(tmp_path / "keys", root, KeyHolderConfig(), TIME.wall_clock)

    assert founding.exists(tmp_path / "keys")


def test_another_root_key_opens_nothing(tmp_path: Path) -> None:
    house = House(tmp_path / "keys")
    house.close()

    with pytest.raises(KeyStoreError, match="does not open"):
        House(tmp_path / "keys", keystore=keystore(tmp_path / "other"))


def test_time_goes_on_from_where_the_store_has_been(tmp_path: Path) -> None:
    time = FakeTime()
    house = House(tmp_path / "keys", time=time)
    before = house.core.clock()
    house.close()
    time.wall -= 10**12

    house.open()

    assert house.core.clock() >= before
    house.close()


def test_a_store_goes_on_in_a_journal_that_survived(tmp_path: Path) -> None:
    house = House(tmp_path / "keys")
    house.close()
    before = surviving(tmp_path / "keys" / "journal")
    root = keystore(tmp_path / "other")

    founding.found(
        tmp_path / "again",
        root,
        [Tombstone(UUID(int=1), 1)],
        Entry(event=Event.RESTORED),
        TIME.wall_clock,
        journal=tmp_path / "keys" / "journal",
    )

    after = surviving(tmp_path / "again" / "journal")
    assert after[:-1] == before
    assert (after[-1].event, after[-1].sequence) == (Event.RESTORED, len(before) + 1)


async def test_its_closed_parts_come_along(tmp_path: Path) -> None:
    house = House(tmp_path / "keys")
    house.core.books.longest = 0
    for _ in range(3):
        await house.core.books.write(Entry(event=Event.STARTED))
    house.close()
    before = surviving(tmp_path / "keys" / "journal")
    (tmp_path / "kept").mkdir()
    for part in (tmp_path / "keys").glob("journal*"):
        part.rename(tmp_path / "kept" / part.name.replace("journal", "old"))

    rows, entry = [Tombstone(UUID(int=1), 1)], Entry(event=Event.RESTORED)
    old = tmp_path / "kept" / "old"
    root = keystore(tmp_path / "other")
    founding.found(tmp_path / "again", root, rows, entry, TIME.wall_clock, journal=old)

    after = surviving(tmp_path / "again" / "journal")
    assert (after[:-1], after[-1].event) == (before, Event.RESTORED)
    assert len(list((tmp_path / "again").glob("journal.*"))) == 3
