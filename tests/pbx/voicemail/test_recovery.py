"""An exchange that comes back: what it had begun becomes a message, or a row that it is lost."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from media.client import MediaClient, Recording, Stored
from media.worker.message_files import Beside, MessageFiles, append
from pbx.voicemail.deposits import Deposits
from pbx.voicemail.recovery import Recovery
from storage import messages
from storage.database import Database
from storage.deposits import Begun, DepositLog, Progressed, Unwanted
from storage.identifiers import new_id, system_clock
from storage.ledger.committer import Committer
from storage.models.ledger import ledger
from storage.records import HourlyKeys
from tests.support.calling import database
from tests.support.mailroom import Mailroom, mailroom, speak
from tests.support.media_worker import WorkerProcess, vault_in
from tests.support.rtp_phone import RtpPhone

__all__ = ["database"]


@pytest.fixture
async def room(open_path: Path) -> AsyncIterator[Mailroom]:
    async with mailroom(open_path) as made:
        yield made


async def test_what_was_being_recorded_when_the_exchange_was_killed_is_kept(
    room: Mailroom, database: Database, tmp_path: Path
) -> None:
    """Recorded by one worker, while the other says of itself that it records nothing."""
    path = tmp_path / "deposits.log"
    lost, deposit = uuid4(), room.deposit()
    begun = Begun(
        message=new_id(system_clock), mailbox=room.mailbox, content=deposit.content,
        received_at=system_clock(),
    )  # fmt: skip
    nothing = Begun(message=lost, mailbox=room.mailbox, content=bytes(16), received_at=1)
    dead = DepositLog.open(path)
    await dead.append(begun, nothing)
    phone = RtpPhone()
    leg = await room.desk.alone(phone)
    talking = asyncio.create_task(speak(phone, 60))
    await room.desk.client.record(leg, Recording(seal=deposit))
    for _ in range(3):
        last = await room.desk.event(Stored)
    await room.desk.client.close()  # the exchange is gone; its worker goes on

    other = WorkerProcess(room.directory / "other", 1, messages=room.directory)
    await other.start()
    media = MediaClient({one.index: one.socket for one in (other, room.worker)})
    await media.start()
    async with Committer(database, "exchange", clock=system_clock) as committer:
        keys = HourlyKeys(b"", lambda: None, system_clock)
        deposits = Deposits(
            DepositLog.open(path), committer, keys, system_clock, lambda content: None
        )
        recovery = Recovery(deposits, media, database, system_clock)
        assert not await recovery.run(), "somebody still speaks"
        await room.worker.kill()
        await room.worker.start()
        async with asyncio.timeout(60):
            while not await recovery.run():  # noqa: ASYNC110 - the worker starts
                await asyncio.sleep(0.1)
        again = await recovery.run()
    talking.cancel()
    await media.close()
    await other.stop()
    await deposits.log.close()
    await dead.close()

    async with database.read() as connection:
        kept = await messages.get(connection, begun.message)
        rows = [row.action for row in (await connection.execute(ledger.select())).all()]
    assert again
    assert kept.segments >= last.segments
    assert not kept.is_complete
    assert sorted(rows) == ["message.interrupted", "message.lost"]
    assert DepositLog.open(path).open_ == {}


async def test_half_of_a_copy_is_nothing_what_nobody_wants_is_deleted_and_a_cut_is_seen(
    room: Mailroom, database: Database, tmp_path: Path
) -> None:
    """Sealed anew for somebody else, until its worker was killed; a recording taken back; one
    whose end somebody took away before there was anybody to look; and one that had just begun, of
    which more may have been said than was durable."""
    path, removed = tmp_path / "deposits.log", list[bytes]()
    copy, unwanted, cut, brief = (room.deposit() for _ in range(4))
    dead = DepositLog.open(path)
    for one, is_copy in ((copy, True), (unwanted, False), (cut, False), (brief, False)):
        await dead.append(
            Begun(
                message=new_id(system_clock), mailbox=room.mailbox, content=one.content,
                received_at=system_clock(), is_copy=is_copy,
            )
        )  # fmt: skip
    await dead.append(Unwanted(unwanted.content))
    phones = [RtpPhone() for _ in range(4)]
    legs = [await room.desk.alone(phone, f"leg-{n}") for n, phone in enumerate(phones)]
    talking = [asyncio.create_task(speak(phone, 60)) for phone in phones]
    for leg, one in zip(legs, (copy, unwanted, cut, brief), strict=True):
        await room.desk.client.record(leg, Recording(seal=one, beep=False))
    stored: dict[bytes, Stored] = {}
    while len(stored) < 4 or min(told.segments for told in stored.values()) < 5:
        told = await room.desk.event(Stored)
        stored[told.content] = told
    await room.desk.client.close()
    await room.worker.kill()
    last = stored[cut.content]
    await dead.append(Progressed(last.content, last.segments, last.digest))
    await dead.close()
    file = room.messages / f"{cut.content.hex()}.sealed"
    os.truncate(file, file.stat().st_size * 6 // 10)
    file = room.messages / f"{brief.content.hex()}.sealed"
    os.truncate(file, file.stat().st_size * 3 // (2 * stored[brief.content].segments))
    await room.worker.start()

    media = MediaClient({room.worker.index: room.worker.socket})
    await media.start()
    async with Committer(database, "exchange", clock=system_clock) as committer:
        keys = HourlyKeys(b"", lambda: None, system_clock)
        log = DepositLog.open(path)
        deposits = Deposits(log, committer, keys, system_clock, removed.append)
        recovery = Recovery(deposits, media, database, system_clock)
        assert await recovery.run()
        waiting = [held.begun.content for held in log.open_.values()]
        await media.remove(waiting)
        await deposits.removed(waiting)
    for one in talking:
        one.cancel()
    await media.close()
    await log.close()

    async with database.read() as connection:
        rows = [row.action for row in (await connection.execute(ledger.select())).all()]
        kept = await messages.of_mailboxes(connection, [room.mailbox])
    assert sorted(rows) == ["message.damaged", *2 * ["message.interrupted"], "message.lost"]
    assert (recovery.found, recovery.cut) == (2, 1)
    segments = {one.content: one.segments for one in kept}
    assert 2 <= segments[cut.content] < last.segments
    assert segments[brief.content] == 1, "half a second, which nobody took for a wrong number"
    assert waiting == [unwanted.content]
    assert {path.stem for path in room.messages.iterdir()} == {
        one.content.hex() for one in (cut, brief)
    }
    assert DepositLog.open(path).open_ == {}


async def test_a_slot_that_says_nothing_any_more_keeps_no_other_recording_from_its_mailbox(
    room: Mailroom, database: Database, tmp_path: Path
) -> None:
    """Three that a crash left; beside two of them a bit has flipped, of which one is not in the
    log either."""
    path, files = tmp_path / "deposits.log", MessageFiles(room.messages, 0, 0)
    vault = vault_in(room.directory)
    whole, spoilt, _ = made = tuple(room.deposit() for _ in range(3))
    dead = DepositLog.open(path)
    for to in (whole, spoilt):
        await dead.append(
            Begun(
                message=new_id(system_clock), mailbox=room.mailbox, content=to.content,
                received_at=system_clock(),
            )
        )  # fmt: skip
    await dead.close()
    for to in made:
        sealed = vault.seal(to, "pcmu", 1)
        beside = Beside.of(to, sealed.slot)
        if to is not whole:
            beside = msgspec.structs.replace(beside, key=b"\xc1" + to.key[1:])
        descriptor = files.create(to.content, beside, sealed.head)
        append(descriptor, sealed.segment(bytearray(4000), 500))
        append(descriptor, sealed.segment(bytearray(4000), 500, last=True))
        os.close(descriptor)

    async with Committer(database, "exchange", clock=system_clock) as committer:
        keys = HourlyKeys(b"", lambda: None, system_clock)
        log = DepositLog.open(path)
        deposits = Deposits(log, committer, keys, system_clock, lambda content: None)
        recovery = Recovery(deposits, room.desk.client, database, system_clock)
        assert await recovery.run()
    await log.close()

    async with database.read() as connection:
        rows = [row.action for row in (await connection.execute(ledger.select())).all()]
        kept = await messages.of_mailboxes(connection, [room.mailbox])
    assert [one.content for one in kept] == [whole.content]
    assert sorted(rows) == ["message.deposited", "message.lost"]
    left = {file.stem for file in room.messages.glob("*.sealed")}
    assert left == {one.content.hex() for one in made}, "nobody knows what they were"
