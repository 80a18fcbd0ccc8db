"""A phone that answers our offer before it takes the call: reliably (RFC 3262), or not."""

from __future__ import annotations

import asyncio

from storage.calls import CallOutcome
from tests.support.exchange import TestExchange
from tests.support.rtp_phone import RtpPhone
from tests.support.transfers import hear_each_other


async def test_a_reliable_183_answers_and_the_200_need_not_say_it_again(
    exchange: TestExchange,
) -> None:
    ours, theirs = RtpPhone(), RtpPhone()
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", ours.sdp())
        answered = asyncio.create_task(call.answered(60))
        incoming = await asyncio.wait_for(bob.incoming.get(), 60)
        assert "100rel" in incoming.invite.supported
        theirs.read(incoming.invite.body)
        progress = incoming._response(183, theirs.sdp())
        progress.headers.add("Require", "100rel")
        progress.headers.add("RSeq", "7")
        bob.send(progress)
        prack = await asyncio.wait_for(incoming.requests.get(), 60)
        assert prack.method == "PRACK"
        assert prack.headers.first("RAck") == f"7 {incoming.invite.cseq}"
        incoming.answer_in_dialog(prack, 200)
        await asyncio.wait_for(call.ringing.wait(), 60)
        assert [response.status for response in call.provisionals][-1:] == [183]
        ours.read(call.provisionals[-1].body)
        await hear_each_other(theirs, ours)  # before anybody has answered, too

        incoming.answer()
        final = await answered
        assert final.body in (b"", call.provisionals[-1].body)
        await hear_each_other(ours, theirs)
        await incoming.bye()
        await asyncio.wait_for(call.ended.wait(), 60)
    ours.close()
    theirs.close()
    [record] = await exchange.over()

    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "callee-hung-up")


async def test_a_200_that_says_something_else_than_the_183_counts(exchange: TestExchange) -> None:
    """As behind a gateway that announces the call from one place and connects it to another."""
    ours, early, theirs = RtpPhone(), RtpPhone(), RtpPhone()
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        call = alice.invite("1002", ours.sdp())
        answered = asyncio.create_task(call.answered(60))
        incoming = await asyncio.wait_for(bob.incoming.get(), 60)
        early.read(incoming.invite.body)
        theirs.read(incoming.invite.body)
        incoming.ring(183, early.sdp())
        await asyncio.wait_for(call.ringing.wait(), 60)
        ours.read(call.provisionals[-1].body)
        await hear_each_other(early, ours)

        incoming.answer(theirs.sdp())
        assert (await answered).body == call.provisionals[-1].body
        await hear_each_other(ours, theirs)
        await incoming.bye()
        await asyncio.wait_for(call.ended.wait(), 60)
    for media in (ours, early, theirs):
        media.close()
    [record] = await exchange.over()

    assert (record.outcome, record.cause) == (CallOutcome.ANSWERED, "callee-hung-up")
