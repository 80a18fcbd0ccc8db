"""storage/keyholder/backup.py"""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from storage.keyholder import acts, backup, founding, recovery, signing, slots
from storage.keyholder.acts import Role
from storage.keyholder.backup import BackupError
from storage.keyholder.keystores.file import FileKeyStore
from storage.keyholder.protocol import (
    AdoptMessage,
    DestroyMessage,
    Done,
    KeyList,
    PublicKeys,
    Statement,
    Wrapped,
)
from storage.keyholder.records import MessageSecret, Person, Settings, Tombstone
from storage.keyholder.signing import SignedStatement
from storage.sealed.primitives import Pair
from tests.support.keyholder import House, evidence, text

PASSPHRASE = "first long passphrase"


class Copied:
    """A house with three adopted messages, backed up; afterwards two are destroyed."""

    house: House
    path: Path
    pair: Pair
    statements: list[SignedStatement]
    messages: list[object]


@pytest.fixture
async def copied(tmp_path: Path) -> Copied:
    house = House(tmp_path / "keys")
    made = Copied()
    made.house, made.messages, made.statements = house, [], []
    admin = await house.administrator()
    await house.done(admin, acts.SetRecovery(), recovery_passphrase=PASSPHRASE)
    await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    mailbox = uuid4()
    await house.done(admin, acts.OpenTenure(mailbox, uuid4(), admin.id))
    key = (await house.ask(PublicKeys("deposit", mailbox), KeyList)).keys[0]
    for _ in range(3):
        message = uuid4()
        slot = slots.deposit_slot(key, message.bytes, b"m" * 32)
        await house.ask(
            AdoptMessage(message, mailbox, message.bytes, key.id, slot, evidence()), Wrapped
        )
        made.messages.append(message)
    house.time.pass_(86_400)
    await house.log_in(admin)
    await destroy(made, 0)
    (tmp_path / "usb").mkdir()
    await house.done(admin, acts.Backup(str(tmp_path / "usb"), force=True))
    made.path = next((tmp_path / "usb").iterdir())
    await destroy(made, 1)
    manager = next(p for p in house.core.store.all(Person) if p.login == "manager")
    await house.done(admin, acts.Suspend(manager.id))
    held = house.core.settings().recovery
    assert held is not None
    made.pair = recovery.pair_from_passphrases(held, [text(PASSPHRASE)])
    house.close()
    return made


async def destroy(made: Copied, number: int) -> None:
    request = DestroyMessage(made.messages[number], "", None, evidence())  # type: ignore[arg-type]
    made.statements.append((await made.house.ask(request, Statement)).statement)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[tuple[Path, FileKeyStore]]:
    """Another machine: nothing of the old one but what is given."""
    keystore = FileKeyStore(tmp_path / "new-root.key")
    keystore.create()
    yield tmp_path / "restored", keystore


def opened(copied: Copied, where: tuple[Path, FileKeyStore]) -> House:
    house = House(where[0], time=copied.house.time, keystore=where[1])
    copied.house = house
    return house


def secrets(house: House) -> set[object]:
    return {row.id for row in house.core.store.all(MessageSecret)}


async def test_a_restore_brings_people_and_keys_back_and_applies_tombstones(
    copied: Copied, empty: tuple[Path, FileKeyStore]
) -> None:
    journal = copied.house.directory / "journal"
    before = journal.read_bytes()

    pin = backup.restore(
        copied.path, copied.pair, *empty, copied.house.time.wall_clock, journal=journal
    )

    house = opened(copied, empty)
    assert pin == house.pin
    assert secrets(house) == {copied.messages[2]}
    assert len(list(house.core.store.all(Tombstone))) == 4  # two messages, two contents
    standing = {p.login: p.standing for p in house.core.store.all(Person)}
    assert standing == {"root": "active", "manager": "suspended"}
    assert house.core.settings().restored is not None
    assert journal.read_bytes() == before
    assert house.core.books.journal.page(1)[0] in before
    house.close()


async def test_without_the_journal_certificates_say_what_must_stay_destroyed(
    copied: Copied, empty: tuple[Path, FileKeyStore]
) -> None:
    backup.restore(
        copied.path,
        copied.pair,
        *empty,
        copied.house.time.wall_clock,
        certificates=copied.statements,
    )

    house = opened(copied, empty)
    assert secrets(house) == {copied.messages[2]}
    header = backup.read_header(copied.path)
    assert house.core.books.journal.base == header.place
    house.close()


async def test_without_either_the_backup_is_what_it_was(
    copied: Copied, empty: tuple[Path, FileKeyStore]
) -> None:
    backup.restore(copied.path, copied.pair, *empty, copied.house.time.wall_clock)

    house = opened(copied, empty)
    assert secrets(house) == set(copied.messages[1:])
    house.close()


async def test_a_backup_holds_nothing_readable_and_opens_with_its_recovery_key_alone(
    copied: Copied,
) -> None:
    from storage.sealed import primitives

    data = copied.path.read_bytes()
    assert b"manager" not in data
    assert copied.path.stat().st_mode & 0o777 == 0o600
    other = primitives.pair_from_secret(b"x" * 32, "recovery key")
    with pytest.raises(BackupError, match="another recovery key"):
        backup.open_rows(copied.path, other)
    for place in (len(data) // 2, len(data) - 1):
        damaged = bytearray(data)
        damaged[place] ^= 1
        copied.path.write_bytes(damaged)
        with pytest.raises(BackupError):
            backup.open_rows(copied.path, copied.pair)
    for content in (b"", data[:8] + b"\xc1"):
        copied.path.write_bytes(content)
        with pytest.raises(BackupError):
            backup.read_header(copied.path)
    with pytest.raises(BackupError, match="missing"):
        backup.read_header(copied.path.with_name("none"))


async def test_a_restore_never_goes_over_a_store_or_past_false_papers(
    copied: Copied, empty: tuple[Path, FileKeyStore], tmp_path: Path
) -> None:
    from storage.keyholder.store import StoreError

    clock = copied.house.time.wall_clock
    with pytest.raises(StoreError, match="exists"):
        backup.restore(copied.path, copied.pair, copied.house.directory, empty[1], clock)
    forged = msgspec.structs.replace(copied.statements[0], text='{"what": "x"}')
    with pytest.raises(BackupError, match="not signed"):
        backup.restore(copied.path, copied.pair, *empty, clock, certificates=[forged])
    (tmp_path / "broken").write_bytes(b"x" * 100)
    with pytest.raises(BackupError, match="damaged"):
        backup.restore(copied.path, copied.pair, *empty, clock, journal=tmp_path / "broken")
    assert not founding.exists(empty[0])
    assert signing.is_signed(
        backup.restore(copied.path, copied.pair, *empty, clock).signing_key,
        copied.statements[0],
    )


async def test_a_backup_is_never_made_beside_the_data(house: House, tmp_path: Path) -> None:
    for directory, rule in (
        (Path("relative"), "absolute"),
        (tmp_path / "none", "exists"),
        (tmp_path, "same disk"),
    ):
        with pytest.raises(BackupError, match=rule):
            backup.check_directory(directory, house.directory, force=False)
    backup.check_directory(tmp_path, house.directory, force=True)
    elsewhere = Path("/dev/shm")  # noqa: S108 - another device than a disk
    backup.check_directory(elsewhere, house.directory, force=False)


async def test_a_place_the_account_cannot_write_to_is_refused(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)

    with pytest.raises(BackupError, match="cannot write"):
        backup.check_directory(tmp_path, house.directory, force=True)


async def test_a_backup_that_cannot_be_written_leaves_nothing(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = house.core.settings()
    with pytest.raises(BackupError, match="set recovery"):
        backup.write(tmp_path, house.core.store, settings, 0)
    admin = await house.administrator()
    done = await house.done(admin, acts.SetRecovery(), recovery_passphrase=PASSPHRASE)
    assert isinstance(done, Done)
    (tmp_path / "usb").mkdir()

    def refuse(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(BackupError, match="cannot be written"):
        backup.write(tmp_path / "usb", house.core.store, house.core.settings(), 0)
    assert list((tmp_path / "usb").iterdir()) == []
    assert isinstance(house.core.settings(), Settings)
