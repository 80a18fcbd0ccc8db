"""Shared phones: who signs in has the phone until they sign out, or until something else does.

Lean phones, a real worker and a real key holder; time is moved by hand.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from pbx.sign_ins import SignIns
from storage.database import Database
from storage.ledger.entry import Actor, ActorKind
from storage.models.ledger import ledger
from storage.models.sign_ins import sign_in as table
from storage.sign_ins import Why
from tests.support.calling import database
from tests.support.databases import sqlite_urls
from tests.support.desk_calls import ended_because, sign_in_at, sign_out_at, type_pin
from tests.support.message_exchange import MessageExchange
from tests.support.phone import Phone
from tests.support.phone_call import CallFailed
from tests.support.rtp_phone import RtpPhone

__all__ = ["database"]


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        yield running


async def dials(exchange: MessageExchange, phone: str, number: str) -> int:
    """The final status of a call that nobody talks in."""
    async with exchange.phone(phone, registers=False) as calling:
        media = RtpPhone()
        call = calling.invite(number, media.sdp())
        try:
            status = (await call.answered()).status
            await call.bye()
        except CallFailed as failed:
            status = failed.response.status
        media.close()
    return status


async def talk(caller: Phone, number: str, callee: Phone) -> str:
    """A call from one to the other, answered and hung up; who the callee is told calls."""
    ours, theirs = RtpPhone(), RtpPhone()
    outgoing = caller.invite(number, ours.sdp())
    async with asyncio.timeout(60):
        incoming = await callee.incoming.get()
        incoming.answer(theirs.sdp())
        await outgoing.answered()
        await incoming.confirmed.wait()
    await outgoing.bye()
    for media in (ours, theirs):
        media.close()
    return incoming.invite.from_.uri.user


async def test_whoever_signs_in_has_the_phone_and_every_row_tells_two_people_apart(
    exchange: MessageExchange,
) -> None:
    desk = await exchange.share("desk")
    anna, ben = exchange.people["anna"].id, exchange.people["ben"].id
    async with exchange.phone("alice") as alice, exchange.phone("desk") as phone:
        for number, person in (("1001", anna), ("1002", ben)):
            await sign_in_at(exchange, "desk", number)
            assert exchange.desks.person_at(desk) is not None
            if person == ben:
                assert await talk(phone, "1001", alice) == "1002"
                await talk(alice, "1002", phone)
        await sign_out_at(exchange, "desk")
        assert exchange.desks.at(desk) is None
        assert exchange.directory.holder_of(desk) is None

    assert await ended_because(exchange, desk) == ["other", "code"]
    calls = await exchange.over()
    of_desk = [leg.person for call in calls for leg in call.legs if leg.device == desk]
    assert of_desk == [anna, ben, ben, ben, ben]
    async with exchange.database.read() as connection:
        held = (await connection.execute(select(table).order_by(table.c.started_at))).all()
        rows = (await connection.execute(select(ledger).order_by(ledger.c.sequence))).all()
    assert [(row.person_id, row.reason) for row in held] == [(anna, "other"), (ben, "code")]
    signed_in = [row for row in rows if row.action == "phone.signed_in"]
    assert [(row.actor_id, row.session_id) for row in signed_in] == [
        (row.person_id, row.id) for row in held
    ]
    ended = [row.after for row in rows if row.action == "call.ended" and str(desk) in row.after]
    assert [(str(anna) in after, str(ben) in after) for after in ended[:2]] == [
        (True, False), (False, True),
    ]  # fmt: skip


async def test_signed_out_it_calls_for_help_and_nowhere_else(exchange: MessageExchange) -> None:
    desk = await exchange.share("desk")
    assert await dials(exchange, "desk", "1001") == 403
    assert await dials(exchange, "desk", "*981001") == 403
    assert await dials(exchange, "desk", "*78") == 403
    assert await dials(exchange, "desk", "911") == 200
    assert await dials(exchange, "desk", "933") == 200
    assert await dials(exchange, "bob", "*711001") == 403, "bob's phone is nobody else's"

    await sign_in_at(exchange, "desk", "1001")
    assert await dials(exchange, "desk", "*78") == 200
    assert await dials(exchange, "desk", "911") == 200
    admin = Actor(ActorKind.PERSON, exchange.people["admin"].id)
    assert await exchange.desks.sign_out(desk, Why.ADMIN, admin)
    assert await dials(exchange, "desk", "911") == 200
    assert exchange.directory.tenancies["1001"].reach.do_not_disturb
    assert await ended_because(exchange, desk) == ["admin"]


async def test_signed_out_it_answers_for_its_place_and_calls_inside_where_that_allows_it(
    exchange: MessageExchange,
) -> None:
    desk = await exchange.share("desk", number="1002", may_call=True)
    async with exchange.phone("alice") as alice, exchange.phone("desk") as phone:
        assert await talk(alice, "1002", phone) == "1001"
        assert await talk(phone, "1001", alice) == "phone", "it is nobody who calls"
        assert exchange.directory.devices_of_mailbox[exchange.mailbox()] == (
            exchange.directory.tenancies["1002"].devices[0],
        ), "its lamp shows nothing of whoever has the number"

    calls = await exchange.over()
    assert [leg.person for call in calls for leg in call.legs if leg.device == desk] == [None] * 2


async def test_idle_time_ends_it_a_call_keeps_it_and_messages_ask_who_it_is(
    exchange: MessageExchange,
) -> None:
    desk = await exchange.share("desk", idle_minutes=10)
    await sign_in_at(exchange, "desk", "1002")
    async with exchange.calling("desk", "*43") as caller:
        caller.speak()
        exchange.house.time.pass_(11 * 60)
        await exchange.desks.tick()
        assert exchange.desks.at(desk) is not None, "somebody speaks"
        await caller.hang_up()
    async with exchange.calling("desk", "*97") as caller:
        caller.speak()
        await type_pin(caller)  # whose it is, the phone knows
        await caller.prompted("vm-none")
        await caller.hang_up()
    await exchange.calls.idle()
    exchange.house.time.pass_(9 * 60)
    await exchange.desks.tick()
    assert exchange.desks.at(desk) is not None
    exchange.house.time.pass_(61)
    await exchange.desks.tick()

    assert exchange.desks.at(desk) is None
    assert await ended_because(exchange, desk) == ["idle"]
    async with exchange.calling("desk", "*97") as caller:
        caller.speak()
        await caller.prompted("vm-number")
        await caller.press_slowly("1001#")
        await type_pin(caller)
        await caller.prompted("vm-none")
        await caller.hang_up()
    seat = exchange.desks.at(desk)
    assert seat is not None
    assert seat.row.person == exchange.people["anna"].id


async def test_a_wrong_pin_slows_the_phone_and_signs_nobody_in(exchange: MessageExchange) -> None:
    desk = await exchange.share("desk")
    await sign_in_at(exchange, "desk", "1002", pin="739155", times=3)
    await sign_in_at(exchange, "desk", "1002", times=3)  # the right one now, from a slowed phone
    assert exchange.desks.at(desk) is None
    [other] = [await exchange.share("other")]

    await sign_in_at(exchange, "other", "1002")

    assert exchange.desks.at(other) is not None, "the person is not locked"


async def phone_sessions(exchange: MessageExchange, person: UUID) -> list[UUID]:
    held = await exchange.keyholder.sessions(person)
    return [session.id for session in held if session.kind == "phone"]


async def test_one_person_is_signed_in_on_one_phone_and_leaving_ends_it_at_once(
    exchange: MessageExchange,
) -> None:
    first, second = await exchange.share("desk"), await exchange.share("other")
    ben = exchange.people["ben"].id
    await sign_in_at(exchange, "desk", "1002")
    assert await phone_sessions(exchange, ben) == [], "nothing is left open at the key holder"
    await sign_in_at(exchange, "other", "1002")
    assert exchange.desks.at(first) is None

    assert await exchange.desks.end_of(ben) == 1

    assert (exchange.desks.at(second), len(exchange.desks)) == (None, 0)
    assert await ended_because(exchange, first) == ["moved"]
    assert await ended_because(exchange, second) == ["left"]


async def test_a_restart_signs_everybody_out_and_writes_it_down(exchange: MessageExchange) -> None:
    desk = await exchange.share("desk")
    await sign_in_at(exchange, "desk", "1002")

    again = SignIns(exchange.desks.ground)
    assert again.at(desk) is None
    await again.tick()
    await again.tick()

    assert await ended_because(exchange, desk) == ["restart"]


async def test_signing_out_does_not_wait_for_a_database_that_is_away(
    exchange: MessageExchange, tmp_path: Path
) -> None:
    desk = await exchange.share("desk")
    await sign_in_at(exchange, "desk", "1002")
    await exchange.calls.idle()
    gone = Database.connect(sqlite_urls(tmp_path / "gone" / "pbx.db").service)
    here, exchange.database.engine = exchange.database.engine, gone.engine

    assert await exchange.desks.sign_out(desk, Why.ADMIN)

    assert exchange.directory.holder_of(desk) is None
    exchange.database.engine = here
    assert await exchange.committer.retry()
    await exchange.desks.tick()
    async with exchange.database.read() as connection:
        [row] = (await connection.execute(select(table))).all()
    assert (row.person_id, row.reason) == (exchange.people["ben"].id, "admin")
    await gone.close()
