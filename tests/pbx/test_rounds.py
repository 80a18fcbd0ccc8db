"""Writers write in rounds: many together, urgent ones at once, the last at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pbx.rounds import Rounds

LONG = 3600.0


class Writer:
    """Counts its rounds and says when."""

    def __init__(self) -> None:
        self.rounds = 0
        self.done = asyncio.Event()

    async def write(self) -> None:
        self.rounds += 1
        self.done.set()

    async def next(self) -> None:
        async with asyncio.timeout(60):
            await self.done.wait()
        self.done.clear()


def running(
    rounds: Rounds, writer: Writer, is_troubled: Callable[[], bool] = lambda: False
) -> asyncio.Task[None]:
    return asyncio.create_task(rounds.run(writer.write, is_troubled))


async def test_news_that_come_together_are_one_round() -> None:
    rounds, writer = Rounds(0.05), Writer()
    task = running(rounds, writer)
    for _ in range(5):
        rounds.news()
        await asyncio.sleep(0)
    await writer.next()
    assert writer.rounds == 1
    rounds.close()
    await task
    assert writer.rounds >= 2  # what came meanwhile


async def test_urgent_news_wait_for_no_more() -> None:
    rounds, writer = Rounds(LONG), Writer()
    task = running(rounds, writer)
    rounds.news()
    rounds.news(urgent=True)
    await writer.next()
    rounds.close()
    await asyncio.wait_for(task, 60)


async def test_without_news_only_trouble_is_tried_again() -> None:
    rounds, writer = Rounds(LONG, 0.01), Writer()
    troubles = iter([True, True, False])
    task = running(rounds, writer, lambda: next(troubles, False))
    await writer.next()
    await writer.next()
    for _ in range(20):
        await asyncio.sleep(0)
    assert writer.rounds == 2
    rounds.close()
    await asyncio.wait_for(task, 60)


async def test_who_was_closed_before_it_began_writes_once() -> None:
    rounds, writer = Rounds(LONG), Writer()
    rounds.close()
    await rounds.run(writer.write, lambda: False)
    assert writer.rounds == 1


async def test_where_there_is_always_news_rounds_are_kept_apart() -> None:
    rounds, writer = Rounds(0.0, apart=LONG), Writer()
    task = running(rounds, writer)
    rounds.news()
    await writer.next()
    rounds.news()
    for _ in range(20):
        await asyncio.sleep(0)
    assert writer.rounds == 1
    rounds.news(urgent=True)
    await writer.next()
    rounds.close()
    await asyncio.wait_for(task, 60)
