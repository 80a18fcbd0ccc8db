"""Look-ups of the exchange's directory, and its sealed copy on disk."""

from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from pbx.b2bua.identity import Caller, Place
from pbx.dialplan.groups import RingGroup
from pbx.dialplan.plan import route
from pbx.directory import (
    EMPTY,
    DeviceEntry,
    Directory,
    DirectoryFile,
    Entries,
    GroupEntry,
    TenancyEntry,
)
from storage.groups import Member, Settings
from storage.sealed.primitives import OpenError

DESK, LOBBY, LOOSE, GONE = (UUID(int=n) for n in range(1, 5))
EXTENSION, UNHELD = UUID(int=11), UUID(int=12)
ANNA = TenancyEntry(
    number="1042", extension=EXTENSION, tenure=UUID(int=21), person=UUID(int=31),
    name="Anna Berg", devices=(DESK,),
)  # fmt: skip
ENTRIES = Entries(
    made_at=5,
    devices=(
        DeviceEntry(
            id=DESK, username="pdesk", place=Place.PRIVATE, extension=EXTENSION, ha1=b"secret-ha1",
            answers_emergency=True,
        ),
        DeviceEntry(
            id=LOBBY, username="plobby", place=Place.NURSE_STATION, extension=UNHELD,
            certificate="sip:plobby@pbx.test",
        ),
        DeviceEntry(id=LOOSE, username="ploose", place=Place.EXAM_ROOM),
    ),
    tenancies=(ANNA,),
)  # fmt: skip
DIRECTORY = Directory(ENTRIES)
KEY = bytes(range(32))


def test_a_phone_is_found_by_its_name_in_any_case() -> None:
    assert DIRECTORY.by_username("PDesk") is DIRECTORY.devices[DESK]
    assert DIRECTORY.by_username("nobody") is None


def test_a_phone_without_a_certificate_is_not_found_by_an_empty_one() -> None:
    assert DIRECTORY.by_certificate("sip:plobby@pbx.test") is DIRECTORY.devices[LOBBY]
    assert DIRECTORY.by_certificate("") is None


def test_a_phone_calls_as_whoever_holds_its_extension() -> None:
    assert DIRECTORY.holder_of(DESK) == ANNA
    assert DIRECTORY.tenancies["1042"] == ANNA
    assert DIRECTORY.caller(DESK, wants_privacy=True) == Caller(
        "1042", "Anna Berg", wants_privacy=True
    )


@pytest.mark.parametrize("phone", [LOBBY, LOOSE, GONE])
def test_a_phone_of_nobodys_calls_without_number_and_name(phone: UUID) -> None:
    assert DIRECTORY.holder_of(phone) is None
    assert DIRECTORY.caller(phone) == Caller("")


def test_an_unknown_phone_counts_as_standing_in_public() -> None:
    assert DIRECTORY.place_of(DESK) is Place.PRIVATE
    assert DIRECTORY.place_of(GONE) is Place.LOBBY


def test_the_phones_that_answer_emergencies_are_known() -> None:
    assert DIRECTORY.emergency_devices == (DESK,)
    assert EMPTY.emergency_devices == ()


def test_the_copy_comes_back_and_shows_neither_name_nor_secret(tmp_path: Path) -> None:
    path = tmp_path / "directory.sealed"
    DirectoryFile(path, KEY).write(ENTRIES)

    assert DirectoryFile(path, KEY).read() == ENTRIES
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"Anna" not in path.read_bytes()
    assert b"secret-ha1" not in path.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_the_copy_carries_groups_and_an_older_one_without_them_opens(tmp_path: Path) -> None:
    path = tmp_path / "directory.sealed"
    member = Member(extension=EXTENSION, delay=3)
    desk = GroupEntry(
        id=UNHELD, number="2000", settings=Settings(name="Front desk", members=(member,))
    )
    DirectoryFile(path, KEY).write(msgspec.structs.replace(ENTRIES, groups=(desk,)))

    kept = DirectoryFile(path, KEY).read()

    assert kept is not None
    directory = Directory(kept)
    assert directory.groups == {"2000": desk}
    assert directory.group_at(UNHELD) == desk
    assert directory.taking_messages("2000") == desk
    assert directory.taking_messages("1042") == ANNA
    assert b"Front desk" not in path.read_bytes()
    found = route(LOOSE, "2000", directory)
    assert isinstance(found, RingGroup)
    assert [turn.devices for turn in found.turns] == [(DESK,)]
    older = {
        name: value for name, value in msgspec.to_builtins(ENTRIES).items() if name != "groups"
    }
    assert msgspec.convert(older, Entries).groups == ()


def test_no_copy_is_no_directory(tmp_path: Path) -> None:
    assert DirectoryFile(tmp_path / "directory.sealed", KEY).read() is None


def test_an_altered_copy_and_another_key_open_nothing(tmp_path: Path) -> None:
    path = tmp_path / "directory.sealed"
    DirectoryFile(path, KEY).write(ENTRIES)

    with pytest.raises(OpenError):
        DirectoryFile(path, bytes(32)).read()
    altered = bytearray(path.read_bytes())
    altered[-1] ^= 1
    path.write_bytes(altered)
    with pytest.raises(OpenError):
        DirectoryFile(path, KEY).read()


def test_a_copy_that_cannot_be_written_leaves_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "directory.sealed"
    file = DirectoryFile(path, KEY)
    file.write(ENTRIES)
    path.with_suffix(".new").mkdir()

    with pytest.raises(OSError, match="directory"):
        file.write(Entries(made_at=6))

    assert file.read() == ENTRIES
