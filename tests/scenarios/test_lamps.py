"""The lamps of real phones: PJSIP with and without a subscription, baresip's mwi module."""

from pathlib import Path
from uuid import UUID

from storage import messages
from storage.deeds import Deed
from storage.identifiers import new_id
from storage.ledger.entry import SYSTEM
from storage.ledger.unit import Unit
from storage.messages import NewMessage
from storage.sealed import primitives
from tests.support.baresip import BaresipPhone
from tests.support.exchange import SECRET, TestExchange, clock
from tests.support.pjsua import PjsuaPhone
from tests.support.sip_server import DOMAIN

SAID = "Voice-Message: {}/{} ("


async def leave(exchange: TestExchange, box: UUID) -> UUID:
    new = NewMessage(
        id=new_id(clock), mailbox=box, content=primitives.random(16), deposit_key=UUID(int=1),
        slot=b"s", codec="pcmu", milliseconds=1, octets=1, segments=1,
        digest=primitives.random(32), received_at=clock(),
    )  # fmt: skip

    async def work(unit: Unit) -> None:
        await messages.deposit(unit, Deed(SYSTEM, new.id, clock()), new, None, None)

    await exchange.committer.run(work)
    exchange.lamps.changed(box)
    return new.id


async def hear(exchange: TestExchange, box: UUID, message: UUID) -> None:
    async def work(unit: Unit) -> None:
        await messages.heard(unit, Deed(SYSTEM, message, clock()), message)

    await exchange.committer.run(work)
    exchange.lamps.changed(box)


async def lit(phone: PjsuaPhone, new: int, old: int) -> None:
    await phone.wait("mwi", lambda event: SAID.format(new, old) in event["message"])


async def test_the_lamp_of_pjsip_goes_on_and_off_subscribed_or_not(
    exchange: TestExchange,
) -> None:
    for number, (name, mwi) in enumerate((("alice", True), ("bob", False)), start=1001):
        box = exchange.directory.tenancies[str(number)].mailbox
        assert box is not None
        async with PjsuaPhone(**exchange.phone_options(name, mwi=mwi)) as phone:
            await phone.wait("registration", code=200)
            if mwi:
                await lit(phone, 0, 0)
            message = await leave(exchange, box)
            await lit(phone, 1, 0)
            await hear(exchange, box, message)
            await lit(phone, 0, 1)


async def test_the_lamp_of_baresip_goes_on_and_off(exchange: TestExchange, tmp_path: Path) -> None:
    await exchange.enrol("1003", "carol", md5=True)
    box = exchange.directory.tenancies["1003"].mailbox
    assert box is not None
    async with BaresipPhone(
        tmp_path / "carol", user="carol", domain=DOMAIN, host="127.0.0.1", port=exchange.md5_port,
        username="carol", password=SECRET, mwi=True,
    ) as phone:  # fmt: skip
        await phone.wait("REGISTER_OK")
        message = await leave(exchange, box)
        await phone.wait("MWI_NOTIFY", lambda e: SAID.format(1, 0) in e.get("param", ""))
        await hear(exchange, box, message)
        await phone.wait("MWI_NOTIFY", lambda e: SAID.format(0, 1) in e.get("param", ""))
