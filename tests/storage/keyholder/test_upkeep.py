"""storage/keyholder/upkeep.py"""

import os
from pathlib import Path

import pytest

from storage.keyholder import acts
from storage.keyholder.core import No
from storage.keyholder.effects import Scene
from storage.keyholder.keyring import Keyring
from storage.keyholder.protocol import AskChallenge, Challenge, Invalid, KeyList, PublicKeys
from storage.keyholder.store import read_wrapped
from storage.keyholder.upkeep import Upkeep
from tests.support.keyholder import House

PASSPHRASE = "first long passphrase"


async def test_rotation_re_wraps_and_the_old_store_key_opens_nothing(house: House) -> None:
    admin = await house.administrator()
    before = read_wrapped(house.directory / "store")
    old = (await house.ask(AskChallenge(), Challenge)).key
    records = (await house.ask(PublicKeys("records"), KeyList)).keys[0]

    await house.done(admin, acts.Rotate())

    assert read_wrapped(house.directory / "store") != before
    new = (await house.ask(AskChallenge(), Challenge)).key
    assert (new.generation, old.generation) == (2, 1)
    assert (await house.ask(PublicKeys("records"), KeyList)).keys[0].generation == 2
    house.reopen()
    assert isinstance(await house.log_in(admin), object)
    await house.done(admin, acts.StepUp("still here", b""))
    assert Keyring(house.core).private(records.id).signed == records


async def test_a_backup_needs_recovery_and_another_disk(house: House, tmp_path: Path) -> None:
    admin = await house.administrator()
    act = acts.Backup(str(tmp_path))
    first, _ = await house.step_up(admin, act)
    assert first == Invalid("backup: set recovery first, or nobody could open it")
    await house.done(admin, acts.SetRecovery(), recovery_passphrase=PASSPHRASE)
    same_disk, _ = await house.step_up(admin, act)
    assert isinstance(same_disk, Invalid)
    assert "same disk" in same_disk.rule
    (tmp_path / "usb").mkdir()

    await house.done(admin, acts.Backup(str(tmp_path / "usb"), force=True))

    assert house.core.settings().last_backup is not None
    assert len(list((tmp_path / "usb").iterdir())) == 1


async def test_a_disk_that_fills_is_told(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await house.administrator()
    await house.done(admin, acts.SetRecovery(), recovery_passphrase=PASSPHRASE)

    def refuse(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", refuse)
    answer, _ = await house.step_up(admin, acts.Backup(str(tmp_path), force=True))

    assert answer == Invalid("backup: cannot be written there")
    assert house.core.settings().last_backup is None


async def test_another_act_is_not_taken_for_a_backup(house: House) -> None:
    assert house.keystore is not None
    upkeep = Upkeep(house.core, Keyring(house.core), house.keystore, house.directory)
    scene = Scene(house.core.draft(), 0, acts.UUID(int=0), None, bytearray())
    for step in (upkeep.check_backup, upkeep.back_up):
        with pytest.raises(No):
            await step(None, acts.Rotate(), scene)  # type: ignore[arg-type]
