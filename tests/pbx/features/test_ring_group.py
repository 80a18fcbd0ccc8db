"""A group rings as it is set, shows what it is called, and ends where it says."""

from __future__ import annotations

import asyncio

import pytest

from pbx.b2bua.callee_leg import ELSEWHERE
from pbx.b2bua.config import CallsConfig
from storage.calls import CallOutcome
from storage.reach import Reach, When
from tests.support.calling import database, exchange
from tests.support.exchange import DOMAIN
from tests.support.front_desk import FrontDesk, front_desk
from tests.support.phone import Phone
from tests.support.phone_call import Incoming
from tests.support.transfers import call_between, hear_each_other, news, refer

__all__ = ["database", "exchange", "front_desk"]


async def first_rung(desk: FrontDesk, *phones: Phone) -> tuple[Phone, Incoming]:
    """Whoever of them rings first, while none of the others does."""
    waiting = {asyncio.create_task(desk.rung(phone)): phone for phone in phones}
    done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    [task] = done
    return waiting[task], task.result()


async def test_all_ring_and_whoever_answers_has_the_call(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", "1003", name="Front desk")

    placed = desk.call(desk.alice, "2000")
    at_bob, at_carol = await asyncio.gather(desk.rung(desk.bob), desk.rung(desk.carol))
    await placed.rings()
    assert at_bob.invite.from_.display == "Front desk: Person 1001"
    assert at_bob.invite.from_.uri.user == "1001"
    media = await desk.answer(at_carol)
    assert await desk.cancelled(at_bob) == ELSEWHERE
    await hear_each_other(await placed.answered(), media)
    await placed.call.bye()
    await asyncio.wait_for(at_carol.ended.wait(), 60)

    [record] = await desk.records()
    carol = desk.exchange.directory.tenancies["1003"]
    assert (record.route, record.outcome) == ("group", CallOutcome.ANSWERED)
    assert record.callee_tenure == carol.tenure
    assert sorted(leg.role for leg in record.legs) == ["callee", "callee", "caller"]


async def test_a_member_with_a_delay_rings_later_or_when_nobody_else_does(
    front_desk: FrontDesk,
) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", "1003", "1004", delays={"1003": 1, "1004": 500},
                        ring_seconds=60)  # fmt: skip

    began = asyncio.get_running_loop().time()
    placed = desk.call(desk.alice, "2000")
    at_bob = await desk.rung(desk.bob)
    at_carol = await desk.rung(desk.carol)
    assert asyncio.get_running_loop().time() - began > 1.0
    at_bob.refuse(486)
    at_carol.refuse(486)
    at_dora = await desk.rung(desk.dora)  # not 500 seconds later: nobody rings any more
    await desk.answer(at_dora)
    await placed.answered()
    await placed.call.bye()
    await desk.records()


async def test_one_after_another_from_the_first_on(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", "1003", "1004", strategy="in-order", ring_seconds=60)

    for _ in range(2):
        placed = desk.call(desk.alice, "2000")
        at_bob = await desk.rung(desk.bob)
        assert desk.is_quiet(desk.carol, desk.dora)
        at_bob.refuse(486)
        at_carol = await desk.rung(desk.carol)
        assert desk.is_quiet(desk.dora)
        await desk.answer(at_carol)
        await placed.answered()
        await placed.call.bye()
    assert desk.is_quiet(desk.dora)
    await desk.records(2)


async def test_by_round_each_call_begins_behind_whoever_took_the_last(
    front_desk: FrontDesk,
) -> None:
    desk = front_desk
    members = [desk.bob, desk.carol, desk.dora]
    desk.exchange.group("2000", "1002", "1003", "1004", strategy="by-round", ring_seconds=60)
    turns = []

    for _ in range(6):
        placed = desk.call(desk.alice, "2000")
        phone, incoming = await first_rung(desk, *members)
        turns.append(members.index(phone))
        await desk.answer(incoming)
        await placed.answered()
        await placed.call.bye()
        await asyncio.wait_for(incoming.ended.wait(), 60)
    assert [(turn - turns[0]) % 3 for turn in turns] == [0, 1, 2, 0, 1, 2]

    placed = desk.call(desk.alice, "2000")
    _, incoming = await first_rung(desk, *members)
    incoming.refuse(603)
    second, at_second = await first_rung(desk, *members)
    await desk.answer(at_second)
    await placed.answered()
    await placed.call.bye()
    placed = desk.call(desk.alice, "2000")
    third, at_third = await first_rung(desk, *members)
    assert members.index(third) == (members.index(second) + 1) % 3
    await desk.answer(at_third)
    await placed.answered()
    await placed.call.bye()
    await desk.records(8)


async def test_who_is_not_to_be_disturbed_or_not_there_does_not_ring(
    front_desk: FrontDesk,
) -> None:
    desk = front_desk
    await desk.exchange.enrol("1005", "nowhere")
    desk.exchange.arrange("1002", Reach(do_not_disturb=True))
    desk.exchange.group("2000", "1005", "1002", "1003", strategy="in-order", ring_seconds=60)

    placed = desk.call(desk.alice, "2000")
    await desk.answer(await desk.rung(desk.carol))
    await placed.answered()
    await placed.call.bye()
    assert desk.is_quiet(desk.bob)
    await desk.records()


@pytest.mark.parametrize(
    ("says", "status", "outcome"),
    [(486, 486, CallOutcome.BUSY), (603, 603, CallOutcome.DECLINED), (0, 480, None)],
)
async def test_when_nobody_answers_the_caller_is_told_why(
    front_desk: FrontDesk, says: int, status: int, outcome: CallOutcome | None
) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", ring_seconds=60 if says else 1)

    placed = desk.call(desk.alice, "2000")
    at_bob = await desk.rung(desk.bob)
    if says:
        at_bob.refuse(says)
    assert await placed.refused() == status
    [record] = await desk.records()
    assert record.outcome is (outcome or CallOutcome.NO_ANSWER)


async def test_it_goes_on_to_another_group_and_circles_end(front_desk: FrontDesk) -> None:
    desk = front_desk
    second = desk.exchange.group("2001", "1003", name="Nurses")
    first = desk.exchange.group("2000", "1002", name="Front desk", onward=second)
    groups = desk.exchange.directory.entries.groups
    assert [group.id for group in groups] == [second, first]
    desk.exchange.regroup("2001", onward=first)

    placed = desk.call(desk.alice, "2000")
    (await desk.rung(desk.bob)).refuse(486)
    at_carol = await desk.rung(desk.carol)
    assert at_carol.invite.from_.display == "Nurses: Person 1001"
    at_carol.refuse(486)
    assert await placed.refused() == 486
    assert desk.is_quiet(desk.bob, desk.carol)
    await desk.records()


async def test_a_person_who_does_not_answer_forwards_to_a_group(front_desk: FrontDesk) -> None:
    desk = front_desk
    group = desk.exchange.group("2000", "1003")
    desk.exchange.arrange("1002", Reach().forwarded(When.BUSY, group, None))

    placed = desk.call(desk.alice, "1002")
    (await desk.rung(desk.bob)).refuse(486)
    await desk.answer(await desk.rung(desk.carol))
    await placed.answered()
    await placed.call.bye()
    [record] = await desk.records()
    assert record.outcome is CallOutcome.ANSWERED


async def test_the_caller_gives_up_and_everybody_stops(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", "1003", "1004", delays={"1004": 500}, ring_seconds=60)

    placed = desk.call(desk.alice, "2000")
    at_bob, at_carol = await asyncio.gather(desk.rung(desk.bob), desk.rung(desk.carol))
    await placed.rings()
    await placed.call.cancel()
    assert await placed.refused() == 487
    await desk.cancelled(at_bob)
    await desk.cancelled(at_carol)
    [record] = await desk.records()
    assert record.outcome is CallOutcome.CANCELLED
    assert desk.is_quiet(desk.dora)


@pytest.mark.parametrize("answers", [True, False])
async def test_somebody_is_put_through_to_a_group(front_desk: FrontDesk, answers: bool) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1003", "1001", ring_seconds=60)

    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, ours, theirs):
        assert (await refer(at_bob, f"<sip:2000@{DOMAIN}>")).status == 202
        assert await news(at_bob) == "100"
        at_carol = await desk.rung(desk.carol)
        assert await news(at_bob) == "180"
        if answers:
            media = await desk.answer(at_carol)
            assert await news(at_bob) == "200"
            await hear_each_other(ours, media)
        else:
            at_carol.refuse(486)
            assert await news(at_bob) == "486"
            await hear_each_other(ours, theirs)
        assert desk.is_quiet(desk.alice)  # who is put through is a member, and is not rung
        await outgoing.bye()
    await desk.records()


async def test_a_group_of_only_those_who_are_in_the_call_is_nobody(
    front_desk: FrontDesk,
) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1001", "1002")

    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, _, _):
        assert (await refer(at_bob, f"<sip:2000@{DOMAIN}>")).status == 480
        await outgoing.bye()
    await desk.records()


async def test_nobody_waits_for_a_group_without_end(front_desk: FrontDesk) -> None:
    """The members of a long list ring in turn no longer than a group may altogether."""
    desk = front_desk
    desk.exchange.calls.reconfigure(CallsConfig(group_seconds=5))
    desk.exchange.group("2000", "1002", "1003", "1004", strategy="in-order", ring_seconds=3)

    placed = desk.call(desk.alice, "2000")
    at_bob = await desk.rung(desk.bob)
    at_carol = await desk.rung(desk.carol)
    assert await desk.cancelled(at_bob) is None  # nobody has the call elsewhere
    await desk.cancelled(at_carol)
    assert await placed.refused() == 480
    assert desk.is_quiet(desk.dora)
    await desk.records()
