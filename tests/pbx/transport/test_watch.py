"""Who looks how long things take."""

import asyncio

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
