"""pbx/cli/key_store.py"""

import asyncio
import contextlib
import io
import os
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pbx.cli import main as cli
from pbx.cli.key_store import Sources, restored
from pbx.cli.output import Exit
from pbx.paths import Layout
from storage.keyholder import acts, backup, founding, recovery
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.edges import Place
from storage.keyholder.keystores.file import PassphraseKeyStore
from storage.keyholder.process import KeyHolderProcess, Places, wall_clock
from storage.keyholder.protocol import Edge
from storage.keyholder.signing import Pin
from storage.sealed.primitives import Bytes, Pair, seal
from tests.support.keyholder import CHEAP, House, text


@pytest.fixture
def layout(open_path: Path) -> Layout:
    made = Layout(open_path)
    for directory in (made.config, made.keys, made.database, made.keyholder_operator_socket.parent):
        directory.mkdir(parents=True)
    made.config_file.write_text("")
    return made


async def run(*words: str, typed: str, monkeypatch: Any) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    return await asyncio.to_thread(cli.run, list(words))


async def test_a_locked_key_holder_is_opened_with_its_passphrase_alone(
    layout: Layout, monkeypatch: Any, capsys: Any
) -> None:
    config = KeyHolderConfig(root="passphrase")
    founding.create(layout.keys, PassphraseKeyStore(text("at the door"), CHEAP), config, wall_clock)
    place = Place(layout.keyholder_operator_socket, frozenset({os.geteuid()}))
    process = KeyHolderProcess(
        Places(keys=layout.keys, data=layout.database, edges={Edge.OPERATOR: place}),
        config,
        {},
        cost=CHEAP,
        close=lambda: True,
    )
    words = ("keys", "unlock", "--data", str(layout.root))
    assert await run(*words, typed="x\n", monkeypatch=monkeypatch) == Exit.UNAVAILABLE
    await process.start()

    assert await run(*words, typed="wrong\n", monkeypatch=monkeypatch) == Exit.REFUSED
    assert await run(*words, typed="at the door\n", monkeypatch=monkeypatch) == Exit.DONE
    assert await run(*words, typed="at the door\n", monkeypatch=monkeypatch) == Exit.REFUSED
    assert "key holder is ready" in capsys.readouterr().err
    await process.stop()


async def test_a_store_is_restored_where_there_is_none(
    layout: Layout, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    passphrase = "first long passphrase"
    house = House(tmp_path / "old")
    admin = await house.administrator()
    await house.done(admin, acts.SetRecovery(), recovery_passphrase=passphrase)
    (tmp_path / "usb").mkdir()
    await house.done(admin, acts.Backup(str(tmp_path / "usb"), force=True))
    house.close()
    backup = str(next((tmp_path / "usb").iterdir()))
    words = ("keys", "restore", backup, "--data", str(layout.root))

    wrong = await run(*words, typed="another passphrase\n", monkeypatch=monkeypatch)
    missing = await run(
        "keys", "restore", "/none", "--data", str(layout.root), typed="", monkeypatch=monkeypatch
    )
    done = await run(*words, typed=passphrase + "\n", monkeypatch=monkeypatch)
    again = await run(*words, typed=passphrase + "\n", monkeypatch=monkeypatch)

    assert (wrong, missing, done, again) == (
        Exit.REFUSED,
        Exit.REFUSED,
        Exit.DONE,
        Exit.REFUSED,
    )
    assert "messages destroyed after this backup was made open again" in capsys.readouterr().err
    assert Pin.read(layout.keyholder_pin) == house.pin
    assert founding.exists(layout.keys)
    assert msgspec.json.decode(layout.keyholder_pin.read_bytes())


SERVICE = 54_321
"""An account without a name; as a service's, it owns the key store's directory."""


class Planting:
    """A root key, and the account that owns the directory at work: between two steps of whoever
    makes the store there, it puts a link to somebody else's directory in the place of one."""

    name = "planting"

    def __init__(self, keys: Path, victim: Path) -> None:
        self._keys, self._victim, self._key = keys, victim, os.urandom(32)

    def wrap(self, key: Bytes) -> bytes:
        os.rename(self._keys / "unfinished", self._keys / "moved")
        (self._keys / "unfinished").symlink_to(self._victim)
        return seal(self._key, key, b"planting")

    def unwrap(self, wrapped: bytes) -> bytearray:
        raise NotImplementedError


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")
async def test_a_link_planted_in_the_key_store_leads_root_nowhere(
    open_path: Path, tmp_path: Path
) -> None:
    house = House(tmp_path / "old")
    admin = await house.administrator()
    await house.done(admin, acts.SetRecovery(), recovery_passphrase="first long passphrase")
    (tmp_path / "usb").mkdir()
    await house.done(admin, acts.Backup(str(tmp_path / "usb"), force=True))
    house.close()
    file = next((tmp_path / "usb").iterdir())
    pair = _recovered(file)
    victims = [open_path / "root's", open_path / "root's too"]
    places = [open_path / "naive", open_path / "careful"]
    for victim in victims:
        victim.mkdir(mode=0o700)
    for place in places:
        place.mkdir(mode=0o700)
        os.chown(place, SERVICE, SERVICE)
    naive, careful = places

    with contextlib.suppress(OSError):
        backup.restore(file, pair, naive, Planting(naive, victims[0]), wall_clock)
    with pytest.raises((OSError, sqlite3.Error)):
        restored(careful, Sources(file), pair, Planting(careful, victims[1]))

    assert "store" in os.listdir(victims[0]), "as root it writes where the link leads"
    assert os.listdir(victims[1]) == []
    assert {path.lstat().st_uid for path in careful.iterdir()} == {SERVICE}
    assert os.geteuid() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody to give it to")
async def test_what_root_restores_belongs_to_the_key_holder(
    layout: Layout, tmp_path: Path, monkeypatch: Any
) -> None:
    house = House(tmp_path / "old")
    admin = await house.administrator()
    await house.done(admin, acts.SetRecovery(), recovery_passphrase="first long passphrase")
    (tmp_path / "usb").mkdir(mode=0o700)
    await house.done(admin, acts.Backup(str(tmp_path / "usb"), force=True))
    house.close()
    os.chown(layout.keys, SERVICE, SERVICE)
    words = ["keys", "restore", str(next((tmp_path / "usb").iterdir())), "--data", str(layout.root)]
    words += ["--journal", str(tmp_path / "old" / "journal")]

    done = await run(*words, typed="first long passphrase\n", monkeypatch=monkeypatch)

    assert done == Exit.DONE
    owners = {path.name: path.stat().st_uid for path in layout.keys.iterdir()}
    assert owners == {"store": SERVICE, "journal": SERVICE, "root.key": SERVICE}
    assert layout.keyholder_pin.stat().st_uid == 0


def _recovered(file: Path) -> Pair:
    held = backup.read_header(file).recovery
    return recovery.pair_from_passphrases(held, [text("first long passphrase")])
