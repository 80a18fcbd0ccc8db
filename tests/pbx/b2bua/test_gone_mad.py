"""Phones that have logged in and know no measure: what they do stays their own trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest
from structlog.testing import capture_logs

from pbx.b2bua.call import LONGEST_SNAPSHOT
from pbx.b2bua.config import CallsConfig
from pbx.b2bua.keys import MOST_OPEN
from pbx.b2bua.members import MOST_LEGS
from pbx.reachable import MOST_FLOWS
from pbx.sip.flows import Flow, FlowId
from pbx.sip.reliable import MOST_TAKEN
from tests.support.calling import talking
from tests.support.exchange import DOMAIN, TestExchange
from tests.support.phone import Phone
from tests.support.phone_call import Call, CallFailed, Outgoing
from tests.support.static_sdp import static_answer, static_offer
from tests.support.transfers import refer, replaced

HOP = ("Record-Route", f"<sip:{'h' * 900}@clinic.example;lr>")


async def taken_over(phone: Phone, call: Call, *more: tuple[str, str]) -> Outgoing:
    """The phone takes its own place in a call."""
    taking = phone.invite("1004", static_offer(), ("Replaces", replaced(call)), *more)
    await taking.answered()
    return taking


async def own_call(exchange: TestExchange, phone: Phone, friend: Phone) -> Outgoing:
    call = phone.invite("1004", static_offer())
    incoming = await asyncio.wait_for(friend.incoming.get(), 60)
    incoming.answers_with = static_answer(incoming.invite.body)
    incoming.answer(incoming.answers_with)
    await call.answered()
    return call


async def test_a_phone_that_takes_its_own_place_again_and_again_ends_nobodys_call(
    exchange: TestExchange,
) -> None:
    await exchange.enrol("1003", "mallory")
    await exchange.enrol("1004", "friend")
    async with (
        talking(exchange) as talk,
        exchange.phone("mallory") as mallory,
        exchange.phone("friend") as friend,
    ):
        call: Call = await own_call(exchange, mallory, friend)
        [live] = [one for one in exchange.calls._live.values() if len(one.legs) == 2][1:]
        for _ in range(90):
            call = await taken_over(mallory, call, *[HOP] * 14)
            assert 0 < len(live.sealed()) < LONGEST_SNAPSHOT // 4

        live.transfers.extend(live.transfers * 2)
        with pytest.raises(CallFailed, match="481"):
            await taken_over(mallory, call)
        assert (await refer(call, f"<sip:1002@{DOMAIN}>")).status == 403
        assert len(live.legs) < MOST_LEGS
        assert (await talk.outgoing.ask(talk.outgoing.message("INFO"))).status == 200
        assert not talk.outgoing.ended.is_set()
        assert exchange.media.workers() == {0: True}


async def test_what_is_more_than_a_worker_takes_is_not_sent_to_it(exchange: TestExchange) -> None:
    async with talking(exchange) as talk:
        [live] = exchange.calls._live.values()
        live.callee_name = "x" * LONGEST_SNAPSHOT

        await live.keep()
        assert (await talk.outgoing.reinvite(static_offer())).status == 200
        assert live.sealed() == b""
        await talk.outgoing.bye()
        assert len(await exchange.over()) == 1
    assert await exchange.media.calls() == []


async def test_whoever_hears_only_an_echo_is_told_that_nobody_can_be_put_through(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice") as alice:
        echo = alice.invite("*43", static_offer())
        await echo.answered()
        for _ in range(3):
            with pytest.raises(CallFailed, match="481"):
                await taken_over(alice, echo)
        assert (await refer(echo, f"<sip:1002@{DOMAIN}>")).status == 403
        assert len(exchange.legs()) == 1
        await echo.bye()


async def test_phones_that_come_in_vain_are_no_part_of_the_call(exchange: TestExchange) -> None:
    await exchange.enrol("1003", "carol")
    exchange.group("2000", "1002", "1003")
    async with (
        exchange.phone("alice") as alice,
        exchange.phone("bob") as bob,
        exchange.phone("carol") as carol,
    ):
        placed = alice.invite("1002", static_offer())
        at_bob = await asyncio.wait_for(bob.incoming.get(), 60)
        at_bob.ring()
        await placed_rings(placed)
        listeners = len(exchange.calls.listeners)
        plain = static_offer().partition(b"a=crypto")[0].replace(b"SAVP", b"AVP")
        for _ in range(5):
            with pytest.raises(CallFailed, match="488"):
                await carol.invite("*81002", plain).answered()
        assert len(exchange.legs()) == 2
        assert len(exchange.calls.listeners) == listeners

        at_bob.answer(static_answer(at_bob.invite.body))
        await placed.answered()
        await placed.bye()


async def placed_rings(call: Outgoing) -> None:
    answering = asyncio.create_task(call.answered())
    await asyncio.wait_for(call.ringing.wait(), 60)
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)


@pytest.mark.parametrize("insists", [False, True])
async def test_a_caller_is_told_once_that_it_rings(exchange: TestExchange, insists: bool) -> None:
    headers = (("Require", "100rel"),) if insists else ()
    with capture_logs() as logs:
        async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
            placed = alice.invite("1002", static_offer(), *headers)
            at_bob = await asyncio.wait_for(bob.incoming.get(), 60)
            for _ in range(40):
                at_bob.ring()
            await placed_rings(placed)
            at_bob.refuse(486)
            with pytest.raises(CallFailed, match="486"):
                await placed.answered()
    rung = [one for one in placed.provisionals if one.status == 180]
    assert len({one.rseq for one in rung}) == 1
    assert insists or len(rung) == 1
    assert [log for log in logs if log["event"] == "call failed"] == []


async def test_whoever_presses_keys_too_fast_for_a_phone_does_not_keep_it_from_calling_for_help(
    exchange: TestExchange,
) -> None:
    async with talking(exchange, says=(("Allow", "INVITE, ACK, BYE, INFO"),)) as talk:
        statuses = [await pressed(talk.outgoing) for _ in range(12)]
        assert statuses == [200] * MOST_OPEN + [503] * (12 - MOST_OPEN)
        [flow] = {leg.flow for leg in exchange.legs() if leg.role == "callee"}
        for number in range(5_000):  # whatever else is asked of a phone that answers nothing
            exchange.stack._shared.flows.asked(flows(exchange)[flow], -1 - number)
        assert (await talk.bob.invite("911", static_offer()).answered()).status == 200

        for _ in range(MOST_OPEN):
            told = await asyncio.wait_for(talk.incoming.requests.get(), 60)
            talk.incoming.answer_in_dialog(told, 200)
        await talk.incoming.ask(talk.incoming.message("OPTIONS"))  # behind the answers
        assert await pressed(talk.outgoing) == 200


def flows(exchange: TestExchange) -> dict[FlowId, Flow]:
    return exchange.stack._shared.flows._flows


async def pressed(call: Call) -> int:
    request = call.message("INFO", b"Signal=5\r\n")
    request.headers.set("Content-Type", "application/dtmf-relay")
    return (await call.ask(request)).status


async def test_a_phone_that_confirms_nothing_is_confirmed_only_so_often(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        placed = alice.invite("1002", static_offer())
        at_bob = await asyncio.wait_for(bob.incoming.get(), 60)
        for rseq in range(1, 3 * MOST_TAKEN):
            progress = at_bob._response(183, b"")
            progress.headers.add("Require", "100rel")
            progress.headers.add("RSeq", str(rseq))
            bob.send(progress)
        await bob.ping()
        ours = [row for row in exchange.stack.snapshot().transactions if row.role == "client"]
        assert len([row for row in ours if row.method == "PRACK"]) == MOST_TAKEN
        at_bob.answer(static_answer(at_bob.invite.body))
        await placed.answered()
        await placed.bye()


@pytest.mark.parametrize("name", ["Supported", "Allow"])
@pytest.mark.parametrize("number", ["1002", "911"])
async def test_a_phone_that_says_badly_what_it_can_do_calls_all_the_same(
    exchange: TestExchange, name: str, number: str
) -> None:
    with capture_logs() as logs:
        async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
            placed = alice.invite(number, static_offer(), (name, ";;"))
            if number == "1002":
                at_bob = await asyncio.wait_for(bob.incoming.get(), 60)
                at_bob.answer(static_answer(at_bob.invite.body))
            await placed.answered()
            again = placed.message("INVITE", static_offer())
            again.headers.add(name, ",")
            assert (await placed.ask(again)).status == 200
            await placed.bye()
    assert [log for log in logs if log["log_level"] == "error" and "exc_info" in log] == []


async def test_a_phone_that_changes_its_connection_before_its_ack_keeps_its_call(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        placed = alice.invite("1002", static_offer())
        at_bob = await asyncio.wait_for(bob.incoming.get(), 60)
        with patched(placed, "_acknowledge", lambda: None):  # on a connection that is dead
            at_bob.answer(static_answer(at_bob.invite.body))
            await placed.answered()
        alice.close()
        await exchange.connect(alice)
        assert (await alice.register()).status == 200

        confirmed = asyncio.Event()
        with patched(placed, "repeated", lambda response: confirmed.set()):
            await asyncio.wait_for(confirmed.wait(), 60)
        placed._acknowledge()
        assert (await placed.ask(placed.message("INFO"))).status == 200
        assert exchange.stack._server._unconfirmed == {}
        await placed.bye()


@contextmanager
def patched(call: Call, name: str, stand_in: Callable[..., None]) -> Iterator[None]:
    """The phone's own hand, not ours: for so long it does something else."""
    setattr(call, name, stand_in)
    yield
    delattr(call, name)


async def test_a_phone_that_opens_ever_more_connections_leaves_room_for_others(
    exchange: TestExchange,
) -> None:
    async with AsyncExitStack() as phones:
        many = [await phones.enter_async_context(exchange.phone("alice", registers=False))
                for _ in range(MOST_FLOWS + 3)]  # fmt: skip
        assert (await many[0].register()).status == 200
        for phone in many[1:]:
            asked = phone.request("SUBSCRIBE", phone.account.aor)
            asked.headers.add("Contact", phone.contact)
            asked.headers.add("Event", "weather")
            assert (await phone.ask(asked)).status == 489
        await asyncio.wait_for(many[3].closed.wait(), 60)
        await many[0].ping()
        assert [phone.is_connected for phone in many] == [n not in (1, 2, 3) for n in range(19)]


async def test_a_dialer_gone_mad_leaves_no_endless_records_and_calls_for_help_all_the_same(
    exchange: TestExchange,
) -> None:
    exchange.calls.reconfigure(CallsConfig(calls_per_minute=10))
    plain = static_offer().partition(b"a=crypto")[0].replace(b"SAVP", b"AVP")
    statuses = []
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        for _ in range(40):
            with pytest.raises(CallFailed) as refused:
                await alice.invite("1002", plain).answered()
            statuses.append(refused.value.response.status)
        emergency = alice.invite("911", static_offer())
        assert (await emergency.answered()).status == 200
        await emergency.bye()
        other = bob.invite("*43", static_offer())
        assert (await other.answered()).status == 200
        await other.bye()
    assert statuses[:10] == [488] * 10
    assert statuses.count(488) < 15 and set(statuses) == {488, 486}
    records = await exchange.over()
    assert len(records) == statuses.count(488) + 2


async def test_a_phone_that_says_badly_what_it_can_do_registers(exchange: TestExchange) -> None:
    async with exchange.phone("alice") as alice:
        request = alice.request("REGISTER", f"sip:{DOMAIN}")
        request.headers.add("Contact", alice.contact)
        request.headers.add("Supported", "path,,gruu")
        assert (await alice.ask(request)).status == 200


async def test_a_phone_that_calls_for_help_as_fast_as_it_can_is_slowed_and_no_other(
    exchange: TestExchange,
) -> None:
    exchange.calls.reconfigure(CallsConfig(calls_per_minute=10))
    statuses = []
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        for _ in range(10):
            call = alice.invite("911", static_offer())
            assert (await call.answered()).status == 200
            await call.bye()
        with pytest.raises(CallFailed, match="486"):
            for _ in range(200):
                call = alice.invite("911", static_offer())
                statuses.append((await call.answered()).status)
                await call.bye()
        emergency = bob.invite("911", static_offer())
        assert (await emergency.answered()).status == 200
        await emergency.bye()
    assert len(statuses) < 10, "one more every six seconds"
