"""Strangers have their turn, and phones that are here have theirs before."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from pbx.sip.events import FlowClosed
from pbx.transport.flow import Ending
from pbx.transport.waiting_room import BUDGET, WaitingRoom
from tests.support.sip_server import Phone, SipServer, options

Connect = Callable[..., Awaitable[Phone]]
Serve = Callable[..., SipServer]


def take_long() -> None:
    """More than strangers get of one turn."""
    end = time.monotonic() + 1.5 * BUDGET
    while time.monotonic() < end:
        pass


async def test_what_takes_long_is_done_one_a_turn_in_order_of_coming() -> None:
    room, done, turns = WaitingRoom(), [], []

    def act(number: int) -> None:
        take_long()
        done.append(number)

    for number in range(5):
        room.enter(lambda number=number: act(number))
    assert room.has_time()
    while len(room):
        await asyncio.sleep(0)
        turns.append(len(done))

    assert done == [0, 1, 2, 3, 4]
    assert all(now - before <= 1 for before, now in zip([0, *turns], turns, strict=False))


async def test_there_is_time_again_in_the_next_turn() -> None:
    room = WaitingRoom()
    assert room.has_time()
    take_long()
    assert not room.has_time()

    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert room.has_time()


async def test_a_fault_of_one_does_not_keep_the_others_waiting() -> None:
    room, faults = WaitingRoom(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: faults.append(about))
    served = asyncio.Event()

    room.enter(lambda: 1 // 0)
    room.enter(served.set)
    assert room.has_time()

    async with asyncio.timeout(60):
        await served.wait()
    assert [type(fault["exception"]) for fault in faults] == [ZeroDivisionError]


class Crowd:
    """So many strangers, who use up whatever time there is for them, turn after turn."""

    def __init__(self, room: WaitingRoom, size: int) -> None:
        self._room = room
        self.turns = 0
        self.is_here = True
        for _ in range(size):
            room.enter(self.act)
        room.has_time()  # begins the first turn

    def act(self) -> None:
        take_long()
        self.turns += 1
        if self.is_here:
            self._room.enter(self.act)


async def test_a_phone_that_is_here_does_not_wait_for_a_crowd_of_strangers(
    serve: Serve, connect: Connect
) -> None:
    server = serve()
    server.log_in_everybody()
    phone, stranger = await connect(server), await connect(server)
    assert await phone.ask(options("first", method="MESSAGE")) == 200
    crowd = Crowd(server.driver.room, 1)
    await server.until(lambda: crowd.turns > 2)

    before = crowd.turns
    for number in range(20):
        assert await phone.ask(options(f"during{number}", method="MESSAGE")) == 200
    # A turn to read and one to answer; the client that asks needs some of the same loop's too.
    assert crowd.turns - before <= 20 * 8

    # A stranger is heard as well, in order of coming, and is none from then on.
    assert await stranger.ask(options("stranger", method="MESSAGE")) == 200
    third = await connect(server)
    assert await third.ask(options("third", method="MESSAGE")) == 200
    crowd.is_here = False


async def test_who_leaves_or_is_sent_away_while_waiting_is_forgotten(
    serve: Serve, connect: Connect
) -> None:
    server = serve()
    stranger = await connect(server)
    [flow] = server.driver.flows.values()
    crowd = Crowd(server.driver.room, 50)
    await server.until(lambda: crowd.turns > 2)

    stranger.send(options("never heard", method="MESSAGE"))
    await server.until(lambda: len(server.driver.room) > 50)
    server.driver.close(flow.id, Ending.STOPPING)
    await stranger.rest()
    await server.until(lambda: not server.driver.flows)
    await server.until(lambda: len(server.driver.room) == 50)

    assert [type(event) for event in server.events] == [FlowClosed]  # and no request
    crowd.is_here = False
