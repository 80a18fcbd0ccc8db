"""A person's phones ring: whoever answers has the call; what becomes of it when nobody does."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx.b2bua.config import CallsConfig
from storage.calls import CallOutcome
from storage.database import Database
from storage.reach import Reach, When
from tests.support.calling import database, exchange
from tests.support.exchange import TestExchange
from tests.support.front_desk import FrontDesk, front_desk
from tests.support.media_worker import free_range
from tests.support.message_exchange import MessageExchange
from tests.support.phone_call import CallFailed
from tests.support.rtp_phone import RtpPhone

__all__ = ["database", "exchange", "front_desk"]


def forward(exchange: TestExchange, number: str, when: When, to: str) -> None:
    tenancies = exchange.directory.tenancies
    exchange.arrange(number, Reach().forwarded(when, tenancies[to].extension, None))


async def test_whoever_answers_has_the_call(front_desk: FrontDesk) -> None:
    desk = front_desk
    placed = desk.call(desk.alice, "1002")
    await desk.answer(await desk.rung(desk.bob))
    await placed.answered()
    await placed.call.bye()

    [record] = await desk.records()
    bob = desk.exchange.directory.tenancies["1002"]
    assert (record.route, record.outcome) == ("person", CallOutcome.ANSWERED)
    assert record.callee_tenure == bob.tenure


@pytest.mark.parametrize(
    ("says", "status", "outcome"),
    [
        (486, 486, CallOutcome.BUSY),
        (603, 603, CallOutcome.DECLINED),
        (408, 480, CallOutcome.NO_ANSWER),
    ],
)
async def test_what_the_only_phone_says_is_what_the_caller_is_told(
    front_desk: FrontDesk, says: int, status: int, outcome: CallOutcome
) -> None:
    desk = front_desk
    placed = desk.call(desk.alice, "1002")
    (await desk.rung(desk.bob)).refuse(says)

    assert await placed.refused() == status
    [record] = await desk.records()
    assert record.outcome is outcome


async def test_an_answer_without_keys_fails_the_call(front_desk: FrontDesk) -> None:
    desk = front_desk
    placed = desk.call(desk.alice, "1002")
    (await desk.rung(desk.bob)).answer(b"v=0\r\n")

    assert await placed.refused() == 480
    [record] = await desk.records()
    assert (record.outcome, record.cause) == (CallOutcome.FAILED, "answer-refused")


@pytest.mark.parametrize("when", [When.BUSY, When.NO_ANSWER])
async def test_what_nobody_takes_goes_where_it_is_sent(front_desk: FrontDesk, when: When) -> None:
    desk = front_desk
    forward(desk.exchange, "1002", when, "1003")
    if when is When.NO_ANSWER:
        desk.exchange.calls.reconfigure(CallsConfig(ring_seconds=5))

    placed = desk.call(desk.alice, "1002")
    at_bob = await desk.rung(desk.bob)
    if when is When.BUSY:
        at_bob.refuse(486)
    await desk.answer(await desk.rung(desk.carol))
    await placed.answered()
    await placed.call.bye()

    [record] = await desk.records()
    assert record.callee_tenure == desk.exchange.directory.tenancies["1003"].tenure


async def test_what_was_declined_is_sent_nowhere(front_desk: FrontDesk) -> None:
    desk = front_desk
    forward(desk.exchange, "1002", When.BUSY, "1003")
    placed = desk.call(desk.alice, "1002")
    (await desk.rung(desk.bob)).refuse(603)

    assert await placed.refused() == 603
    assert desk.is_quiet(desk.carol)
    await desk.records()


async def test_who_has_as_many_calls_as_they_want_is_busy(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.arrange("1002", Reach(most_calls=1))
    first = desk.call(desk.alice, "1002")
    await desk.answer(await desk.rung(desk.bob))
    await first.answered()

    assert await desk.call(desk.carol, "1002").refused() == 486
    assert desk.is_quiet(desk.bob)
    await first.call.bye()
    await desk.records(2)


async def test_nobody_there_comes_to_the_mailbox(open_path: Path, database: Database) -> None:
    async with MessageExchange(open_path, database) as exchange:
        async with exchange.calling("alice", "1002") as caller:
            await caller.hang_up()
        [record] = await exchange.over()
    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "caller-hung-up")


async def test_a_group_rings_and_its_refusal_is_told(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", name="Front desk")
    placed = desk.call(desk.alice, "2000")
    (await desk.rung(desk.bob)).refuse(603)
    assert await placed.refused() == 603

    placed = desk.call(desk.alice, "2000")
    await desk.answer(await desk.rung(desk.bob))
    await placed.answered()
    await placed.call.bye()
    _, taken = await desk.records(2)
    assert taken.callee_tenure == desk.exchange.directory.tenancies["1002"].tenure


# -- without media


@pytest.fixture
async def narrow(open_path: Path, database: Database) -> AsyncIterator[TestExchange]:
    """Ports for one leg and no more."""
    first, _ = free_range(40)
    ports = {"first_port": first, "last_port": first + 1}
    async with TestExchange(open_path / "x", database, media=ports, ring_seconds=60) as running:
        await running.enrol("1001", "alice")
        await running.enrol("1002", "bob")
        yield running


async def test_a_phone_for_which_there_are_no_ports_is_not_there(narrow: TestExchange) -> None:
    media = RtpPhone()
    async with narrow.phone("alice") as alice, narrow.phone("bob") as bob:
        with pytest.raises(CallFailed, match="480"):
            await alice.invite("1002", media.sdp()).answered()
        assert bob.incoming.empty()
    media.close()
    [record] = await narrow.over()
    assert (record.outcome, record.cause) == (CallOutcome.OFFLINE, "offline")


async def test_a_caller_for_whom_there_are_no_ports_is_told_503(narrow: TestExchange) -> None:
    media = RtpPhone()
    async with narrow.phone("alice") as alice, narrow.phone("bob") as bob:
        first = alice.invite("*43", media.sdp())
        await first.answered()
        with pytest.raises(CallFailed, match="503"):
            await bob.invite("*43", media.sdp()).answered()
        await first.bye()
    media.close()
    records = await narrow.over()
    assert [record.cause for record in records] == ["caller-hung-up", "media-unavailable"]


async def test_a_refusal_needs_no_words(exchange: TestExchange) -> None:
    """The worker stands still: no prompt, and the final status all the same."""
    media = RtpPhone()
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", media.sdp())
        async with asyncio.timeout(60):
            incoming = await bob.incoming.get()
        process = exchange.workers[0].process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            incoming.refuse(486)
            with pytest.raises(CallFailed, match="486"):
                await call.answered()
        finally:
            process.send_signal(signal.SIGCONT)
    media.close()
    [record] = await exchange.over()
    assert record.outcome is CallOutcome.BUSY
