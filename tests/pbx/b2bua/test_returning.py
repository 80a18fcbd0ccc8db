"""What an exchange makes of calls that it finds in its workers and did not begin."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from media.client import MediaClient, Place
from pbx.b2bua.returning import Return
from pbx.b2bua.snapshot import CallSnapshot, LegSnapshot, SnapshotKey
from storage.calls import CallOutcome
from storage.sealed.primitives import OpenError
from tests.support.calling import talking
from tests.support.exchange import TestExchange, clock
from tests.support.rtp_phone import RtpPhone

KEY = SnapshotKey(bytes(32))
WHERE = Place(local="127.0.0.1", peer="127.0.0.1")
STARTED = 1_000_000
RUN = "of this exchange"


async def nobody(calls: Sequence[UUID]) -> set[UUID]:
    return set()


async def everybody(calls: Sequence[UUID]) -> set[UUID]:
    return set(calls)


def returning(exchange: TestExchange, recorded=nobody, run: str = RUN) -> Return:  # type: ignore[no-untyped-def]
    return Return(exchange.calls, exchange.media, KEY, recorded, run)


def snapshot(call: UUID, **more: object) -> CallSnapshot:
    caller = LegSnapshot(
        id=uuid4(), role="caller", device=uuid4(), person=None, media="", dialog=None,
        started_at=STARTED, answered_at=None, status=0, phase="beginning",
    )  # fmt: skip
    facts = {
        "id": call, "route": "person", "is_emergency": False, "tenure": None, "started_at": STARTED,
        "answered_at": None, "caller_number": "", "caller_name": "", "dialled": "1002",
        "legs": (caller,),
    }  # fmt: skip
    return CallSnapshot(**(facts | more))  # type: ignore[arg-type]


async def left_behind(media: MediaClient, call: UUID, sealed: bytes) -> None:
    phone = RtpPhone()
    await media.open(str(call), WHERE, lambda event: None, phone.sdp(), sealed)
    phone.close()


async def test_what_does_not_open_is_given_up(exchange: TestExchange) -> None:
    await left_behind(exchange.media, uuid4(), b"not of this key, and long enough to be one")
    await returning(exchange).take_back()

    assert await exchange.media.calls() == []
    assert len(exchange.calls) == 0


async def test_a_call_that_nobody_had_answered_ends_and_is_recorded(
    exchange: TestExchange,
) -> None:
    call = uuid4()
    await left_behind(exchange.media, call, KEY.seal(snapshot(call)))
    await returning(exchange).take_back()
    [record] = await exchange.over()

    assert (record.id, record.outcome) == (call, CallOutcome.FAILED)
    assert (record.cause, record.route) == ("exchange-restarted", "person")
    assert (record.started_at, len(record.legs)) == (STARTED, 1)
    assert await exchange.media.calls() == []


async def test_a_call_that_had_ended_is_recorded_as_it_was_unless_it_is_already(
    exchange: TestExchange,
) -> None:
    for recorded in (everybody, nobody):
        call = uuid4()
        ended = snapshot(
            call, ended_at=STARTED + 5, cause="caller-hung-up", outcome=CallOutcome.ANSWERED
        )
        await left_behind(exchange.media, call, b"")
        [stored] = await exchange.media.calls()
        await exchange.media.drop_all(stored.legs, KEY.seal(ended))
        await returning(exchange, recorded).take_back()
        if recorded is everybody:
            assert len(exchange.calls) == 0
            assert await exchange.media.calls() == []
    [record] = await exchange.over()

    assert (record.id, record.outcome, record.cause) == (
        call, CallOutcome.ANSWERED, "caller-hung-up"
    )  # fmt: skip
    assert record.ended_at == STARTED + 5


async def test_calls_of_our_own_are_left_alone_and_their_remains_dropped(
    exchange: TestExchange,
) -> None:
    async with talking(exchange) as talk:
        await returning(exchange).take_back()
        assert len(exchange.calls) == 1
        [stored] = await exchange.media.calls()
        offer = talk.alice_media.sdp()
        late = await exchange.media.open(stored.call, WHERE, print, offer)
        exchange.media._forget(late)  # its worker had not answered in time
        await returning(exchange).take_back()
        [still] = await exchange.media.calls()
        assert still.legs == stored.legs
        gone = uuid4()
        await left_behind(exchange.media, gone, KEY.seal(snapshot(gone, exchange=RUN)))
        await returning(exchange).take_back()
        assert [bool(stored.legs) for stored in await exchange.media.calls()].count(True) == 1
        await talk.outgoing.bye()
        [record] = await exchange.over()
        assert record.cause == "caller-hung-up"


async def test_a_call_that_began_before_the_clock_was_set_back_is_taken_back(
    exchange: TestExchange,
) -> None:
    call = uuid4()
    later = clock() + 3_600_000_000
    await left_behind(exchange.media, call, KEY.seal(snapshot(call, started_at=later)))
    await returning(exchange).take_back()
    [record] = await exchange.over()

    assert (record.id, record.cause) == (call, "exchange-restarted")


async def test_what_is_left_of_a_call_that_has_its_record_is_dropped(
    exchange: TestExchange,
) -> None:
    """Its worker did not answer when it ended."""
    call = uuid4()
    await left_behind(exchange.media, call, KEY.seal(snapshot(call)))
    await returning(exchange, everybody).take_back()

    assert len(exchange.calls) == 0
    assert await exchange.media.calls() == []


async def test_a_call_that_cannot_be_taken_back_keeps_no_other_one_waiting(
    exchange: TestExchange,
) -> None:
    senseless, other = uuid4(), uuid4()
    for call, more in ((senseless, {"legs": ()}), (other, {})):
        await left_behind(exchange.media, call, KEY.seal(snapshot(call, **more)))
    await returning(exchange).take_back()
    [record] = await exchange.over()

    assert record.id == other
    assert await exchange.media.calls() == []


def test_a_snapshot_of_another_version_does_not_open() -> None:
    call = uuid4()
    sealed = KEY.seal(snapshot(call))
    with pytest.raises(OpenError):
        KEY.open(sealed[:-1])
