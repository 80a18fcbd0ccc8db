"""An exchange that comes back: what it had begun becomes a message, or a row that it is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from media.client import MediaClient, Recording, Stored
from pbx.voicemail.deposits import Deposits
from pbx.voicemail.recovery import Recovery
from storage import messages
from storage.database import Database
from storage.deposits import Begun, DepositLog, Unwanted
from storage.identifiers import new_id, system_clock
from storage.ledger.committer import Committer
from storage.models.ledger import ledger
from storage.records import HourlyKeys
from tests.support.calling import database
from tests.support.mailroom import Mailroom, mailroom, speak
from tests.support.rtp_phone import RtpPhone

__all__ = ["database"]


@pytest.fixture
async def room(open_path: Path) -> AsyncIterator[Mailroom]:
    async with mailroom(open_path) as made:
        yield made


async def test_what_was_being_recorded_when_the_exchange_was_killed_is_kept(
    room: Mailroom, database: Database, tmp_path: Path
) -> None:
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

    media = MediaClient({room.worker.index: room.worker.socket})
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


async def test_half_of_a_copy_is_nothing_and_what_nobody_wants_is_deleted(
    room: Mailroom, database: Database, tmp_path: Path
) -> None:
    """Sealed anew for somebody else, until its worker was killed; and a recording taken back."""
    path, removed = tmp_path / "deposits.log", list[bytes]()
    copy, unwanted = room.deposit(), room.deposit()
    dead = DepositLog.open(path)
    for one, is_copy in ((copy, True), (unwanted, False)):
        await dead.append(
            Begun(
                message=new_id(system_clock), mailbox=room.mailbox, content=one.content,
                received_at=system_clock(), is_copy=is_copy,
            )
        )  # fmt: skip
    await dead.append(Unwanted(unwanted.content))
    await dead.close()
    phones = [RtpPhone(), RtpPhone()]
    legs = [await room.desk.alone(phone, f"leg-{n}") for n, phone in enumerate(phones)]
    talking = [asyncio.create_task(speak(phone, 60)) for phone in phones]
    for leg, one in zip(legs, (copy, unwanted), strict=True):
        await room.desk.client.record(leg, Recording(seal=one, beep=False))
    for _ in range(8):
        await room.desk.event(Stored)
    await room.desk.client.close()
    await room.worker.kill()
    await room.worker.start()

    media = MediaClient({room.worker.index: room.worker.socket})
    await media.start()
    async with Committer(database, "exchange", clock=system_clock) as committer:
        keys = HourlyKeys(b"", lambda: None, system_clock)
        log = DepositLog.open(path)
        deposits = Deposits(log, committer, keys, system_clock, removed.append)
        assert await Recovery(deposits, media, database, system_clock).run()
        waiting = [held.begun.content for held in log.open_.values()]
        await media.remove(waiting)
        await deposits.removed(waiting)
    for one in talking:
        one.cancel()
    await media.close()
    await log.close()

    async with database.read() as connection:
        rows = [row.action for row in (await connection.execute(ledger.select())).all()]
    assert rows == ["message.lost"]
    assert waiting == [unwanted.content]
    assert list(room.messages.iterdir()) == []
    assert DepositLog.open(path).open_ == {}
