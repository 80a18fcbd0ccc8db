"""Damaged files, and yesterday's copies of data and keys, on the running product."""

import asyncio
import io
import os
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx.cli import main as cli
from pbx.cli.output import Exit
from storage.keyholder import founding
from storage.keyholder.records import MessageSecret, Tombstone
from storage.messages import Message, MessageState
from storage.sealed.file import HEADER, LABEL
from tests.support.message_exchange import Caller
from tests.support.voicemail_calls import sign_in
from tests.support.ward import ALL, RECOVERY, Ward, ward

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SEED = int(os.environ.get("PBX_SEED", random.randrange(2**32)))
SETTINGS = "[voicemail]\npurge_first_seconds = 1\n[storage]\nhead_seconds = 1\n"
COPIED = ("database", "spool")


@pytest.fixture
async def clinic(open_path: Path) -> AsyncIterator[Ward]:
    backups = open_path / "usb"
    backups.mkdir()
    async with ward(open_path, settings=SETTINGS, stock=4, backup=backups) as made:
        yield made


async def heard(caller: Caller) -> None:
    """The sound of a message that was left before."""
    caller.media.take()
    caller.media.heard.clear()
    async with asyncio.timeout(60):
        while b"\x31" * 160 not in {one.payload for one in caller.media.heard}:
            await asyncio.sleep(0.05)
            caller.media.take()


async def stopped(clinic: Ward) -> None:
    for name in reversed(ALL):
        await clinic.product.kill(name)


async def test_what_is_damaged_or_of_yesterday_is_seen_and_opens_nothing_destroyed(
    clinic: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = clinic.product.layout.root
    for part in COPIED:
        shutil.copytree(root / part, clinic.product.folder / part)
    flipped, older, destroyed, sound = sorted(await clinic.rows(), key=lambda one: one.received_at)
    await damaged_files(clinic, flipped, older, destroyed)
    await clinic.head_is_signed()
    await stopped(clinic)

    for part in COPIED:
        shutil.rmtree(root / part)
        shutil.copytree(clinic.product.folder / part, root / part)
    await yesterdays_data(clinic, destroyed)
    await stopped(clinic)

    journal = clinic.product.folder / founding.JOURNAL
    shutil.copyfile(clinic.product.layout.keys / founding.JOURNAL, journal)
    for path in clinic.product.layout.keys.iterdir():
        path.unlink()
    [backup] = (clinic.product.folder / "usb").iterdir()
    monkeypatch.setattr("sys.stdin", io.StringIO(RECOVERY + "\n"))
    words = ["keys", "restore", str(backup), "--journal", str(journal), "--data", str(root)]
    assert await asyncio.to_thread(cli.run, words) == Exit.DONE
    with clinic.key_store() as store:
        alive = {one.id for one in store.all(MessageSecret)}
        assert store.get(Tombstone, destroyed.id) is not None
    assert alive == {flipped.id, older.id, sound.id}


async def damaged_files(clinic: Ward, flipped: Message, older: Message, destroyed: Message) -> None:
    """One bit, anywhere; and a file as it was when half of it was recorded."""
    data = bytearray(clinic.file(flipped).read_bytes())
    place = random.Random(SEED).randrange(8 * len(data))
    print(f"seed {SEED}: bit {place}")
    data[place // 8] ^= 1 << place % 8
    clinic.file(flipped).write_bytes(data)
    data = bytearray(clinic.file(older).read_bytes())
    [length] = (int.from_bytes(data[HEADER.size : HEADER.size + 4], "big"),)
    clinic.file(older).write_bytes(data[: HEADER.size + LABEL.size + length])
    clinic.execute(
        "UPDATE message SET state = 'deleted', state_at = 1 WHERE id = ?", destroyed.id.bytes
    )
    await clinic.serve()
    async with clinic.calling("bob", "*97") as caller:
        await sign_in(caller)
        await clinic.entered("message.damaged", 1)
        await caller.press_slowly("#", gap=0.3)
        await clinic.entered("message.damaged", 2)
        await caller.press_slowly("#", gap=0.3)
        await heard(caller)
        await caller.hang_up()
    await clinic.alarmed("refused as damaged")
    await clinic.entered("message.destroyed", outcome="done")
    assert await clinic.verified() == []


async def yesterdays_data(clinic: Ward, destroyed: Message) -> None:
    """The destroyed message is back in the database, with file and slot, and stays shut."""
    [back] = [one for one in await clinic.rows() if one.id == destroyed.id]
    assert back.state is MessageState.NEW
    assert clinic.file(back).exists()
    await clinic.serve()
    async with clinic.calling("bob", "*97") as caller:
        await sign_in(caller)
        await heard(caller)
        await caller.press_slowly("##", gap=0.6)
        await clinic.entered("message.heard", outcome="refused")
        await caller.press_slowly("#", gap=0.3)
        await heard(caller)
        await caller.hang_up()
    assert any("the database was put back" in found for found in await clinic.verified())
    with clinic.key_store() as store:
        assert store.get(MessageSecret, destroyed.id) is None
