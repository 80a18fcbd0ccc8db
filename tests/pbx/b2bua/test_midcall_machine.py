"""Anything a phone may send in a call, and much that it may not, in any order and from both ends.

Against the real calls, stack and media worker: every request is answered, nothing is left behind,
no packet comes that does not authenticate, and never two of our offers are open in one dialog.
MIDCALL_EXAMPLES=500 runs it for longer.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx.sip.message import Request, Response
from storage.database import Database
from tests.support.databases import sqlite_urls
from tests.support.exchange import DOMAIN, TestExchange
from tests.support.phone import Phone
from tests.support.phone_call import Call, CallFailed, Incoming
from tests.support.rtp_phone import RtpPhone

EXAMPLES = int(os.environ.get("MIDCALL_EXAMPLES", "12"))
PATIENCE = 60.0

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
TARGETS = (
    "<sip:1003@{}>", "<sip:4711@{}>", "<sip:911@{}>", "<sip:1001@{}>", "<sip:1002@{}>",
    "<sip:1003@elsewhere.example>", "nonsense",
    "<sip:1003@{}?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>",
)  # fmt: skip
SMALL = ("INFO", "OPTIONS", "UPDATE", "PRACK", "MESSAGE", "NOTIFY", "CANCEL", "SUBSCRIBE")

PCMU, G722, G729, OPUS = (
    (0, "PCMU/8000"), (9, "G722/8000"), (18, "G729/8000"), (96, "opus/48000/2")
)  # fmt: skip
SPOKEN = ((PCMU,), (G729, PCMU), (PCMU, G729), (OPUS, G729), (OPUS,), (G729,), (G722, PCMU))
"""Some of these have nothing in common, and one of them we cannot make over."""

sides = st.sampled_from(("alice", "bob"))
steps = st.one_of(
    st.tuples(st.just("reinvite"), sides, st.sampled_from(DIRECTIONS)),
    st.tuples(st.just("update"), sides, st.sampled_from(DIRECTIONS)),
    st.tuples(st.just("nonsense"), sides, st.sampled_from(("INVITE", "UPDATE"))),
    st.tuples(st.just("late"), sides, st.booleans()),
    st.tuples(st.just("small"), sides, st.sampled_from(SMALL)),
    st.tuples(st.just("refer"), sides, st.sampled_from(TARGETS)),
    st.tuples(st.just("old-number"), sides, st.sampled_from(("INVITE", "UPDATE", "REFER", "BYE"))),
    st.tuples(st.just("overlap"), sides, st.sampled_from(("INVITE", "UPDATE"))),
    st.tuples(st.just("codecs"), sides, st.sampled_from(SPOKEN)),
    st.tuples(st.just("answers"), sides, st.sampled_from(SPOKEN)),
    st.tuples(st.just("roam"), sides, st.sampled_from(("INVITE", "UPDATE", "INFO"))),
    st.tuples(st.just("bye"), sides, st.none()),
)
moods = st.lists(st.sampled_from((200, 200, 200, 491, 488)), min_size=1, max_size=4)
targets = st.sampled_from(("answers", "busy", "rings"))


class House:
    """One exchange for all examples, on a loop of its own."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._folder, self._template = folder, template

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    async def open(self) -> None:
        path = self._folder / "pbx.db"
        shutil.copy(self._template, path)
        self.database = await Database.open(sqlite_urls(path).service)
        self.exchange = TestExchange(self._folder / "x", self.database, ring_seconds=5)
        await self.exchange.__aenter__()
        for number, name in (("1001", "alice"), ("1002", "bob"), ("1003", "carol")):
            await self.exchange.enrol(number, name)

    async def close(self) -> None:
        await self.exchange.__aexit__()
        await self.database.close()


@pytest.fixture
def house(open_path: Path, sqlite_template: Path) -> Iterator[House]:
    house = House(open_path, sqlite_template)
    house.run(house.open())
    yield house
    house.run(house.close())
    house.loop.close()


class Party:
    """A phone's call: answers what the exchange asks, in its mood, and counts what is open."""

    def __init__(self, call: Call, media: RtpPhone, moods: list[int]) -> None:
        self.call, self.media = call, media
        self._moods = moods
        self._turn = 0
        self._task = asyncio.create_task(self._answer())

    async def _answer(self) -> None:
        while True:
            request = await self.call.requests.get()
            await asyncio.sleep(0.02)
            waiting = [r.method for r in list(self.call.requests._queue)]  # type: ignore[attr-defined]
            if request.method in ("INVITE", "UPDATE"):
                assert request.method not in waiting, "two of a kind are open"
            self._respond(request)

    def _respond(self, request: Request) -> None:
        if request.method not in ("INVITE", "UPDATE"):
            self.call.answer_in_dialog(request, 200)
            return
        status = self._moods[self._turn % len(self._moods)]
        self._turn += 1
        if self._turn > 12:
            status = 200
        body = self.media.sdp() if status == 200 and request.body else b""
        self.call.answer_in_dialog(request, status, body)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._task.done() and not self._task.cancelled():
            failure = self._task.exception()
            assert failure is None, failure
        self.media.close()


async def one_call(
    house: House, script: list[Any], moods: list[int], target: str, spoken: list[Any]
) -> None:
    exchange = house.exchange
    async with (
        exchange.phone("alice") as alice,
        exchange.phone("bob") as bob,
        exchange.phone("carol") as carol,
    ):
        helper = asyncio.create_task(be_carol(carol, target, spoken[1]))
        ours, theirs = RtpPhone(formats=spoken[0]), RtpPhone(formats=spoken[0])
        outgoing = alice.invite("1002", ours.sdp())
        async with asyncio.timeout(PATIENCE):
            incoming = await bob.incoming.get()
            theirs.read(incoming.invite.body)
            incoming.answer(theirs.sdp())
            ours.read((await outgoing.answered()).body)
            await incoming.confirmed.wait()
        parties = {"alice": Party(outgoing, ours, moods), "bob": Party(incoming, theirs, moods)}
        for name, side, what in script:
            async with asyncio.timeout(PATIENCE):
                await step(exchange, parties[side], name, what)
            for party in parties.values():
                for number, _ in (PCMU, G729, OPUS):
                    party.media.send(b"\x01" * 20, number)
                party.media.take()
        assert all(link.is_up for link in exchange.media._links.values()), "the worker is gone"
        await over(exchange)
        for party in parties.values():
            party.media.take()
            assert party.media.refused == 0  # nothing came that did not authenticate
            await party.close()
        helper.cancel()
        await asyncio.gather(helper, return_exceptions=True)


async def over(exchange: TestExchange) -> None:
    """Everything ends when it is told to, and leaves nothing."""
    for row in exchange.calls.snapshot():
        exchange.calls.hang_up(row.id, "administrator")
    async with asyncio.timeout(PATIENCE):
        await exchange.calls.idle()
    assert len(exchange.calls.listeners) == 0
    assert not any(call.legs for call in await exchange.media.calls())


async def be_carol(phone: Phone, target: str, spoken: Any) -> None:
    while True:
        incoming: Incoming = await phone.incoming.get()
        if target == "busy":
            incoming.refuse(486)
            continue
        incoming.ring()
        if target == "answers":
            media = RtpPhone(formats=spoken)
            media.read(incoming.invite.body)
            incoming.answers_with = media.sdp()
            incoming.answer(media.sdp())
            media.close()


async def step(exchange: TestExchange, party: Party, name: str, what: Any) -> None:
    call, media = party.call, party.media
    match name:
        case "reinvite":
            await call.reinvite(media.sdp(what))
        case "update":
            await call.ask(call.message("UPDATE", media.sdp(what)))
        case "nonsense":
            clear = b"\r\n".join(
                line for line in media.sdp().split(b"\r\n") if not line.startswith(b"a=crypto")
            )
            request = call.message(what, clear)
            response = await call.ask(request)
            assert response.status >= 300, "plain media is never agreed to"
        case "late":
            await call.reinvite(b"", media.sdp() if what else b"")
        case "small":
            request = call.message(what)
            if what == "PRACK":
                request.headers.add("RAck", "1 1 INVITE")
            await call.ask(request)
        case "refer":
            request = call.message("REFER")
            request.headers.add("Refer-To", what.format(DOMAIN))
            request.headers.add("Contact", call.phone.contact)
            await call.ask(request)
        case "old-number":
            info = call.message("INFO")
            await call.ask(info)
            request = call.message(what)
            request.headers.set("CSeq", f"{info.cseq.number} {what}")
            response = await call.ask(request)
            assert response.status >= 400
        case "overlap":
            await overlap(call, what, media.sdp())
        case "codecs":
            media.formats = what
            await call.reinvite(media.sdp())
        case "answers":
            media.formats = what
        case "roam":
            call.phone.start(call.message(what, b"" if what == "INFO" else media.sdp()))
            call.phone.close()
            await exchange.connect(call.phone)
            assert (await call.phone.register()).status == 200
        case "bye":
            await call.ask(call.message("BYE"))


async def overlap(call: Call, method: str, body: bytes) -> None:
    """Two of a kind at once: at most one of them is accepted while the other is open."""
    first, second = (call.message(method, body) for _ in range(2))
    queues = [call.phone.start(request) for request in (first, second)]
    for request, queue in zip((first, second), queues, strict=True):
        response: Response = await queue.get()
        while response.status < 200:
            response = await queue.get()
        call.phone.finish(request)
        if method == "INVITE" and response.status < 300:
            ack = call.message("ACK")
            ack.headers.set("CSeq", f"{request.cseq.number} ACK")
            call.phone.start(ack)
            call.phone.finish(ack)


@settings(
    max_examples=EXAMPLES, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    script=st.lists(steps, max_size=12),
    moods=moods,
    target=targets,
    spoken=st.lists(st.sampled_from(SPOKEN), min_size=2, max_size=2),
)
def test_whatever_phones_say_in_a_call_it_ends_and_leaves_nothing(
    house: House, script: list[Any], moods: list[int], target: str, spoken: list[Any]
) -> None:
    try:
        house.run(one_call(house, script, moods, target, spoken))
    except CallFailed as failure:
        raise AssertionError(f"the call did not begin: {failure}") from failure
