"""What lean phones do with a mailbox, step by step."""

from storage.deeds import Deed
from storage.identifiers import new_id
from storage.ledger.entry import SYSTEM
from storage.ledger.unit import Unit
from tests.support.message_exchange import PIN, Caller, MessageExchange

HERTZ = 700.0
"""What is said. Of each tone a hearer asks for half a second less than was sent: a worker that is
held up seals a second without what came late."""


async def leave(
    exchange: MessageExchange, number: str = "*981002", seconds: float = 1.5, caller: str = "alice"
) -> None:
    """Say so much of a tone into a mailbox and hang up."""
    async with exchange.calling(caller, number) as phone:
        phone.speak()
        await to_beep(phone)
        await phone.say(HERTZ, seconds)
        await phone.hang_up()
    await exchange.kept()


async def to_beep(caller: Caller) -> None:
    """Past the greeting (a key cuts each part short) and the beep."""
    caller.press("1")
    await past_beep(caller)


async def past_beep(caller: Caller) -> None:
    """The tape runs a tenth of a second after the beep."""
    await caller.hears(1000, 0.28)
    await caller.say(0, 0.3)


async def sign_in(caller: Caller, pin: str = PIN) -> None:
    """The owner's PIN, as soon as it is asked for."""
    caller.speak()
    await caller.prompted("vm-pin")
    caller.press(pin + "#")


async def do(exchange: MessageExchange, verb: object, *arguments: object) -> None:
    """What somebody else does meanwhile, by command."""

    async def work(unit: Unit) -> None:
        deed = Deed(SYSTEM, new_id(exchange.now), exchange.now())
        await verb(unit, deed, *arguments)  # type: ignore[operator]

    await exchange.committer.run(work)
