"""Rotation and backup as acts: after the asker has proved presence, within the same turn."""

from pathlib import Path

import msgspec

from storage.keyholder import acts, backup
from storage.keyholder.asking import Ask
from storage.keyholder.core import Core, No
from storage.keyholder.effects import Scene
from storage.keyholder.factors import WeakSecret
from storage.keyholder.journal import Event
from storage.keyholder.keyring import PROOF, RECORDS, Keyring
from storage.keyholder.keystores import KeyStore
from storage.sealed import primitives


class Upkeep:
    def __init__(self, core: Core, keyring: Keyring, keystore: KeyStore, directory: Path) -> None:
        self._core = core
        self._keyring = keyring
        self._keystore = keystore
        self._directory = directory

    async def rotate(self, ask: Ask, act: acts.AnyAct, scene: Scene) -> None:
        """A new store key re-wraps every row; new proof and records keys take over."""
        key = bytearray(primitives.random(primitives.KEY))
        wrapped = self._keystore.wrap(key)
        entry = ask.entry(Event.CHANGED, person=scene.requester, reason="store key")
        await self._core.books.rekey(key, wrapped, entry)
        primitives.wipe(key)
        draft = self._core.draft()
        for purpose in (PROOF, RECORDS):
            self._keyring.renewed(draft, purpose, scene.now)
        entry = ask.entry(Event.KEY_MADE, person=scene.requester)
        await self._core.books.write(entry, draft.change())
        self._keyring.reload()

    async def check_backup(self, ask: Ask, act: acts.AnyAct, scene: Scene) -> None:
        """Before anything is written: the place and the recovery key."""
        if not isinstance(act, acts.Backup):
            raise No("not this act")
        if scene.settings().recovery is None:
            raise WeakSecret("backup: set recovery first, or nobody could open it")
        try:
            backup.check_directory(Path(act.directory), self._directory, force=act.force)
        except backup.BackupError as error:
            raise WeakSecret(str(error)) from None

    async def back_up(self, ask: Ask, act: acts.AnyAct, scene: Scene) -> None:
        if not isinstance(act, acts.Backup):
            raise No("not this act")
        settings = self._core.settings()
        try:
            backup.write(Path(act.directory), self._core.store, settings, scene.now)
        except backup.BackupError as error:
            raise WeakSecret(str(error)) from None
        draft = self._core.draft()
        draft.put(msgspec.structs.replace(settings, last_backup=scene.now))
        entry = ask.entry(Event.BACKED_UP, person=scene.requester)
        await self._core.books.write(entry, draft.change())
