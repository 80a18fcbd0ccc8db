"""Real phones: do-not-disturb, forwards, and forwards that lead in a circle."""

import msgspec
import pytest

from pbx.b2bua.config import CallsConfig
from pbx.directory import Directory, TenancyEntry
from storage.calls import CallOutcome, CallRecord
from storage.reach import UNSET, Reach, When
from tests.support import tone
from tests.support.exchange import TestExchange
from tests.support.pjsua import PjsuaPhone

pytestmark = pytest.mark.slow

CAROL_HZ = 1000.0


def held(exchange: TestExchange, number: str) -> TenancyEntry:
    return exchange.directory.tenancies[number]


def arrange(exchange: TestExchange, number: str, reach: Reach) -> None:
    entries = exchange.directory.entries
    tenancies = tuple(
        msgspec.structs.replace(entry, reach=reach) if entry.number == number else entry
        for entry in entries.tenancies
    )
    exchange.directory = Directory(msgspec.structs.replace(entries, tenancies=tenancies))


def forward(exchange: TestExchange, number: str, when: When, to: str) -> None:
    reach = held(exchange, number).reach.forwarded(when, held(exchange, to).extension, None)
    arrange(exchange, number, reach)


def phone(exchange: TestExchange, name: str, **options: object) -> PjsuaPhone:
    return PjsuaPhone(**exchange.phone_options(name, **options))


async def the_record(exchange: TestExchange) -> CallRecord:
    [record] = await exchange.over()
    return record


async def test_whoever_is_not_to_be_disturbed_is_busy(exchange: TestExchange) -> None:
    arrange(exchange, "1002", Reach(do_not_disturb=True))

    async with phone(exchange, "alice") as caller, phone(exchange, "bob") as callee:
        await caller.registered()
        await callee.registered()
        call = await caller.call("sip:1002@clinic.example")
        assert (await caller.disconnected(call))["code"] == 486

    record = await the_record(exchange)
    assert (record.outcome, len(record.legs)) == (CallOutcome.BUSY, 1)


@pytest.mark.parametrize("when", [When.ALWAYS, When.NO_ANSWER])
async def test_a_forwarded_call_is_answered_elsewhere(exchange: TestExchange, when: When) -> None:
    exchange.calls.reconfigure(CallsConfig(ring_seconds=5))
    await exchange.enrol("1003", "carol")
    forward(exchange, "1002", when, "1003")

    async with (
        phone(exchange, "alice", tone_hz=440.0) as caller,
        phone(exchange, "bob") as silent,
        phone(exchange, "carol", tone_hz=CAROL_HZ, answer_with=200) as covering,
    ):
        for each in (caller, silent, covering):
            await each.registered()
        call = await caller.call("sip:1002@clinic.example")
        await caller.confirmed(call)
        await tone.until_heard((await caller.wait("recording"))["path"], CAROL_HZ, seconds=1.0)
        await tone.until_heard((await covering.wait("recording"))["path"], 440.0, seconds=1.0)
        caller.do("hangup", call=call)
        await covering.disconnected(0)

    record = await the_record(exchange)
    assert record.outcome is CallOutcome.ANSWERED
    assert record.callee_tenure == held(exchange, "1003").tenure
    assert len(record.legs) == (2 if when is When.ALWAYS else 3)


async def test_forwards_in_a_circle_end_as_busy(exchange: TestExchange) -> None:
    await exchange.enrol("1003", "carol")
    forward(exchange, "1002", When.ALWAYS, "1003")
    forward(exchange, "1003", When.ALWAYS, "1002")

    async with phone(exchange, "alice") as caller, phone(exchange, "bob") as callee:
        await caller.registered()
        await callee.registered()
        call = await caller.call("sip:1002@clinic.example")
        assert (await caller.disconnected(call))["code"] == 486

    assert (await the_record(exchange)).outcome is CallOutcome.BUSY


async def test_a_phone_dials_it_for_its_holder_and_a_phone_of_nobody_for_nobody(
    exchange: TestExchange,
) -> None:
    async with phone(exchange, "alice") as own, phone(exchange, "bob") as other:
        await own.registered()
        await other.registered()
        call = await own.call("sip:*78@clinic.example")
        assert (await own.disconnected(call))["code"] == 200
        assert held(exchange, "1001").reach.do_not_disturb
        call = await other.call("sip:1001@clinic.example")
        assert (await other.disconnected(call))["code"] == 486
        call = await own.call("sip:*79@clinic.example")
        await own.disconnected(call)
        call = await own.call("sip:*721002@clinic.example")
        await own.disconnected(call)
        target = held(exchange, "1002").extension
        assert held(exchange, "1001").reach == UNSET.forwarded(When.ALWAYS, target, None)

        entries = exchange.directory.entries
        nobodys = tuple(entry for entry in entries.tenancies if entry.number != "1002")
        exchange.directory = Directory(msgspec.structs.replace(entries, tenancies=nobodys))
        call = await other.call("sip:*78@clinic.example")
        assert (await other.disconnected(call))["code"] == 403
