"""Emergency calls beside everything that ends, limits or breaks other calls."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copy

import msgspec
import pytest

from certs.contexts import client_context
from pbx.sip.multipart import Part, parts_of, write
from storage.database import Database
from tests.support.databases import sqlite_urls
from tests.support.exchange import SECRET, TestExchange
from tests.support.phone import Account, Phone
from tests.support.phone_call import CallFailed
from tests.support.rtp_phone import RtpPhone
from tests.support.sip_server import DOMAIN


@pytest.fixture
async def exchange(
    open_path: Path, tmp_path: Path, sqlite_template: Path
) -> AsyncIterator[TestExchange]:
    path = tmp_path / "pbx.db"
    copy(sqlite_template, path)
    database = await Database.open(sqlite_urls(path).service)
    limits = {"ring_seconds": 5, "emergencies_per_device": 1}
    async with TestExchange(open_path / "x", database, **limits) as running:
        await running.enrol("1001", "alice")
        await running.enrol("1002", "bob", emergency=True)
        yield running
    await database.close()


@asynccontextmanager
async def registered(exchange: TestExchange, name: str) -> AsyncIterator[Phone]:
    phone = Phone(Account(username=name, domain=DOMAIN, password=SECRET))
    trusted = client_context(exchange.authority.root_pem_path)
    await phone.connect(("127.0.0.1", exchange.port), trusted)
    assert (await phone.register()).status == 200
    try:
        yield phone
    finally:
        phone.close()


async def test_nobody_hangs_up_an_emergency_call_and_one_phone_makes_few(
    exchange: TestExchange,
) -> None:
    async with registered(exchange, "alice") as alice:
        media = RtpPhone()
        call = alice.invite("911", media.sdp(), ("Require", "unheard-of"))
        await call.answered()
        [row] = exchange.calls.snapshot()
        [device] = row.devices
        assert exchange.calls.is_emergency(row.id)
        assert exchange.calls.is_in_emergency(device)
        assert not exchange.calls.hang_up(row.id, "administrator")
        assert exchange.calls.hang_up_device(device, "device-changed") == 0
        holder = exchange.directory.holder_of(device)
        assert holder is not None
        assert exchange.calls.hang_up_person(holder.person, "person-left") == 0

        with pytest.raises(CallFailed, match="486"):
            await alice.invite("911", media.sdp()).answered()
        assert len(exchange.calls) == 1
        assert (await call.bye()).status == 200
        media.close()


async def test_help_comes_however_a_phone_writes_the_number(exchange: TestExchange) -> None:
    async with registered(exchange, "alice") as alice:
        media = RtpPhone()
        for target in (
            f"sip:911;phone-context=+1@{DOMAIN};user=phone",
            f"sips:9%311@{DOMAIN}",
            "sip:911;cpc=payphone@elsewhere.example",
            "tel:911",
            "tel:9-911;phone-context=+1",
        ):
            call = alice.invite(target, media.sdp())
            assert (await call.answered()).status == 200
            [row] = exchange.calls.snapshot()
            assert exchange.calls.is_emergency(row.id), target
            assert (await call.bye()).status == 200
            await exchange.calls.idle()
        media.close()


async def test_the_last_ports_are_for_emergency_calls(exchange: TestExchange) -> None:
    around = dataclasses.replace(exchange.calls._around, legs_per_worker=4)
    exchange.calls._around = dataclasses.replace(
        around, config=type(around.config)(ring_seconds=5, emergency_legs=4)
    )
    async with registered(exchange, "alice") as alice, registered(exchange, "bob") as bob:
        media = RtpPhone()
        calls = [alice.invite("*43", media.sdp()) for _ in range(3)]
        for call in calls:
            await call.answered()
        with pytest.raises(CallFailed, match="503"):
            await bob.invite("*43", media.sdp()).answered()
        emergency = alice.invite("911", media.sdp())
        assert (await emergency.answered()).status == 200
        for call in (*calls, emergency):
            await call.bye()
        media.close()


async def test_a_contact_that_cannot_be_written_stops_neither_words_nor_other_phones(
    exchange: TestExchange,
) -> None:
    async with registered(exchange, "alice") as alice, registered(exchange, "bob") as bob:
        binding = max(exchange.location, key=lambda binding: binding.flow)
        broken = msgspec.structs.replace(binding, uri="sip:not a uri", seen=binding.seen + 1)
        exchange.location.bind(broken)
        media, theirs = RtpPhone(), RtpPhone()
        call = alice.invite("9-1.1", media.sdp())
        async with asyncio.timeout(60):
            incoming = await bob.incoming.get()
        theirs.read(incoming.invite.body)
        incoming.answer(theirs.sdp())
        await call.answered()
        await incoming.confirmed.wait()
        assert incoming.invite.to.uri_text == f"sip:911@{DOMAIN}"
        await call.bye()
        media.close()
        theirs.close()


async def test_a_phone_with_a_broken_route_in_its_answer_ends_and_gives_its_ports_back(
    exchange: TestExchange,
) -> None:
    async with registered(exchange, "alice") as alice, registered(exchange, "bob") as bob:
        media, theirs = RtpPhone(), RtpPhone()
        call = alice.invite("1002", media.sdp())
        async with asyncio.timeout(60):
            incoming = await bob.incoming.get()
            incoming.invite.headers.add("Record-Route", "junk <<")
            theirs.read(incoming.invite.body)
            incoming._routes = []
            response = incoming._response(200, theirs.sdp())
            bob.send(response)
            await incoming.ended.wait()
        with pytest.raises(CallFailed, match="480"):
            await call.answered()
        [record] = await exchange.over()
        assert [leg.status for leg in record.legs] == [480, 502]
        assert await exchange.media.calls() == []
        media.close()
        theirs.close()


PLACE = b"<presence xmlns='urn:ietf:params:xml:ns:pidf'><tuple id='exam-room-2'/></presence>"
BOUNDARY = ("Content-Type", "multipart/mixed;boundary=b")
WHERE = ("Geolocation", "<cid:where@alice>")


def with_place(sdp: bytes) -> bytes:
    place = Part(content_type="application/pidf+xml", body=PLACE, content_id="<where@alice>")
    return write((Part(content_type="application/sdp", body=sdp), place), "b")


@pytest.mark.parametrize("takes_it", [True, False])
async def test_the_location_of_an_emergency_call_reaches_the_phone_that_answers(
    exchange: TestExchange, takes_it: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with registered(exchange, "alice") as alice, registered(exchange, "bob") as bob:
        ours, theirs = RtpPhone(), RtpPhone()
        call = alice.invite("urn:service:sos.fire", with_place(ours.sdp()), WHERE, kind=BOUNDARY[1])
        ours.read((await call.answered()).body)
        incoming = await bob.incoming.get()
        parts = parts_of(incoming.invite)
        assert [part.content_type for part in parts] == ["application/sdp", "application/pidf+xml"]
        assert (parts[1].body, parts[1].content_id) == (PLACE, "<where@alice>")
        assert incoming.invite.headers.all("Geolocation") == [WHERE[1]]
        sdp = parts[0].body
        if not takes_it:
            incoming.refuse(415)
            incoming = await bob.incoming.get()
            assert incoming.invite.headers.first("Geolocation") is None
            sdp = incoming.invite.body
        theirs.read(sdp)
        incoming.answer(theirs.sdp())
        await incoming.confirmed.wait()
        assert incoming.invite.headers.first("Priority") == "emergency"
        await call.bye()
        async with asyncio.timeout(60):
            await incoming.ended.wait()
            [record] = await exchange.over()
        assert (record.route, record.is_emergency) == ("emergency", True)
        assert "exam-room-2" not in caplog.text
        for media in (ours, theirs):
            media.close()


async def test_the_location_of_an_ordinary_call_goes_nowhere(exchange: TestExchange) -> None:
    async with registered(exchange, "alice") as alice, registered(exchange, "bob") as bob:
        media = RtpPhone()
        call = alice.invite("1002", with_place(media.sdp()), WHERE, kind=BOUNDARY[1])
        incoming = await bob.incoming.get()
        assert b"presence" not in incoming.invite.encode()
        assert incoming.invite.headers.first("Geolocation") is None
        incoming.refuse(486)
        with pytest.raises(CallFailed, match="486"):
            await call.answered()
        media.close()
