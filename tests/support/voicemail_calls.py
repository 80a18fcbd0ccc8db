"""What lean phones do with a mailbox, step by step."""

import asyncio

from tests.support.message_exchange import PIN, Caller, MessageExchange

HERTZ = 700.0


async def leave(exchange: MessageExchange, number: str = "*981002", seconds: float = 1.5) -> None:
    """Say a tone into a mailbox and hang up."""
    async with exchange.calling("alice", number) as caller:
        caller.speak()
        await to_beep(caller)
        caller.speak(HERTZ)
        await asyncio.sleep(seconds)
        await caller.hang_up()
    await exchange.kept()


async def to_beep(caller: Caller) -> None:
    """Past the greeting (a key cuts each part short) and the beep."""
    await caller.press_slowly("1")
    await caller.hears(1000, 0.1)
    await asyncio.sleep(0.3)


async def sign_in(caller: Caller, pin: str = PIN) -> None:
    """The owner's PIN, as it is typed."""
    caller.speak()
    await asyncio.sleep(0.4)
    await caller.press_slowly(pin + "#")
