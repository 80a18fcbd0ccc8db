"""pbx/cli/key_store.py"""

import asyncio
import io
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pbx.cli import main as cli
from pbx.cli.output import Exit
from pbx.paths import Layout
from storage.keyholder import acts, founding
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.edges import Place
from storage.keyholder.keystores.file import PassphraseKeyStore
from storage.keyholder.process import KeyHolderProcess, Places, wall_clock
from storage.keyholder.protocol import Edge
from storage.keyholder.signing import Pin
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
    monkeypatch.setattr("pbx.processes.accounts.give", lambda *_: None)

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
