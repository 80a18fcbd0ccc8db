"""Messages on a file system that is really full, and a ledger on another: told, alarmed, made good.

Small disks of their own are mounted where an installation has its spool and its database.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from storage.messages import Message
from tests.support.full_disk import Disk, SmallDisk, disk
from tests.support.message_exchange import Caller
from tests.support.phone_call import CallFailed
from tests.support.prompts import with_tones
from tests.support.rtp_phone import RtpPhone
from tests.support.voicemail_calls import HERTZ, sign_in, to_beep
from tests.support.ward import Ward, ward

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a disk"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
NOT_POSSIBLE = 620.0
"""What is heard instead of "no message can be taken"."""
MEBIBYTES = 48
"""The ledger's own spool takes some of them ahead."""
LIMITS = "messages_low = 8\nmessages_reserve = 2\n"


@pytest.fixture
async def clinic(open_path: Path) -> AsyncIterator[Ward]:
    async with ward(open_path, settings=LIMITS) as made:
        tones = with_tones(open_path / "tones", {"vm-not-possible": NOT_POSSIBLE})
        shutil.copytree(tones, made.product.layout.prompts, dirs_exist_ok=True)
        yield made


@contextmanager
def small(path: Path) -> Iterator[SmallDisk]:
    """With what lay there before."""
    kept = path.with_name(f"{path.name}-before")
    shutil.copytree(path, kept)
    with disk(path, MEBIBYTES) as made:
        shutil.copytree(kept, path, dirs_exist_ok=True)
        assert isinstance(made, SmallDisk)
        yield made


async def leave(clinic: Ward, then: Disk | None = None) -> Message:
    """A message of about two seconds, at whose end the disk is filled."""
    before = {one.id for one in await clinic.rows()}
    async with clinic.calling("alice", "*981002") as caller:
        caller.speak()
        await to_beep(caller)
        caller.speak(HERTZ)
        await asyncio.sleep(2.5)
        if then is not None:
            then.fill()
            await caller.hears(NOT_POSSIBLE, 0.2)
        await caller.hang_up()
    await clinic.settled()
    [message] = [one for one in await clinic.rows() if one.id not in before]
    return message


async def refused(clinic: Ward) -> None:
    """Who calls then hears why, and is not answered."""
    with closing(RtpPhone()) as sound:
        async with clinic.phone("alice") as phone:
            call = phone.invite("*981002", sound.sdp())
            asked = asyncio.create_task(call.answered())
            async with asyncio.timeout(60):
                await call.ringing.wait()
            sound.read(call.provisionals[-1].body)
            await Caller(phone, call, sound).hears(NOT_POSSIBLE, 0.2)
            with pytest.raises(CallFailed):
                await asked


async def test_full_disks(clinic: Ward) -> None:
    layout = clinic.product.layout
    with small(layout.spool) as spool, small(layout.database) as database:
        try:
            await clinic.serve()
            await a_full_spool(clinic, spool)
            await a_full_ledger(clinic, database)
            assert await clinic.verified() == []
        finally:
            for name in list(clinic.product.processes):
                await clinic.product.kill(name)


async def a_full_spool(clinic: Ward, spool: SmallDisk) -> None:
    assert not any("full" in alarm for alarm in (await clinic.status()).alarms)
    spool.leave(6)
    assert (await leave(clinic)).is_complete
    await clinic.alarmed("disk of messages is nearly full")

    cut = await leave(clinic, then=spool)
    assert not cut.is_complete
    assert cut.milliseconds >= 1_000
    await clinic.alarmed("disk of messages is full")
    await refused(clinic)
    spool.free()
    await refused(clinic)  # which makes the exchange look again
    assert (await leave(clinic)).is_complete
    with clinic.key_store() as store:
        for one in await clinic.rows():
            assert clinic.opened(one, store) == one.milliseconds


async def a_full_ledger(clinic: Ward, database: SmallDisk) -> None:
    database.fill()
    before = len(list(clinic.product.layout.message_spool.glob("*.sealed")))
    async with clinic.calling("alice", "*981002") as caller:
        caller.speak()
        await to_beep(caller)
        caller.speak(HERTZ)
        await asyncio.sleep(1.5)
        await caller.hang_up()
    await clinic.alarmed("wait, sealed, for a ledger")
    assert len(list(clinic.product.layout.message_spool.glob("*.sealed"))) == before + 1

    database.free()
    await clinic.settled()

    rows = await clinic.rows()
    assert len(rows) == before + 1
    async with clinic.calling("bob", "*97") as caller:
        await sign_in(caller)
        await caller.hears(HERTZ, 0.8)
        await caller.hang_up()
