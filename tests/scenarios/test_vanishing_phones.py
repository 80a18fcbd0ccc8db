"""Calls whose phones all vanish at once: complete records, and nothing left behind.

`VANISHING_CALLS=1000` in the environment for the full size.
"""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from storage.calls import CallOutcome
from storage.database import Database
from tests.support.exchange import TestExchange
from tests.support.media_worker import free_range
from tests.support.phone import Phone
from tests.support.rtp_phone import RtpPhone

pytestmark = pytest.mark.slow

CALLS = int(os.environ.get("VANISHING_CALLS", "60"))
PER_PHONE = 40
AT_ONCE = 8


async def talk(caller: Phone, callee: Phone, number: str, turn: asyncio.Semaphore) -> None:
    async with turn:
        ours, theirs = RtpPhone(), RtpPhone()
        try:
            call = caller.invite(number, ours.sdp())
            incoming = await callee.incoming.get()
            theirs.read(incoming.invite.body)
            incoming.answer(theirs.sdp())
            await call.answered()
            await call.ask(call.message("INFO"))
        finally:
            ours.close()
            theirs.close()


async def test_calls_whose_phones_vanish_are_recorded_and_leave_nothing(
    open_path: Path, database: Database
) -> None:
    first, last = free_range(4 * CALLS + 8)
    media = {"first_port": first, "last_port": last, "silence_limit": max(2.0, CALLS / 20)}
    async with TestExchange(open_path / "x", database, media=media, per_device=50) as exchange:
        tasks = len(asyncio.all_tasks())
        async with AsyncExitStack() as phones, asyncio.timeout(30 + CALLS / 5):
            turn = asyncio.Semaphore(AT_ONCE)
            waiting = []
            for index in range(0, CALLS, PER_PHONE):
                names = f"from{index}", f"to{index}"
                number = str(2000 + index)
                await exchange.enrol(str(5000 + index), names[0])
                await exchange.enrol(number, names[1])
                pair = [await phones.enter_async_context(exchange.phone(name)) for name in names]
                waiting += [
                    talk(pair[0], pair[1], number, turn)
                    for _ in range(min(PER_PHONE, CALLS - index))
                ]
            await asyncio.gather(*waiting)
            assert len(exchange.calls) == CALLS
        async with asyncio.timeout(60 + CALLS / 5):
            await exchange.calls.drain(20 + CALLS / 8)
            records = await exchange.over()

        assert len(records) == CALLS
        assert {record.outcome for record in records} == {CallOutcome.ANSWERED}
        assert {record.cause for record in records} <= {"caller-silent", "callee-silent"}
        assert all(len(record.legs) == 2 for record in records)
        assert len(exchange.calls) == len(exchange.calls.listeners) == 0
        assert await exchange.media.calls() == []
        assert len(exchange.location) == 0
        left = exchange.stack.snapshot()
        assert (left.dialogs, left.transactions) == (0, ())
        assert len(asyncio.all_tasks()) <= tasks
