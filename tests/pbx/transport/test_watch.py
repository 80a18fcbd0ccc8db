"""Who looks how long things take."""

import asyncio
from collections import Counter

from pbx.sip.flows import FlowId
from pbx.transport.config import SipConfig
from pbx.transport.flow import Ending
from pbx.transport.watch import Watch


async def test_slow_phones_are_noticed_where_nobody_has_connected_for_long() -> None:
    found: asyncio.Queue[tuple[FlowId, Ending]] = asyncio.Queue()
    watch = Watch(SipConfig(), lambda flow, ending: found.put_nowait((flow, ending)))
    long_ago = asyncio.get_running_loop().time() - 3_600

    for number, interval in enumerate((watch.partial, watch.unread)):
        watch.begin(interval, FlowId(number), long_ago)
    watch.ending(FlowId(2), long_ago)

    async with asyncio.timeout(60):
        endings = dict([await found.get() for _ in range(3)])
    assert endings == {0: Ending.SLOW, 1: Ending.NOT_READING, 2: Ending.NOT_READING}
    watch.stop()


async def test_of_thousands_only_some_are_closed_in_one_turn_and_all_in_the_end() -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    turn, closed = 0, list[tuple[int, FlowId]]()

    def next_turn() -> None:
        nonlocal turn
        turn += 1
        if not over.is_set():
            loop.call_soon(next_turn)

    def cut(flow: FlowId, ending: Ending) -> None:
        closed.append((turn, flow))
        if len(closed) == 1_000:
            over.set()

    watch = Watch(SipConfig(), cut)
    for number in range(1_000):
        watch.accepted(FlowId(number), loop.time() - 3_600)
    next_turn()
    async with asyncio.timeout(60):
        await over.wait()
    watch.stop()

    assert [flow for _, flow in closed] == list(range(1_000))
    assert max(Counter(turn for turn, _ in closed).values()) == 64
