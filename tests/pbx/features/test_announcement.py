"""What a caller hears of a call that goes nowhere, and what the test numbers say."""

from __future__ import annotations

import asyncio

import pytest

from storage.calls import CallOutcome
from tests.support.calling import database, exchange
from tests.support.exchange import TestExchange
from tests.support.phone_call import CallFailed
from tests.support.rtp_phone import RtpPhone

__all__ = ["database", "exchange"]


@pytest.mark.parametrize(
    ("number", "status"), [("4711", 404), ("not-a-number", 484), ("1001", 480)]
)
async def test_a_refusal_is_sound_and_then_its_status(
    exchange: TestExchange, number: str, status: int
) -> None:
    media = RtpPhone()
    async with exchange.phone("alice") as alice:
        call = alice.invite(number, media.sdp())
        with pytest.raises(CallFailed) as failed:
            await call.answered()
    media.close()
    assert failed.value.response.status == status
    [progress] = [response for response in call.provisionals if response.status == 183]
    assert b"a=crypto" in progress.body
    [record] = await exchange.over()
    expected = CallOutcome.OFFLINE if number == "1001" else CallOutcome.REFUSED
    assert record.outcome is expected


async def test_a_prompt_whose_end_nobody_tells_holds_no_call(
    exchange: TestExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx.features.announcement.LONGEST", 0.1)
    media = RtpPhone()
    async with exchange.phone("alice") as alice:
        with pytest.raises(CallFailed, match="404"):
            await alice.invite("4711", media.sdp()).answered()
    media.close()


@pytest.mark.parametrize("is_somebody_there", [False, True])
async def test_the_test_number_says_what_an_emergency_call_would_do_and_hangs_up(
    exchange: TestExchange, is_somebody_there: bool
) -> None:
    if is_somebody_there:
        await exchange.enrol("1003", "front", emergency=True)
    media = RtpPhone()
    async with exchange.phone("alice") as alice:
        call = alice.invite("933", media.sdp())
        await call.answered()
        await asyncio.wait_for(call.ended.wait(), 60)
    media.close()
    [record] = await exchange.over()
    expected = "emergency-test" if is_somebody_there else "emergency-no-line"
    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, expected)
    assert not record.is_emergency
