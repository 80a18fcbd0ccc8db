"""Who an event is for, and who may say it: requests outside calls, and in calls of others."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from pbx.sip.message import Request, Response
from tests.support.calling import Talk, database, exchange, talking
from tests.support.exchange import TestExchange
from tests.support.phone import Phone
from tests.support.sip_server import DOMAIN

__all__ = ["database", "exchange"]


async def asked(phone: Phone, method: str, *headers: tuple[str, str]) -> Response:
    """The final response to a request outside any dialog."""
    request = phone.request(method, f"sip:{DOMAIN}")
    for name, value in headers:
        request.headers.set(name, value)
    return await phone.ask(request)


def theft(thief: Phone, request: Request) -> Request:
    """The same request of a dialog, as another phone would say it."""
    stolen = thief.request(request.method, request.uri_text)
    for name in ("From", "To", "Call-ID", "CSeq"):
        stolen.headers.set(name, request.headers.all(name)[0])
    return stolen


async def test_options_are_told_to_anybody(exchange: TestExchange) -> None:
    async with exchange.phone("alice", registers=False) as stranger:
        told = await asked(stranger, "OPTIONS")

    assert told.status == 200
    allowed = {part.strip() for line in told.headers.all("Allow") for part in line.split(",")}
    assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER"} <= allowed
    assert stranger.challenges == 0


@pytest.mark.parametrize("method", ["MESSAGE", "PUBLISH", "NONSENSE"])
async def test_a_method_that_we_do_not_know_is_405_with_what_we_do(
    exchange: TestExchange, method: str
) -> None:
    async with exchange.phone("alice") as alice:
        refused = await asked(alice, method)

    assert refused.status == 405
    assert "INVITE" in refused.headers.all("Allow")[0]


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE"])
@pytest.mark.parametrize("tag", ["", ";tag=nobody"])
async def test_what_belongs_to_no_call_is_481(
    exchange: TestExchange, method: str, tag: str
) -> None:
    async with exchange.phone("alice") as alice:
        refused = await asked(alice, method, ("To", f"<sip:1002@{DOMAIN}>{tag}"))

    assert refused.status == 481


async def test_a_stranger_is_challenged_before_anything_is_said_of_a_number(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice", registers=False) as stranger:
        for number in ("1002", "4711", "911"):
            response = await stranger_invites(stranger, number)
            assert response.status == 401
    assert len(exchange.calls) == 0


async def stranger_invites(phone: Phone, number: str) -> Response:
    request = phone.request("INVITE", f"sip:{number}@{DOMAIN}")
    request.headers.add("Contact", phone.contact)
    responses = phone.start(request)
    async with asyncio.timeout(60):
        response = await responses.get()
        while response.status < 200:
            response = await responses.get()
    ack = Request("ACK", request.uri_text)
    for name in ("Via", "From", "Call-ID"):
        ack.headers.add(name, request.headers.all(name)[0])
    ack.headers.add("To", response.headers.all("To")[0])
    ack.headers.add("CSeq", f"{request.cseq.number} ACK")
    phone.send(ack)
    phone.finish(request)
    return response


@pytest.mark.parametrize("method", ["BYE", "INFO"])
async def test_on_a_new_flow_a_phone_proves_itself_before_its_call_hears_it(
    exchange: TestExchange, method: str
) -> None:
    async with talking(exchange) as talk:
        await moved(exchange, talk)
        challenges = talk.alice.challenges
        said = await talk.outgoing.ask(talk.outgoing.message(method))
        assert (said.status, talk.alice.challenges) == (200, challenges + 1)
        if method != "BYE":
            again = await talk.outgoing.ask(talk.outgoing.message(method))
            assert (again.status, talk.alice.challenges) == (200, challenges + 1)
            await talk.outgoing.bye()


async def moved(exchange: TestExchange, talk: Talk) -> None:
    """Alice has a new flow, on which nothing was proved."""
    talk.alice.close()
    await asyncio.wait_for(talk.alice.closed.wait(), 60)
    await exchange.connect(talk.alice)


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "INVITE"])
async def test_another_device_is_told_403_and_the_call_goes_on(
    exchange: TestExchange, method: str
) -> None:
    await exchange.enrol("1003", "mallory")
    async with talking(exchange) as talk, exchange.phone("mallory", registers=False) as mallory:
        request = theft(mallory, talk.outgoing.message(method))
        request.headers.set("Contact", mallory.contact)
        request.headers.set("CSeq", f"1000 {method}")
        mallory._cseq = itertools.count(2000)
        assert (await mallory.ask(request)).status == 403
        assert mallory.challenges == 1
        assert len(exchange.calls) == 1
        assert not talk.incoming.ended.is_set()
        assert (await talk.outgoing.bye()).status == 200  # its numbers go on from its own


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "INVITE", "PRACK"])
async def test_who_knows_the_tags_but_proves_nothing_uses_up_no_number(
    exchange: TestExchange, method: str
) -> None:
    async with talking(exchange) as talk, exchange.phone("alice", registers=False) as stranger:
        request = theft(stranger, talk.outgoing.message(method))
        request.headers.set("CSeq", f"1000 {method}")
        request.headers.set("Contact", stranger.contact)
        responses = stranger.start(request)
        assert (await asyncio.wait_for(responses.get(), 60)).status == 401
        stranger.finish(request)
        talk.outgoing._cseq -= 1
        assert (await talk.outgoing.bye()).status == 200
        assert talk.alice.challenges == 1


async def test_an_ack_of_another_device_confirms_nothing(exchange: TestExchange) -> None:
    await exchange.enrol("1003", "mallory")
    async with talking(exchange) as talk, exchange.phone("mallory") as mallory:
        request = talk.outgoing.message("INVITE")
        offered = await talk.outgoing.ask(request)
        assert b"a=crypto" in offered.body
        ack = talk.outgoing.message("ACK", talk.alice_media.sdp())
        ack.headers.set("CSeq", f"{request.cseq.number} ACK")
        stolen = theft(mallory, ack)
        stolen.headers.add("Content-Type", "application/sdp")
        stolen.body = b"v=0"
        mallory.start(stolen)
        mallory.finish(stolen)
        assert (await mallory.register()).status == 200  # behind the ACK on the same flow
        talk.alice.start(ack)
        talk.alice.finish(ack)
        assert (await talk.outgoing.bye()).status == 200

    [record] = await exchange.over()
    assert record.cause == "caller-hung-up"


async def test_a_flow_that_closes_takes_its_bindings(exchange: TestExchange) -> None:
    async with exchange.phone("alice") as alice:
        assert len(exchange.location) == 1
        await alice.ping()
    async with exchange.phone("bob") as bob:
        assert (await bob.register()).status == 200
        async with asyncio.timeout(60):
            while len(exchange.location) > 1:
                await bob.ping()
    await exchange.flush()
    assert "registration.ended" in await exchange.ledger_actions()


async def test_a_device_that_may_no_longer_register_loses_its_bindings(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice"):
        [binding] = list(exchange.location)
        [device] = [
            d.id for d in exchange.directory.devices.values() if str(d.id) == binding.device
        ]
        exchange.signalling.forget(device)
        assert len(exchange.location) == 0


async def test_a_binding_ends_when_its_time_is_over(exchange: TestExchange) -> None:
    async with exchange.phone("alice"), exchange.phone("bob") as bob:
        assert (await bob.register(300)).status == 200
        assert len(exchange.location) == 2
        exchange.signalling._report(
            exchange.location.expire(asyncio.get_running_loop().time() + 301)
        )
        assert len(exchange.location) == 1
        exchange.signalling._expire()  # nothing is due: the timer is set again
        assert len(exchange.location) == 1
