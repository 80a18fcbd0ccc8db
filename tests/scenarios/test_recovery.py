"""The exchange is killed in the middle of calls: they go on, end and are recorded as if it had not.

KILLS: at how many random moments (50 in the long form); EVERY_STATE=1: at every named state.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from storage.calls import CallOutcome
from tests.support.callers import nothing_is_left, ports_of, records, restart
from tests.support.phone import Account, Phone
from tests.support.phone_call import CallFailed, Incoming, Outgoing
from tests.support.phonebook import SECRET, Line
from tests.support.product import DOMAIN, Product
from tests.support.rtp_phone import RtpPhone
from tests.support.two_way import in_front, talking

LINES = (Line(number="1001", username="alice"), Line(number="1002", username="bob"))
KILLS = int(os.environ.get("KILLS", "2"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600 + 60 * KILLS),
]
LONG = "KILLS" in os.environ or "EVERY_STATE" in os.environ
STATES = (
    "calling", "invited", "rung", "ringing", "answering", "answered", "talking", "reoffering",
    "reoffered", "hanging up", "hung up",
)  # fmt: skip
SOME_STATES = ("ringing", "talking", "hanging up")
GAP = 0.06
"""Seconds, on a machine that does nothing else; otherwise far less than there is no exchange."""


@pytest.fixture
async def product(open_path: Path) -> AsyncIterator[Product]:
    async with Product(open_path) as made:
        await made.provision(*LINES)
        await made.start()
        yield made


class Scene:
    """Alice calls Bob; at any of the named states the exchange may be killed."""

    def __init__(self, product: Product, at: Callable[[str], None] = lambda state: None) -> None:
        self.product, self.at = product, at
        self.alice, self.bob = [
            Phone(Account(username=name, domain=DOMAIN, password=SECRET))
            for name in ("alice", "bob")
        ]
        self.media = RtpPhone(), RtpPhone()
        self.outgoing: Outgoing | None = None
        self.incoming: Incoming | None = None
        self.is_up = self.was_admitted = False

    async def connect(self) -> None:
        for phone in (self.alice, self.bob):
            await phone.connect((self.product.address, self.product.port), self.product.context())
            assert (await phone.register()).status == 200

    async def set_up(self) -> None:
        self.at("calling")
        self.outgoing = call = self.alice.invite("1002", self.media[0].sdp())
        answered = asyncio.create_task(call.answered())
        try:
            self.at("invited")
            self.incoming = incoming = await self.bob.incoming.get()
            self.was_admitted = True
            self.at("rung")
            incoming.ring()
            await call.ringing.wait()
            self.at("ringing")
            self.media[1].read(incoming.invite.body)
            incoming.answer(self.media[1].sdp())
            self.at("answering")
            self.media[0].read((await answered).body)
            self.at("answered")
            await incoming.confirmed.wait()
            await call.ask(call.message("INFO"))  # behind the ACK: the exchange has it
            self.is_up = True
            self.at("talking")
        finally:
            answered.cancel()
            with suppress(asyncio.CancelledError, CallFailed, TimeoutError):
                await answered

    async def go_on(self) -> None:
        assert self.outgoing is not None
        self.at("reoffering")
        await self.outgoing.reinvite(self.media[0].sdp())
        self.at("reoffered")
        ending = asyncio.create_task(self.outgoing.bye())
        try:
            await asyncio.sleep(0)
            self.at("hanging up")
            await ending
            self.at("hung up")
        finally:
            ending.cancel()
            with suppress(asyncio.CancelledError):
                await ending

    async def whole(self) -> None:
        await self.set_up()
        await self.go_on()

    async def end(self) -> None:
        """Whoever still believes in the call hangs up; the other hears of it."""
        calls = [call for call in (self.outgoing, self.incoming) if call is not None]
        for call in calls:
            if not call.ended.is_set() and call._remote:
                answer = await call.bye()
                assert answer.status in (200, 481)
        if self.is_up:
            async with asyncio.timeout(60):
                for call in calls:
                    await call.ended.wait()

    def close(self) -> None:
        for phone in (self.alice, self.bob):
            phone.close()
        for media in self.media:
            media.close()


@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_a_call_survives_and_each_side_can_end_it(product: Product, who: str) -> None:
    scene = Scene(product)
    await scene.connect()
    await scene.set_up()
    assert scene.outgoing is not None
    assert scene.incoming is not None
    in_front(product.processes["worker"].pid)
    with talking(*scene.media) as talk:
        await asyncio.sleep(0.5)
        took = await restart(product)
        await scene.connect()
        assert (await scene.outgoing.reinvite(scene.media[0].sdp())).status == 200
        first, other = (
            (scene.outgoing, scene.incoming)
            if who == "caller"
            else (scene.incoming, scene.outgoing)
        )
    assert (await first.bye()).status == 200
    await asyncio.wait_for(other.ended.wait(), 60)
    scene.close()
    await nothing_is_left(product)

    for heard in talk.heard:
        assert heard.received >= heard.sent - 1
        assert heard.longest <= (GAP if LONG else took / 2)
    [record] = await records(product)
    assert (record.row.outcome, record.row.cause) == (CallOutcome.ANSWERED, f"{who}-hung-up")
    assert record.row.answered_at
    for leg, heard in zip(record.legs, reversed(talk.heard), strict=True):
        assert leg.receipt.received == heard.sent
        assert leg.receipt.signalling is not None
        assert leg.receipt.signalling.authentication == "digest SHA-256"
        assert leg.receipt.suite == "AES_CM_128_HMAC_SHA1_80"
    print(f"back after {took:.2f} s, longest {max(h.longest for h in talk.heard) * 1e3:.1f} ms")
    assert "Traceback" not in product.log


async def test_killed_at_named_states_and_random_moments_nothing_leaks(product: Product) -> None:
    seed = int(os.environ.get("PBX_SEED", time.time_ns() % 1_000_000))
    chance = random.Random(seed)
    print(f"seed {seed}")
    before, admitted, back = ports_of(product), 0, []
    moments: list[str | float] = [*(STATES if LONG else SOME_STATES)]
    moments += [chance.uniform(0, 0.12) for _ in range(KILLS)]
    for moment in moments:
        scene = Scene(product)
        await scene.connect()
        dead = asyncio.Event()

        def die(dead: asyncio.Event = dead) -> None:
            product.processes["exchange"].kill()
            dead.set()

        if isinstance(moment, str):
            scene.at = lambda state, at=moment: die() if state == at else None  # type: ignore[misc]
        else:
            asyncio.get_running_loop().call_later(moment, die)
        script = asyncio.create_task(scene.whole())
        await dead.wait()
        back.append(await restart(product))
        script.cancel()
        with suppress(asyncio.CancelledError, CallFailed, TimeoutError):
            await script
        await scene.connect()
        await scene.end()
        admitted += scene.was_admitted
        scene.close()
        print(f"{moment}: back after {back[-1]:.1f} s", flush=True)
    await asyncio.sleep(0.5)
    await nothing_is_left(product)

    found = await records(product)
    print(f"{len(moments)} kills, back after {max(back):.2f} s at most, {len(found)} records")
    assert admitted <= len(found) <= len(moments)
    for record in found:
        row = record.row
        assert row.ended_at >= row.started_at
        assert row.cause not in ("", "internal")
        assert record.legs[0].role == "caller"
        assert all(leg.ended_at >= leg.started_at for leg in record.legs)
    assert ports_of(product) == before
    assert "Traceback" not in product.log
