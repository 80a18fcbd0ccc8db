"""What lean phones do at a shared phone: sign in by number and PIN, and sign out."""

import asyncio
from uuid import UUID

import msgspec
from sqlalchemy import select

from storage.models.ledger import ledger
from tests.support.message_exchange import PIN, Caller, MessageExchange


async def over(caller: Caller) -> None:
    """Until the exchange has hung up."""
    async with asyncio.timeout(60):
        await caller.call.ended.wait()


async def type_pin(caller: Caller, pin: str = PIN) -> None:
    """When it is asked for."""
    await caller.prompted("vm-pin")
    await caller.press_slowly(pin + "#")


async def sign_in_at(
    exchange: MessageExchange, phone: str, number: str, pin: str = PIN, times: int = 1
) -> None:
    """`*71` and the number, and the PIN when it is asked for, so many times."""
    async with exchange.calling(phone, f"*71{number}") as caller:
        caller.speak()
        for _ in range(times):
            await type_pin(caller, pin)
        await over(caller)


async def sign_out_at(exchange: MessageExchange, phone: str) -> None:
    async with exchange.calling(phone, "*74") as caller:
        caller.speak()
        await over(caller)


async def ended_because(exchange: MessageExchange, device: UUID) -> list[str]:
    """Why sign-ins on a phone came to their end, by the ledger."""
    async with exchange.database.read() as connection:
        rows = (await connection.execute(select(ledger).order_by(ledger.c.sequence))).all()
    return [
        msgspec.json.decode(row.after)["reason"]
        for row in rows
        if row.action == "phone.signed_out" and row.subject_id == device
    ]
