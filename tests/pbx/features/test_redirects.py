"""A phone that says the call should go elsewhere (3xx) sends it nowhere."""

from __future__ import annotations

from pbx.sip.message import response_to
from storage.calls import CallOutcome
from tests.support.calling import database, exchange
from tests.support.exchange import DOMAIN
from tests.support.front_desk import FrontDesk, front_desk
from tests.support.transfers import call_between, hear_each_other, refer

__all__ = ["database", "exchange", "front_desk"]


async def test_no_phone_leads_a_call_elsewhere(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002")
    tried = (
        ("1002", f"<sip:1003@{DOMAIN}>"),
        ("1002", "<sip:5551234567@carrier.example>"),
        ("2000", "<sip:1003@127.0.0.1:5061>"),
    )
    for dialled, contact in tried:
        placed = desk.call(desk.alice, dialled)
        at_bob = await desk.rung(desk.bob)
        moved = response_to(at_bob.invite, 302, to_tag="moved")
        moved.headers.add("Contact", contact)
        desk.bob.send(moved)
        assert await placed.refused() == 480
        assert desk.is_quiet(desk.carol, desk.dora)

    for record in await desk.records(3):
        assert (record.outcome, len(record.legs)) == (CallOutcome.DECLINED, 2)


async def test_nobody_is_put_through_to_a_code_or_outside(front_desk: FrontDesk) -> None:
    desk = front_desk
    desk.exchange.group("2000", "1002", "1003")
    async with call_between(desk.alice, "1002", desk.bob) as (outgoing, at_bob, ours, theirs):
        for number in ("*81003", "*97", "*78", "*721003", "911"):
            assert (await refer(at_bob, f"<sip:{number}@{DOMAIN}>")).status == 403, number
        assert (await refer(at_bob, f"<sip:5551234567@{DOMAIN}>")).status == 404
        assert (await refer(at_bob, "<sip:1003@carrier.example>")).status == 403
        await hear_each_other(ours, theirs)
        await outgoing.bye()
    await desk.records()
