"""Both phones hold at once, and the exchange asks them something in the same moment (RFC 3261
§14.1): whatever is refused, everybody ends with the same belief, and they hear each other again."""

from __future__ import annotations

import asyncio

import pytest

from pbx.b2bua.leg import Leg
from tests.support.ear import Ear
from tests.support.exchange import TestExchange
from tests.support.pjsua import PjsuaPhone

pytestmark = pytest.mark.slow

ALICE_HZ, BOB_HZ = 440.0, 1000.0
ACTIVE, HOLDS = 1, 2
"""PJSUA_CALL_MEDIA_ACTIVE, PJSUA_CALL_MEDIA_LOCAL_HOLD"""


def phone(exchange: TestExchange, name: str, hertz: float, **options: object) -> PjsuaPhone:
    return PjsuaPhone(**exchange.phone_options(name, tone_hz=hertz, log_level=5, **options))


def said(phone: PjsuaPhone, start: str) -> int:
    """Messages that begin so, in this phone's log."""
    return sum(line.startswith(start) for line in phone.log)


async def asked(leg: Leg) -> None:
    """Our offer is on the way."""
    assert leg.dialog is not None
    leg.asking.offer()
    async with asyncio.timeout(60):
        while leg.dialog.is_settled:  # noqa: ASYNC110  # the worker describes it first
            await asyncio.sleep(0.005)


def believes(phone: PjsuaPhone) -> bool:
    """Whether it holds the call, to its own mind."""
    return [event for event in phone.events if event["event"] == "media"][-1]["status"] == HOLDS


async def agreed(legs: list[Leg], *phones: PjsuaPhone) -> None:
    """Nothing is open any more, and each phone believes of a hold what we believe."""
    async with asyncio.timeout(60):
        while not all(  # noqa: ASYNC110  # phones and a worker
            leg.dialog is not None and leg.dialog.is_settled and leg.is_held is believes(phone)
            for leg, phone in zip(legs, phones, strict=True)
        ):
            await asyncio.sleep(0.05)


async def test_holds_that_cross_what_we_ask(exchange: TestExchange) -> None:
    async with (
        phone(exchange, "alice", ALICE_HZ) as alice,
        phone(exchange, "bob", BOB_HZ, answer_with=200) as bob,
    ):
        await alice.registered()
        await bob.registered()
        call = await alice.call("sip:1002@clinic.example")
        await alice.confirmed(call)
        at_alice, at_bob = [Ear((await each.wait("recording"))["path"]) for each in (alice, bob)]
        await asyncio.gather(at_alice.hears(BOB_HZ), at_bob.hears(ALICE_HZ))
        both = ((alice, call), (bob, 0))
        for each, _ in both:
            each.do("deaf")
            await each.wait("deaf")
        legs = exchange.legs()
        for leg in legs:
            await asked(leg)
        for each, number in both:
            each.do("hold", call=number)
        for each, _ in both:
            each.do("listen")
        for each, _ in both:  # each has refused ours, and was refused; ours comes again
            await each.wait("media")
            await each.wait("media")
            assert said(each, "SIP/2.0 491") == 2
        await agreed(legs, alice, bob)
        for name, status in (("hold", HOLDS), ("resume", ACTIVE)):
            for each, number in both:
                each.do(name, call=number)
            for each, _ in both:
                await each.wait("media", status=status)
            await agreed(legs, alice, bob)
        await asyncio.gather(at_alice.hears(BOB_HZ), at_bob.hears(ALICE_HZ))
        alice.do("hangup", call=call)
        await bob.disconnected(0)
    [record] = await exchange.over()
    assert record.cause == "caller-hung-up"
