"""Phones that are not back yet: the exchange has just come back itself."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from uuid import UUID

from pbx.b2bua.call import Call

LOOK_AGAIN = 0.25
SOON = 3.0
"""Seconds that those who are back wait for the others."""


async def until_reachable(call: Call, devices: Collection[UUID]) -> None:
    """Until all of them can be rung, or some can and the others are late, or nobody comes."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    last = began + call.around.config.ring_seconds
    while (now := loop.time()) < last:
        there = [device for device in devices if call.phones.contacts_of(device)]
        if len(there) == len(devices) or (there and now > began + SOON):
            return
        await call.next(now + LOOK_AGAIN)
