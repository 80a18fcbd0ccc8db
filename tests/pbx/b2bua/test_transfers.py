"""REFER and Replaces at the borders: whose dialog it is, how it is told, and across two workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from pbx.gruu import public
from storage.calls import CallOutcome
from tests.support.calling import talking
from tests.support.exchange import DOMAIN, SECRET, TestExchange
from tests.support.phone import Account, Phone
from tests.support.phone_call import CallFailed, Outgoing
from tests.support.rtp_phone import RtpPhone
from tests.support.transfers import (
    attended,
    call_between,
    change,
    hear_each_other,
    news,
    refer,
    replaced,
    transfers,
)


@pytest.fixture
async def carol(exchange: TestExchange) -> AsyncIterator[Phone]:
    await exchange.enrol("1003", "carol")
    async with exchange.phone("carol") as phone:
        yield phone


async def test_only_who_holds_both_dialogs_joins_what_is_behind_them(
    exchange: TestExchange, carol: Phone
) -> None:
    await exchange.enrol("1009", "mallory")
    async with talking(exchange) as talk, exchange.phone("mallory") as mallory:
        async with call_between(talk.bob, "1003", carol) as (second, at_carol, _, carol_media):
            wrong = replaced(second).replace("from-tag=", "from-tag=x")
            assert (await refer(talk.incoming, attended(wrong))).status == 481
            async with stranger(exchange, mallory) as theirs:
                refused = await refer(theirs, attended(replaced(second)))
                assert refused.status == 403
                await theirs.bye()

            accepted = await refer(talk.incoming, attended(replaced(second)))
            assert accepted.status == 202
            assert await news(talk.incoming) == "100"
            assert await news(talk.incoming) == "200"
            await asyncio.wait_for(talk.incoming.ended.wait(), 60)
            await asyncio.wait_for(second.ended.wait(), 60)
            await hear_each_other(talk.alice_media, carol_media)
            await talk.outgoing.bye()
            await asyncio.wait_for(at_carol.ended.wait(), 60)
    records = await exchange.over()
    assert len(exchange.calls.listeners) == 0
    assert (await exchange.ledger_actions()).count("call.claimed") == 2  # one for each device
    joined = next(record for record in records if record.cause == "caller-hung-up")
    assert joined.outcome is CallOutcome.ANSWERED
    assert {leg.role for leg in joined.legs} == {"caller", "callee"}


async def test_two_transfers_of_one_phone_that_cross_are_one(
    exchange: TestExchange, carol: Phone
) -> None:
    async with (
        talking(exchange) as talk,
        call_between(talk.bob, "1003", carol) as (second, at_carol, _, carol_media),
    ):
        one, other = await asyncio.gather(
            refer(talk.incoming, attended(replaced(second))),
            refer(second, attended(replaced(talk.incoming))),
        )
        assert {one.status, other.status} == {202, 481}
        await asyncio.wait_for(talk.incoming.ended.wait(), 60)
        await asyncio.wait_for(second.ended.wait(), 60)
        await hear_each_other(talk.alice_media, carol_media)
        await talk.outgoing.bye()
        await asyncio.wait_for(at_carol.ended.wait(), 60)
    assert len(await exchange.over()) == 2
    assert len(exchange.calls.listeners) == 0


def answer_to(media: RtpPhone, offer: bytes) -> bytes:
    media.read(offer)
    return media.sdp()


@asynccontextmanager
async def stranger(exchange: TestExchange, phone: Phone) -> AsyncIterator[Outgoing]:
    """A call of somebody who has nothing to do with it, to a colleague."""
    await exchange.enrol("1010", "peer")
    async with exchange.phone("peer") as peer, call_between(phone, "1010", peer) as call:
        yield call[0]


@pytest.mark.parametrize("offers_late", [False, True])
async def test_another_phone_of_the_same_person_takes_the_place_of_the_first(
    exchange: TestExchange, offers_late: bool
) -> None:
    await exchange.enrol("1005", "desk", "mobile")
    await exchange.enrol("1009", "mallory")
    async with (
        exchange.phone("alice") as alice,
        exchange.phone("desk") as desk,
        exchange.phone("mobile", registers=False) as mobile,
        exchange.phone("mallory") as mallory,
        call_between(alice, "1005", desk) as (outgoing, at_desk, alice_media, _),
    ):
        media = RtpPhone()
        name = replaced(at_desk)
        for thief, dialog, status in ((mallory, name, "403"), (mallory, name + "x", "481")):
            with pytest.raises(CallFailed, match=status):
                await thief.invite("1005", media.sdp(), ("Replaces", dialog)).answered()
        with pytest.raises(CallFailed, match="486"):
            early = name + ";early-only"
            await mobile.invite("1005", media.sdp(), ("Replaces", early)).answered()

        taking = mobile.invite("1005", b"" if offers_late else media.sdp(), ("Replaces", name),
                               ("Require", "replaces"))  # fmt: skip
        taking.answers_late = (lambda offer: answer_to(media, offer)) if offers_late else None
        answer = await taking.answered()
        if not offers_late:
            media.read(answer.body)
        await asyncio.wait_for(at_desk.ended.wait(), 60)
        await hear_each_other(alice_media, media)
        await taking.bye()
        await asyncio.wait_for(outgoing.ended.wait(), 60)
        media.close()
    [record] = await exchange.over()
    assert len(record.legs) == 3
    assert [(one["kind"], one["status"]) for one in await transfers(exchange)] == [
        ("taken-over", 200)
    ]


async def test_a_phone_that_wants_no_news_gets_none(exchange: TestExchange, carol: Phone) -> None:
    async with talking(exchange) as talk:
        accepted = await refer(talk.incoming, f"<sip:1003@{DOMAIN}>", Refer_Sub="false")
        assert accepted.status == 202
        assert accepted.headers.first("Refer-Sub") == "false"
        at_carol = await asyncio.wait_for(carol.incoming.get(), 60)
        media = RtpPhone()
        media.read(at_carol.invite.body)
        at_carol.answer(media.sdp())
        await asyncio.wait_for(talk.incoming.ended.wait(), 60)
        assert talk.incoming.requests.empty()
        await hear_each_other(talk.alice_media, media)
        await talk.outgoing.bye()
        media.close()
    assert len(await exchange.over()) == 1


async def test_somebody_whose_codec_we_cannot_play_in_is_put_through_all_the_same(
    exchange: TestExchange, carol: Phone
) -> None:
    rare = ((18, "G729/8000"),)
    ours, first, second = (RtpPhone(formats=rare) for _ in range(3))
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        outgoing = alice.invite("1002", ours.sdp())
        at_bob = await asyncio.wait_for(bob.incoming.get(), 60)
        first.read(at_bob.invite.body)
        at_bob.answer(first.sdp())
        ours.read((await outgoing.answered()).body)
        assert (await refer(at_bob, f"<sip:1003@{DOMAIN}>")).status == 202
        at_carol = await asyncio.wait_for(carol.incoming.get(), 60)
        at_carol.ring()
        second.read(at_carol.invite.body)
        at_carol.answer(second.sdp())
        await asyncio.wait_for(at_bob.ended.wait(), 60)
        while not second.heard:
            ours.send(b"\x31" * 20, 18)
            await asyncio.to_thread(second.listen, 0.05)
        await outgoing.bye()
        await asyncio.wait_for(at_carol.ended.wait(), 60)
    for media in (ours, first, second):
        media.close()
    [record] = await exchange.over()
    assert record.cause == "caller-hung-up"


@pytest.mark.parametrize(
    ("to", "status"),
    [
        (f"<sip:1003@{DOMAIN};method=BYE>", 403),
        ("<mailto:somebody@elsewhere.example>", 416),
        ("nonsense", 400),
        (f"<sip:1003@{DOMAIN}?Replaces=nonsense>", 400),
        (f"<sip:911@{DOMAIN};user=phone>", 403),
        ("<tel:+15550100>", 404),
        (f"<sip:1009@SIP.{DOMAIN}>", 404),  # another name of ours: there is no such number
        ("<sip:1009@127.0.0.1>", 404),
        ("<sip:1009@elsewhere.example>", 403),
        (f"<sip:{DOMAIN}>", 416),
    ],
)
async def test_what_cannot_be_done_is_refused_and_the_call_goes_on(
    exchange: TestExchange, to: str, status: int
) -> None:
    async with talking(exchange) as talk:
        assert (await refer(talk.incoming, to)).status == status
        assert (await talk.incoming.ask(talk.incoming.message("INFO"))).status == 200
        await hear_each_other(talk.alice_media, talk.bob_media)
        await talk.outgoing.bye()
    assert len(await exchange.over()) == 1


async def test_one_transfer_at_a_time_and_none_before_the_answer(
    exchange: TestExchange, carol: Phone
) -> None:
    async with talking(exchange) as talk:
        assert (await refer(talk.incoming, f"<sip:1003@{DOMAIN}>")).status == 202
        at_carol = await asyncio.wait_for(carol.incoming.get(), 60)
        at_carol.ring()
        assert await news(talk.incoming) == "100"
        assert await news(talk.incoming) == "180"
        assert (await refer(talk.incoming, f"<sip:1003@{DOMAIN}>")).status == 491
        assert (await refer(talk.outgoing, f"<sip:1003@{DOMAIN}>")).status == 491
        await talk.outgoing.bye()  # who waits hangs up: everybody else hears of it
        await asyncio.wait_for(at_carol.cancelled.wait(), 60)
        assert await news(talk.incoming) == "487"
        await asyncio.wait_for(talk.incoming.ended.wait(), 60)
    [record] = await exchange.over()
    assert record.cause == "caller-hung-up"
    assert [(one["kind"], one["status"]) for one in await transfers(exchange)] == [("blind", 487)]


async def test_who_is_put_through_and_who_they_hear_are_told_of_each_other(
    exchange: TestExchange, carol: Phone
) -> None:
    says = (("Supported", "from-change"), ("Allow", "INVITE, ACK, BYE, UPDATE"))
    async with talking(exchange, says=says) as talk:
        async with call_between(talk.alice, "1003", carol) as (second, at_carol, _, media):
            assert (await refer(talk.outgoing, attended(replaced(second)))).status == 202
            told = await change(talk.incoming, "UPDATE")  # Bob hears Carol: a new From
            assert told.from_.uri.user == "1003"
            assert told.from_.display == "Person 1003"
            assert told.from_.tag == talk.incoming._remote.partition(";tag=")[2]
            talk.incoming.answer_in_dialog(told, 200)
            told = await change(at_carol)  # Carol's phone knows neither: it is asserted to
            assert told.headers.first("P-Asserted-Identity") == f'"Person 1002" <sip:1002@{DOMAIN}>'
            assert told.from_.uri.user == "1001"
            at_carol.answer_in_dialog(told, 200, media.sdp())
            await hear_each_other(talk.bob_media, media)
            assert (await talk.incoming.ask(talk.incoming.message("BYE"))).status == 200
            await asyncio.wait_for(at_carol.ended.wait(), 60)
    assert len(await exchange.over()) == 2


async def reinvited(call: Outgoing, sdp: bytes) -> int:
    """Again, where it crosses one of the exchange's (RFC 3261 §14.1): that of the transfer may not
    be over when the first word is heard."""
    async with asyncio.timeout(60):
        while (response := await call.reinvite(sdp)).status == 491:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return response.status


async def test_legs_in_two_workers_hear_each_other(open_path, database) -> None:  # type: ignore[no-untyped-def]
    async with TestExchange(open_path / "x", database, workers=2) as exchange:
        for number, name in (("1001", "alice"), ("1002", "bob"), ("1003", "carol")):
            await exchange.enrol(number, name)
        async with exchange.phone("carol") as carol, talking(exchange) as talk:
            async with call_between(talk.bob, "1003", carol) as (second, at_carol, _, media):
                workers = {
                    leg.split(".")[0] for c in await exchange.media.calls() for leg in c.legs
                }
                assert len(workers) == 2
                talk.outgoing.answers_with = talk.alice_media.sdp()
                at_carol.answers_with = media.sdp()
                assert (await refer(talk.incoming, attended(replaced(second)))).status == 202
                await hear_each_other(talk.alice_media, media)
                assert await reinvited(talk.outgoing, talk.alice_media.sdp("sendonly")) == 200
                media.heard.clear()
                await asyncio.to_thread(media.listen, 5.0, until=20)
                assert len(media.heard) >= 20  # music, over both
                assert await reinvited(talk.outgoing, talk.alice_media.sdp()) == 200
                await hear_each_other(talk.alice_media, media)
                await talk.outgoing.bye()
                await asyncio.wait_for(at_carol.ended.wait(), 60)
        assert len(await exchange.over()) == 2
        assert not any(call.legs for call in await exchange.media.calls())


async def test_who_is_put_through_to_a_gruu_rings_that_phone_and_no_other(
    exchange: TestExchange,
) -> None:
    await exchange.enrol("1003", "carol")
    names = [str(uuid4()), str(uuid4())]
    account = Account(username="carol", domain=DOMAIN, password=SECRET)
    desk, hall = (Phone(account, instance=name) for name in names)
    theirs = RtpPhone()
    for phone in (desk, hall):
        await exchange.connect(phone)
        assert (await phone.register()).status == 200
    uri = public("carol", DOMAIN, f"<urn:uuid:{names[1]}>")
    async with talking(exchange) as talk:
        unknown = await refer(talk.incoming, f"<{uri.replace('carol', 'nobody')}>")
        assert unknown.status == 404
        assert (await refer(talk.incoming, f"<{uri}>")).status == 202
        ringing = await asyncio.wait_for(hall.incoming.get(), 60)
        theirs.read(ringing.invite.body)
        ringing.answer(theirs.sdp())
        await asyncio.wait_for(talk.incoming.ended.wait(), 60)
        await hear_each_other(talk.alice_media, theirs)
        assert desk.incoming.empty()
        await talk.outgoing.bye()
        await asyncio.wait_for(ringing.ended.wait(), 60)
    for end in (desk, hall, theirs):
        end.close()
    assert len(await exchange.over()) == 1
